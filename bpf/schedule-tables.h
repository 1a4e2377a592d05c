/*
 * sh, dh and mh: a hash of an address is looked up in a table that user space has filled (src/balance/ipvs/, the same
 * hashes). What does not go to a usable server is refused, or tried elsewhere with EK_SERVICE_FALLBACK.
 */
#ifndef EVENKEEL_SCHEDULE_TABLES_H
#define EVENKEEL_SCHEDULE_TABLES_H

#include <bpf/bpf_endian.h>
#include "schedule-list.h"

/* Slots of a table of sh or dh. */
#define EK_BUCKETS 256

static __always_inline __u32 ek_fold(const struct ek_address *address, const struct ek_packet *packet)
{
	__u32 folded = address->word_be[0];

	if (packet->family == EK_IPV6)
		folded ^= address->word_be[1] ^ address->word_be[2] ^ address->word_be[3];
	return bpf_ntohl(folded);
}

/* hash_32 of the kernel, for 256 buckets. */
static __always_inline __u32 ek_bucket(__u32 value)
{
	return value * 0x61c88647u >> 24;
}

static __always_inline __u64 ek_rotate(__u64 value, int bits)
{
	return value << bits | value >> (64 - bits);
}

#define EK_SIP_ROUND                                                                                                   \
	do {                                                                                                           \
		v0 += v1;                                                                                              \
		v1 = ek_rotate(v1, 13) ^ v0;                                                                           \
		v0 = ek_rotate(v0, 32);                                                                                \
		v2 += v3;                                                                                              \
		v3 = ek_rotate(v3, 16) ^ v2;                                                                           \
		v0 += v3;                                                                                              \
		v3 = ek_rotate(v3, 21) ^ v0;                                                                           \
		v2 += v1;                                                                                              \
		v1 = ek_rotate(v1, 17) ^ v2;                                                                           \
		v2 = ek_rotate(v2, 32);                                                                                \
	} while (0)

/* SipHash-1-3 of one 32-bit word, folded: what mh hashes with on 64-bit kernels (src/balance/ipvs/hsiphash.ts). */
static __always_inline __u32 ek_hsiphash(__u32 word)
{
	const __u64 key = 2654435761u, last = 4ull << 56 | word;
	__u64 v0 = 0x736f6d6570736575ull ^ key, v1 = 0x646f72616e646f6dull ^ key;
	__u64 v2 = 0x6c7967656e657261ull ^ key, v3 = 0x7465646279746573ull ^ key;

	v3 ^= last;
	EK_SIP_ROUND;
	v0 ^= last;
	v2 ^= 0xff;
	EK_SIP_ROUND;
	EK_SIP_ROUND;
	EK_SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

static __always_inline __u32 ek_table_slot(__u32 scheduler, __u32 value, __u32 offset, __u32 size)
{
	if (scheduler == EK_MH)
		return ek_hsiphash(value + offset) % size;
	return (ek_bucket(value) + offset) % EK_BUCKETS;
}

/* Another slot each round: each hashes with the next offset. `argument`: the scheduler; `count`: the table's size. */
EK_VISITOR(ek_try_slot, struct ek_walk)
{
	struct ek_load load;
	__u32 number, slot;

	if (!walk)
		return 1;
	slot = ek_table_slot(walk->argument, walk->value, (walk->start + round) % walk->count, walk->count);
	number = ek_slot(walk->first, slot);
	if (number == EK_NO_SERVER)
		return 1;
	if (!ek_usable(number, &load))
		return 0;
	walk->server = number;
	return 1;
}

/* `value`: what is hashed. */
int ek_choose_by_table(struct ek_service *service, __u32 value, __u32 scheduler);
EK_APART int ek_choose_by_table(struct ek_service *service, __u32 value, __u32 scheduler)
{
	struct ek_load load;
	struct ek_walk walk;
	__u32 number;

	if (!service || !service->table_size)
		return EK_NO_SERVER;
	ek_walk_begin(&walk, service);
	walk.argument = scheduler;
	walk.first = service->table_first;
	walk.count = scheduler == EK_MH ? service->table_size : EK_BUCKETS;
	walk.value = value;
	walk.start = ek_table_slot(scheduler, value, 0, walk.count);
	number = ek_slot(walk.first, walk.start);
	if (number == EK_NO_SERVER || ek_usable(number, &load))
		return number;
	if (scheduler == EK_DH || !(service->flags & EK_SERVICE_FALLBACK))
		return EK_NO_SERVER;
	EK_WALK(walk.count, ek_try_slot, &walk);
	return walk.server;
}

static __always_inline __u32 ek_hashed_value(const struct ek_service *service, const struct ek_packet *packet,
					     const __u32 scheduler)
{
	if (scheduler == EK_DH)
		return ek_fold(&packet->destination, packet);
	return ek_fold(&packet->source, packet) +
	       (service->flags & EK_SERVICE_PORT ? bpf_ntohs(packet->source_port_be) : 0);
}

#endif
