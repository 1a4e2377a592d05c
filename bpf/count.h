/*
 * What is counted: packets and bytes by server and processor, reasons, ActiveConn and InActConn with the thresholds that
 * hang on them (ip_vs_bind_dest, ip_vs_unbind_dest; l4.md §1.2, §1.4), and the rates.
 */
#ifndef EVENKEEL_COUNT_H
#define EVENKEEL_COUNT_H

#include "maps.h"
#include "states.h"

#define EK_SECOND 1000000000ull
#define EK_CLOCK_MONOTONIC 1
#define EK_SAMPLE_NS (2 * EK_SECOND)
#define EK_MAX_CPUS 256

static __always_inline void ek_reason(__u32 reason)
{
	__u64 *packets = bpf_map_lookup_elem(&reasons, &reason);

	if (packets)
		*packets += 1;
}

static __always_inline struct ek_counters *ek_counters(__u32 server)
{
	__u32 index = server * cpus + bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &index);
}

/* IPVS's totalconns against the thresholds, after one more or one fewer. */
static __always_inline void ek_weigh(struct ek_server_state *state, __u32 number, int more)
{
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);
	__u32 total = state->active + state->inactive;

	if (!server)
		return;
	if (more) {
		if (server->upper_threshold && total >= server->upper_threshold)
			state->overloaded = server->upper_threshold;
	} else if (state->overloaded && (!server->upper_threshold || total < server->lower_threshold)) {
		state->overloaded = 0;
	}
}

static __always_inline struct ek_totals *ek_totals(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&totals, &zero);
}

static __always_inline void ek_count_half_open(__u32 state, int difference)
{
	struct ek_totals *all;

	if (state == EK_SYN_RECV && (all = ek_totals()))
		__sync_fetch_and_add(&all->half_open, difference);
}

/* One more (difference 1) or one fewer (-1) connection in `state` at this server. Not for templates. */
static __always_inline void ek_count_connection(__u32 server, __u32 state, int difference)
{
	struct ek_server_state *server_state = bpf_map_lookup_elem(&server_states, &server);

	ek_count_half_open(state, difference);
	if (!server_state)
		return;
	__sync_fetch_and_add(ek_is_active(state) ? &server_state->active : &server_state->inactive, difference);
	ek_weigh(server_state, server, difference > 0);
}

static __always_inline void ek_count_change(__u32 server, __u32 from, __u32 to)
{
	struct ek_server_state *server_state;

	ek_count_half_open(from, -1);
	ek_count_half_open(to, 1);
	if (ek_is_active(from) == ek_is_active(to))
		return;
	server_state = bpf_map_lookup_elem(&server_states, &server);
	if (!server_state)
		return;
	__sync_fetch_and_add(&server_state->active, ek_is_active(to) ? 1 : -1);
	__sync_fetch_and_add(&server_state->inactive, ek_is_active(to) ? -1 : 1);
}

/* ip_vs_est.c: average += (rate - average) / 4, fixed point with 10 fraction bits (2 s: << 9), bytes with 5 (<< 4). */
static __always_inline void ek_smooth(__u64 *smoothed, __u64 *last, __u64 sum, __u32 shift)
{
	__s64 rate = (sum - *last) << shift;

	*last = sum;
	*smoothed += (rate - (__s64)*smoothed) >> 2;
}

static int ek_sample(void *map, __u32 *server, struct ek_rate *rate)
{
	struct ek_rates sum = {};
	__u32 number = *server;

	for (__u32 cpu = 0; cpu < EK_MAX_CPUS; cpu++) {
		__u32 index = number * cpus + cpu;
		struct ek_counters *counted;

		if (cpu >= cpus)
			break;
		counted = bpf_map_lookup_elem(&counters, &index);
		if (!counted)
			break;
		sum.connections += counted->connections;
		sum.packets_in += counted->packets_in;
		sum.packets_out += counted->packets_out;
		sum.bytes_in += counted->bytes_in;
		sum.bytes_out += counted->bytes_out;
	}
	/* Counters were set back: begin anew rather than with a negative rate. */
	if (sum.packets_in < rate->last.packets_in || sum.connections < rate->last.connections)
		rate->last = sum;
	ek_smooth(&rate->smoothed.connections, &rate->last.connections, sum.connections, 9);
	ek_smooth(&rate->smoothed.packets_in, &rate->last.packets_in, sum.packets_in, 9);
	ek_smooth(&rate->smoothed.packets_out, &rate->last.packets_out, sum.packets_out, 9);
	ek_smooth(&rate->smoothed.bytes_in, &rate->last.bytes_in, sum.bytes_in, 4);
	ek_smooth(&rate->smoothed.bytes_out, &rate->last.bytes_out, sum.bytes_out, 4);
	if (rate->smoothed.connections | rate->smoothed.packets_in | rate->smoothed.packets_out | rate->smoothed.bytes_in |
	    rate->smoothed.bytes_out)
		bpf_timer_start(&rate->timer, EK_SAMPLE_NS, 0);
	else
		rate->running = 0;
	return 0;
}

/* Called about once a second for each server that gets packets. */
static __always_inline void ek_sample_later(__u32 server)
{
	struct ek_rate *rate = bpf_map_lookup_elem(&rates, &server);

	if (!rate || rate->running || __sync_val_compare_and_swap(&rate->running, 0, 1))
		return;
	/* -EBUSY: it was made before. */
	bpf_timer_init(&rate->timer, &rates, EK_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&rate->timer, ek_sample);
	if (bpf_timer_start(&rate->timer, EK_SAMPLE_NS, 0))
		rate->running = 0;
}

#endif
