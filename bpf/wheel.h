/*
 * When entries are looked at again: a wheel of slots, a quarter of a second each, that one timer turns.
 *
 * Each entry has a token in the slot of its deadline. When the slot comes round, the entry either has ended or gets a token
 * for the deadline that its last packet gave it; so packets do not pay for it. A state with a shorter time-out takes the
 * token to an earlier slot. An entry never has two, or a stranger who makes states change could fill the map of tokens.
 *
 * Not a bpf_timer an entry: from Linux 6.18 on bpf_timer_init allocates without waiting for anybody and fails with -ENOMEM
 * whenever the slab of its size is used up: for one new connection in fifty at 50 a second, for half at a thousand.
 */
#ifndef EVENKEEL_WHEEL_H
#define EVENKEEL_WHEEL_H

#include "count.h"

/* 2^28 ns. */
#define EK_TICK_SHIFT 28
/* Deadlines further away than the wheel goes round are looked at on the way. */
#define EK_FARTHEST (EK_WHEEL_SLOTS - 96)
/* Visits in one go: the processor belongs to packets too. */
#define EK_VISITS 2048
#define EK_VISITS_WITHOUT_LOOP 256
#define EK_PAUSE_NS 1000000

static __always_inline __u32 ek_tick(__u64 ns)
{
	return ns >> EK_TICK_SHIFT;
}

static __always_inline struct ek_wheel *ek_wheel(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wheel, &zero);
}

static __always_inline struct ek_wheel_slot *ek_wheel_slot_at(__u32 tick, const __u32 family)
{
	__u32 index = (tick & (EK_WHEEL_SLOTS - 1)) + (family == EK_IPV4 ? 0 : EK_WHEEL_SLOTS);

	return bpf_map_lookup_elem(&wheel_slots, &index);
}

/* Takes away a token as it stood in ek_connection.token. */
static __always_inline void ek_token_delete(__u64 stood, const __u32 family)
{
	struct ek_token token = { (stood >> 32) & (EK_WHEEL_SLOTS - 1), stood };

	if (!stood)
		return;
	if (family == EK_IPV4)
		bpf_map_delete_elem(&tokens4, &token);
	else
		bpf_map_delete_elem(&tokens6, &token);
}

/* The entry is about to end otherwise than by the wheel. */
static __always_inline void ek_token_drop(struct ek_connection *connection, const __u32 family)
{
	ek_token_delete(__sync_lock_test_and_set(&connection->token, 0), family);
}

/* 0, or why there is no token (-ENOMEM, -E2BIG). `key` is the connection's. */
static __always_inline long ek_token_put(const void *key, struct ek_connection *connection, __u64 deadline,
					 const __u32 family)
{
	__u32 now = ek_tick(bpf_ktime_get_ns()), tick = ek_tick(deadline) + 1;
	struct ek_token token;
	struct ek_wheel_slot *slot;
	long error;

	/* Not the next slot: the wheel may come to it before the token is in. */
	if (tick < now + 3)
		tick = now + 3;
	if (tick > now + EK_FARTHEST)
		tick = now + EK_FARTHEST;
	slot = ek_wheel_slot_at(tick, family);
	if (!slot)
		return -1;
	token.slot = tick & (EK_WHEEL_SLOTS - 1);
	token.number = __sync_fetch_and_add(&slot->next, 1);
	if (family == EK_IPV4)
		error = bpf_map_update_elem(&tokens4, &token, key, BPF_ANY);
	else
		error = bpf_map_update_elem(&tokens6, &token, key, BPF_ANY);
	if (!error)
		ek_token_delete(__sync_lock_test_and_set(&connection->token, (__u64)tick << 32 | token.number), family);
	return error;
}

/* The entry must be looked at by `deadline`: earlier than it is, or never yet. */
static __always_inline long ek_due(const void *key, struct ek_connection *connection, __u64 deadline, const __u32 family)
{
	__u64 token = connection->token;

	if (token && token >> 32 <= ek_tick(deadline) + 1)
		return 0;
	return ek_token_put(key, connection, deadline, family);
}

/* expiry.h: the entry with this token; global functions, which the verifier looks at once. */
int ek_visit4(__u32 slot, __u32 number);
int ek_visit6(__u32 slot, __u32 number);

/* On to a slot, and to those of its tokens that are there now: some will be put back into it, for the next round. */
static __always_inline void ek_wheel_to(struct ek_wheel *turned, __u32 tick)
{
	struct ek_wheel_slot *four = ek_wheel_slot_at(tick, EK_IPV4), *six = ek_wheel_slot_at(tick, EK_IPV6);

	turned->tick = tick;
	turned->end4 = four ? four->next : 0;
	turned->end6 = six ? six->next : 0;
}

