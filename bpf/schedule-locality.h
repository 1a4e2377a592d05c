/*
 * lblc and lblcr: the same virtual address goes to the same server (lblcr: to a set of servers) until it has too much to
 * do (l4.md §1.2). What they remember is in one LRU map for all services, so it needs no clearing; entries that nobody
 * asked for in 24 h count as none.
 *
 * A set of lblcr holds at most EK_LOCALITY_SERVERS; one more pushes out the oldest. IPVS knows no bound.
 */
#ifndef EVENKEEL_SCHEDULE_LOCALITY_H
#define EVENKEEL_SCHEDULE_LOCALITY_H

#include "schedule-loads.h"

#define EK_LOCALITY_SERVERS 16
#define EK_LOCALITY_NS (24ull * 3600 * 1000000000ull)

struct ek_locality_key {
	struct ek_address destination;
	__u32 service;
};

struct ek_locality {
	__u64 used_ns;
	__u64 changed_ns; /* when the set last gained or lost one */
	__u32 count;
	__u32 server[EK_LOCALITY_SERVERS]; /* newest first; lblc has one */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ek_locality_key);
	__type(value, struct ek_locality);
} localities SEC(".maps");

/* Finds one with fewer active connections than half its weight. */
EK_VISITOR(ek_find_idle, struct ek_walk)
{
	struct ek_server_state *state;
	struct ek_server *server;
	__u32 number;

	if (!walk)
		return 1;
	number = ek_slot(walk->first, round);
	server = bpf_map_lookup_elem(&servers, &number);
	state = bpf_map_lookup_elem(&server_states, &number);
	if (!server || !state || (__u64)state->active * 2 >= server->weight)
		return 0;
	walk->server = number;
	return 1;
}

/* Has more active connections than its weight while another has fewer than half of its own. */
int ek_too_busy(struct ek_service *service, __u32 number);
EK_APART int ek_too_busy(struct ek_service *service, __u32 number)
{
	struct ek_load load;
	struct ek_walk walk;

	if (!service || !ek_load_of(number, &load) || load.active <= load.weight)
		return 0;
	ek_walk_begin(&walk, service);
	EK_WALK(walk.count, ek_find_idle, &walk);
	return walk.server != EK_NO_SERVER;
}

/* A remembered number may since have become another service's. */
static __always_inline struct ek_server *ek_remembered(__u32 number, __u32 service, struct ek_load *load)
{
	struct ek_server *server = ek_load_of(number, load);

	return server && server->service == service ? server : NULL;
}

/* Visits one of a set, whose service is `value`: the least loaded that has room is taken, of equals the first. */
int ek_set_least(__u32 number, struct ek_walk *walk);
EK_APART int ek_set_least(__u32 number, struct ek_walk *walk)
{
	struct ek_server *server;
	struct ek_load load;

	if (!walk)
		return 0;
	server = ek_remembered(number, walk->value, &load);
	if (server && !ek_over_threshold(number, server) && ek_better(EK_WLC, walk, &load))
		ek_take(walk, number, EK_WLC, &load);
	return 0;
}

int ek_set_most(__u32 number, struct ek_walk *walk);
EK_APART int ek_set_most(__u32 number, struct ek_walk *walk)
{
	struct ek_load load;

	if (!walk)
		return 0;
	if (ek_remembered(number, walk->value, &load) &&
	    (walk->server == EK_NO_SERVER || walk->load * load.weight < ek_overhead(&load) * walk->weight))
		ek_take(walk, number, EK_WLC, &load);
	return 0;
}

#define EK_SET_WALK(set, name, walk)                                                                                   \
	for (__u32 i = 0; i < EK_LOCALITY_SERVERS; i++) {                                                              \
		if (i >= (set)->count)                                                                                 \
			break;                                                                                         \
		name((set)->server[i], walk);                                                                          \
	}

/* Takes the most loaded out of the set. */
static __always_inline void ek_set_shrink(const struct ek_service *service, struct ek_locality *set, __u64 now,
					  struct ek_walk *walk)
{
	__u32 found = 0;

	ek_walk_begin(walk, service);
	walk->value = service->number;
	EK_SET_WALK(set, ek_set_most, walk);
	if (walk->server == EK_NO_SERVER)
		return;
	for (__u32 i = 0; i < EK_LOCALITY_SERVERS - 1; i++) {
		found |= set->server[i] == walk->server;
		if (found)
			set->server[i] = set->server[i + 1];
	}
	set->count--;
	set->changed_ns = now;
}

int ek_set_add(struct ek_locality *set, __u32 number, __u64 now);
EK_APART int ek_set_add(struct ek_locality *set, __u32 number, __u64 now)
{
	if (!set)
		return 0;
	for (__u32 i = 0; i < EK_LOCALITY_SERVERS; i++)
		if (i < set->count && set->server[i] == number)
			return 0;
	for (__u32 i = EK_LOCALITY_SERVERS - 1; i > 0; i--)
		set->server[i] = set->server[i - 1];
	set->server[0] = number;
	if (set->count < EK_LOCALITY_SERVERS)
		set->count++;
	set->changed_ns = now;
	return 0;
}

/* What the address is remembered with, if that can be used. */
int ek_known_server(struct ek_service *service, struct ek_locality *known, __u32 scheduler, __u64 now);
EK_APART int ek_known_server(struct ek_service *service, struct ek_locality *known, __u32 scheduler, __u64 now)
{
	struct ek_load load;
	struct ek_walk walk;
	__u32 number;

	if (!service || !known)
		return EK_NO_SERVER;
	known->used_ns = now;
	if (scheduler == EK_LBLC) {
		number = known->server[0];
		return ek_remembered(number, service->number, &load) ? number : EK_NO_SERVER;
	}
	ek_walk_begin(&walk, service);
	walk.value = service->number;
	EK_SET_WALK(known, ek_set_least, &walk);
	number = walk.server;
	if (known->count > 1 && now - known->changed_ns > EK_LOCALITY_NS)
		ek_set_shrink(service, known, now, &walk);
	return number;
}

static __attribute__((noinline)) int ek_remember(const struct ek_locality_key *key, __u32 number, __u64 now)
{
	struct ek_locality born = { .used_ns = now, .changed_ns = now, .count = 1, .server = { number } };

	return bpf_map_update_elem(&localities, key, &born, BPF_ANY);
}

static __attribute__((noinline)) int ek_choose_by_locality(struct ek_service *service, const struct ek_packet *packet,
							    __u32 scheduler)
{
	struct ek_locality_key key = { .destination = packet->destination, .service = service->number };
	struct ek_locality *known = bpf_map_lookup_elem(&localities, &key);
	__u64 now = bpf_ktime_get_ns();
	__u32 number;

	if (known && now - known->used_ns >= EK_LOCALITY_NS)
		known = NULL;
	if (known) {
		number = ek_known_server(service, known, scheduler, now);
		if (number != EK_NO_SERVER && !ek_too_busy(service, number))
			return number;
	}
	number = ek_choose_by_load(service, EK_WLC);
	if (number == EK_NO_SERVER)
		return number;
	if (known && scheduler == EK_LBLCR)
		ek_set_add(known, number, now);
	else
		ek_remember(&key, number, now);
	return number;
}

#endif
