/*
 * Schedulers that look at loads and weights alone: lc, wlc, sed, nq, fo, ovf and twos. Of equals the earlier in the list,
 * that is the newer, is taken (l4.md §1.2).
 */
#ifndef EVENKEEL_SCHEDULE_LOADS_H
#define EVENKEEL_SCHEDULE_LOADS_H

#include "schedule-list.h"

/* What a scheduler holds against a server; divided by its weight, but for lc. */
static __always_inline __u64 ek_burden(__u32 scheduler, const struct ek_load *load)
{
	return scheduler == EK_SED || scheduler == EK_NQ ? (__u64)load->active + 1 : ek_overhead(load);
}

static __always_inline int ek_better(__u32 scheduler, const struct ek_walk *best, const struct ek_load *load)
{
	__u64 burden = ek_burden(scheduler, load);

	if (best->server == EK_NO_SERVER)
		return 1;
	if (scheduler == EK_FO || scheduler == EK_OVF)
		return load->weight > best->weight;
	if (scheduler == EK_LC)
		return burden < best->load;
	return best->load * load->weight > burden * best->weight;
}

static __always_inline void ek_take(struct ek_walk *best, __u32 number, __u32 scheduler, const struct ek_load *load)
{
	best->server = number;
	best->weight = load->weight;
	best->load = ek_burden(scheduler, load);
}

/* `argument`: the scheduler. */
EK_VISITOR(ek_compare, struct ek_walk)
{
	struct ek_load load;
	__u32 number;
	int idle;

	if (!walk)
		return 1;
	number = ek_slot(walk->first, round);
	if (!ek_usable(number, &load) || (walk->argument == EK_OVF && load.active > load.weight))
		return 0;
	idle = walk->argument == EK_NQ && load.active == 0;
	if (idle || ek_better(walk->argument, walk, &load))
		ek_take(walk, number, walk->argument, &load);
	return idle;
}

/* The server's number or EK_NO_SERVER. */
int ek_choose_by_load(struct ek_service *service, __u32 scheduler);
EK_APART int ek_choose_by_load(struct ek_service *service, __u32 scheduler)
{
	struct ek_walk walk;

	if (!service)
		return EK_NO_SERVER;
	ek_walk_begin(&walk, service);
	walk.argument = scheduler;
	EK_WALK(walk.count, ek_compare, &walk);
	return walk.server;
}

/* twos: what is left of a draw, until a server uses it up. */
struct ek_draw {
	__u32 server;
	__u32 weight;
	__u64 load;
	__s64 rest;
};

struct ek_draws {
	__u32 first;
	__u32 sum;
	struct ek_draw draw[2];
};

EK_VISITOR(ek_sum_weights, struct ek_draws)
{
	struct ek_load load;

	if (!walk)
		return 1;
	if (ek_usable(ek_slot(walk->first, round), &load))
		walk->sum += load.weight;
	return 0;
}

/* Both draws go down the list. */
EK_VISITOR(ek_draw_next, struct ek_draws)
{
	struct ek_load load;
	__u32 number;

	if (!walk)
		return 1;
	number = ek_slot(walk->first, round);
	if (!ek_usable(number, &load))
		return 0;
	for (int i = 0; i < 2; i++) {
		struct ek_draw *draw = &walk->draw[i];

		draw->rest -= load.weight;
		if (draw->rest > 0 || draw->server != EK_NO_SERVER)
			continue;
		draw->server = number;
		draw->weight = load.weight;
		draw->load = ek_overhead(&load);
	}
	return walk->draw[0].server != EK_NO_SERVER && walk->draw[1].server != EK_NO_SERVER;
}

/* twos: the less loaded of two that were drawn by weight. A draw is 0..sum, both included, as in ip_vs_twos.c. */
int ek_choose_of_two(struct ek_service *service);
EK_APART int ek_choose_of_two(struct ek_service *service)
{
	struct ek_draws draws = {};
	struct ek_draw *one = &draws.draw[0], *other = &draws.draw[1];

	if (!service)
		return EK_NO_SERVER;
	draws.first = service->list_first;
	EK_WALK(service->list_count, ek_sum_weights, &draws);
	if (!draws.sum)
		return EK_NO_SERVER;
	one->server = other->server = EK_NO_SERVER;
	one->rest = bpf_get_prandom_u32() % ((__u64)draws.sum + 1);
	other->rest = bpf_get_prandom_u32() % ((__u64)draws.sum + 1);
	EK_WALK(service->list_count, ek_draw_next, &draws);
	return other->server != EK_NO_SERVER && one->load * other->weight > other->load * one->weight ? other->server
												       : one->server;
}

#endif