/* One step of the wheel. False: it has come to the present. */
static __always_inline int ek_wheel_step(struct ek_wheel *turned, __u32 now)
{
	__u32 tick = turned->tick;
	struct ek_wheel_slot *slot;

	if ((__s32)(tick - now) > 0)
		return 0;
	slot = ek_wheel_slot_at(tick, EK_IPV4);
	if (slot && (__s32)(turned->end4 - slot->done) > 0) {
		ek_visit4(tick & (EK_WHEEL_SLOTS - 1), slot->done);
		slot->done++;
		return 1;
	}
	slot = ek_wheel_slot_at(tick, EK_IPV6);
	if (slot && (__s32)(turned->end6 - slot->done) > 0) {
		ek_visit6(tick & (EK_WHEEL_SLOTS - 1), slot->done);
		slot->done++;
		return 1;
	}
	ek_wheel_to(turned, tick + 1);
	return 1;
}

static __always_inline __u32 ek_entries(const struct ek_totals *all)
{
	return all->connections4 | all->connections6;
}

static long ek_wheel_round(__u32 round, __u32 *now)
{
	struct ek_wheel *turned = ek_wheel();

	return !turned || !ek_wheel_step(turned, *now);
}

/* Time-outs have become shorter: entries are in slots of later deadlines, so all that the wheel holds is looked at. */
static __always_inline void ek_wheel_heed_settings(struct ek_wheel *turned, __u32 now)
{
	__u32 zero = 0;
	struct ek_settings *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set || turned->shortened == set->shortened)
		return;
	turned->shortened = set->shortened;
	ek_wheel_to(turned, now - EK_WHEEL_SLOTS + 1);
}

static int ek_wheel_turn(void *map, __u32 *key, struct ek_wheel *turned)
{
	__u64 time = bpf_ktime_get_ns();
	__u32 now = ek_tick(time);
	struct ek_totals *all;

	ek_wheel_heed_settings(turned, now);
	if (have_bpf_loop) {
		bpf_loop(EK_VISITS, ek_wheel_round, &now, 0);
	} else {
		for (int i = 0; i < EK_VISITS_WITHOUT_LOOP; i++)
			if (!ek_wheel_step(turned, now))
				break;
	}
	if ((__s32)(turned->tick - now) <= 0) {
		bpf_timer_start(&turned->timer, EK_PAUSE_NS, 0);
		return 0;
	}
	all = ek_totals();
	if (all && !ek_entries(all)) {
		/* With a barrier: a connection that was born meanwhile saw the wheel running. */
		__sync_lock_test_and_set(&turned->running, 0);
		if (!ek_entries(all) || __sync_val_compare_and_swap(&turned->running, 0, 1))
			return 0;
	}
	bpf_timer_start(&turned->timer, (((__u64)now + 1) << EK_TICK_SHIFT) - time, 0);
	return 0;
}

/* `running` is 1 already. */
static __always_inline void ek_wheel_wind(struct ek_wheel *turned)
{
	__u32 now = ek_tick(bpf_ktime_get_ns());

	/* It stood still, or is new: all that it holds is looked at. */
	if (now - turned->tick >= EK_WHEEL_SLOTS)
		ek_wheel_to(turned, now - EK_WHEEL_SLOTS + 1);
	/* -EBUSY: it was made before. */
	bpf_timer_init(&turned->timer, &wheel, EK_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&turned->timer, ek_wheel_turn);
	if (bpf_timer_start(&turned->timer, EK_PAUSE_NS, 0)) {
		ek_reason(EK_REASON_NO_TIMER);
		turned->running = 0;
	}
}

/* Called with each birth and change of state, as the kernel may refuse the timer for a while. */
static __always_inline void ek_wheel_start(void)
{
	struct ek_wheel *turned = ek_wheel();

	if (turned && !turned->running && !__sync_val_compare_and_swap(&turned->running, 0, 1))
		ek_wheel_wind(turned);
}

static long ek_revive_rate(void *map, __u32 *server, struct ek_rate *rate, void *context)
{
	if (rate->running)
		bpf_timer_set_callback(&rate->timer, ek_sample);
	return 0;
}

/*
 * Timers keep the program that set them, so after an upgrade they are given those of this object. And the wheel turns where
 * there are entries, also when no packet comes that would see to it.
 */
static __always_inline void ek_revive(void)
{
	struct ek_wheel *turned = ek_wheel();
	struct ek_totals *all = ek_totals();

	bpf_for_each_map_elem(&rates, ek_revive_rate, NULL, 0);
	if (!turned || !all || !ek_entries(all))
		return;
	turned->running = 1;
	ek_wheel_wind(turned);
}

#endif
