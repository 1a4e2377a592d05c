/*
 * rr and wrr: where they stand is one word, moved by compare-and-swap, so that one processor gives the exact sequence and
 * several never lose a turn. When the list was edited, user space has worked out where to go on (`ek_service.cursor`,
 * src/balance/ipvs/cursor.ts): edits leave marks of their own on wrr.
 *
 * From the low end: 16 bits position (0 before the first, else 1 + the last chosen), 16 bits generation of the list, 32
 * bits weight that wrr asks for in this pass.
 */
#ifndef EVENKEEL_SCHEDULE_TURNS_H
#define EVENKEEL_SCHEDULE_TURNS_H

#include "schedule-list.h"

/* After so many lost races the choice stands without being remembered: that server then gets two turns. */
#define EK_TURN_ATTEMPTS 4

static __always_inline __u64 ek_turn_pack(const struct ek_service *service, __u32 position, __u32 weight)
{
	return (__u64)weight << 32 | (service->generation & 0xffff) << 16 | (position & 0xffff);
}

/* What `cursor` means to this generation of the list. */
static __always_inline __u64 ek_turn_of(const struct ek_service *service, __u64 cursor)
{
	return (cursor >> 16 & 0xffff) == (service->generation & 0xffff) ? cursor : service->cursor;
}

/* Finds the first, from `start` on, that weighs `argument` or more. */
EK_VISITOR(ek_turn_next, struct ek_walk)
{
	__u32 position, number;
	struct ek_load load;

	if (!walk)
		return 1;
	position = walk->start + round;
	if (position >= walk->count)
		position -= walk->count;
	number = ek_slot(walk->first, position);
	if (!ek_usable(number, &load) || load.weight < walk->argument)
		return 0;
	walk->server = number;
	walk->position = position;
	return 1;
}

EK_VISITOR(ek_turn_heaviest, struct ek_walk)
{
	struct ek_load load;

	if (!walk)
		return 1;
	if (ek_usable(ek_slot(walk->first, round), &load) && load.weight > walk->weight)
		walk->weight = load.weight;
	return 0;
}

/* One turn of rr from `cursor`: leaves server and position in the walk, returns the cursor after it. */
static __always_inline __u64 ek_turn_rr(const struct ek_service *service, struct ek_walk *walk, __u64 cursor)
{
	__u32 position = ek_turn_of(service, cursor) & 0xffff;

	walk->start = position < walk->count ? position : 0;
	walk->argument = 1;
	EK_WALK(walk->count, ek_turn_next, walk);
	return walk->server == EK_NO_SERVER ? cursor : ek_turn_pack(service, walk->position + 1, 0);
}

/* How often `step` is taken from `weight` until it is at most `heaviest`. */
static __always_inline __u32 ek_turn_steps(__u32 weight, __u32 heaviest, __u32 step)
{
	return weight > heaviest ? (weight - heaviest + step - 1) / step : 0;
}

/*
 * One turn of wrr. A pass goes through the list for servers of at least the weight it asks for; each pass asks for one
 * step less than the one before. Passes in which nobody can be found are leapt over.
 */
static __always_inline __u64 ek_turn_wrr(const struct ek_service *service, struct ek_walk *walk, __u64 cursor)
{
	__u32 step = service->weight_gcd ? service->weight_gcd : 1, greatest = service->weight_max + 1 - step;
	__u64 turn = ek_turn_of(service, cursor);
	__u32 weight = turn >> 32, position = turn & 0xffff, heaviest, steps;

	if (service->weight_max < step)
		return cursor;
	if (!weight || weight > greatest)
		weight = greatest;
	if (position > walk->count)
		position = 0;
	walk->start = position;
	walk->argument = weight;
	EK_WALK(walk->count - position, ek_turn_next, walk);
	if (walk->server != EK_NO_SERVER)
		return ek_turn_pack(service, walk->position + 1, weight);
	walk->start = 0;
	EK_WALK(walk->count, ek_turn_heaviest, walk);
	heaviest = walk->weight;
	if (!heaviest) /* what ip_vs_wrr.c has left when it gives up */
		return position && weight <= step ? ek_turn_pack(service, position, 1) : ek_turn_pack(service, 0, greatest);
	steps = ek_turn_steps(weight, heaviest, step);
	if (!steps)
		steps = 1;
	if (weight > steps * step)
		weight -= steps * step;
	else
		weight = greatest - ek_turn_steps(greatest, heaviest, step) * step;
	walk->argument = weight;
	EK_WALK(walk->count, ek_turn_next, walk);
	return walk->server == EK_NO_SERVER ? cursor : ek_turn_pack(service, walk->position + 1, weight);
}

struct ek_turn {
	__u64 cursor; /* before; then after */
	__u32 server;
	__u32 wrr; /* else rr */
};

int ek_turn_take(struct ek_service *service, struct ek_turn *turn);
EK_APART int ek_turn_take(struct ek_service *service, struct ek_turn *turn)
{
	struct ek_walk walk;

	if (!service || !turn)
		return 0;
	ek_walk_begin(&walk, service);
	turn->cursor = turn->wrr ? ek_turn_wrr(service, &walk, turn->cursor) : ek_turn_rr(service, &walk, turn->cursor);
	turn->server = walk.server;
	return 0;
}

static __always_inline __u32 ek_choose_by_turn(struct ek_service *service, const __u32 scheduler)
{
	struct ek_turn turn = { .server = EK_NO_SERVER, .wrr = scheduler == EK_WRR };
	__u32 number = service->number;
	struct ek_service_state *state = bpf_map_lookup_elem(&service_states, &number);
	__u64 before, found;

	if (!state || !service->list_count)
		return EK_NO_SERVER;
	found = state->cursor;
	for (int attempt = 0; attempt < EK_TURN_ATTEMPTS; attempt++) {
		before = turn.cursor = found;
		ek_turn_take(service, &turn);
		if (turn.cursor == before)
			break;
		found = __sync_val_compare_and_swap(&state->cursor, before, turn.cursor);
		if (found == before)
			break;
	}
	return turn.server;
}

#endif
