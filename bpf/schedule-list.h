/*
 * A service's list of servers, as the schedulers walk it.
 *
 * What looks at one server is a global function: the verifier goes through it once, on its own, whatever the number of
 * rounds. Nor must the callbacks of bpf_loop hold any logic: kernels before 6.7 take what a callback sees on its caller's
 * stack for what it was at the first round, and cut away the branches that only later rounds need.
 */
#ifndef EVENKEEL_SCHEDULE_LIST_H
#define EVENKEEL_SCHEDULE_LIST_H

#include "maps.h"

/* Rounds of a walk on kernels without bpf_loop: servers beyond are not looked at. */
#define EK_BOUNDED_ROUNDS 256

struct ek_walk {
	__u32 first; /* chunk of `lists` */
	__u32 count;
	__u32 start;    /* slot of the first round */
	__u32 argument; /* what to look for: each visitor says */
	__u32 value;    /* of the hash; of a set: the service's number */
	/* Found so far. */
	__u32 server; /* or EK_NO_SERVER */
	__u32 position;
	__u32 weight;
	__u64 load;
};

/* A function that the verifier meets once, on its own, with a frame of its own. Its pointers may be NULL for all it knows. */
#define EK_APART __attribute__((noinline))

struct ek_load {
	__u32 weight;
	__u32 active;
	__u32 inactive;
};

/* Defines a visitor, `int name(__u32 round, type *walk)`: what follows is its body. 1 ends the walk. */
#define EK_VISITOR(name, type)                                                                                         \
	int name(__u32 round, type *walk);                                                                             \
	static long name##_round(__u32 round, void *walk)                                                              \
	{                                                                                                              \
		return name(round, walk) != 0;                                                                         \
	}                                                                                                              \
	EK_APART int name(__u32 round, type *walk)

#define EK_WALK(rounds, name, walk)                                                                                    \
	do {                                                                                                           \
		if (have_bpf_loop)                                                                                     \
			bpf_loop(rounds, name##_round, walk, 0);                                                       \
		else                                                                                                   \
			for (__u32 round = 0; round < EK_BOUNDED_ROUNDS; round++)                                      \
				if (round >= (rounds) || name(round, walk))                                            \
					break;                                                                         \
	} while (0)

static __always_inline void ek_walk_begin(struct ek_walk *walk, const struct ek_service *service)
{
	__builtin_memset(walk, 0, sizeof(*walk));
	walk->first = service->list_first;
	walk->count = service->list_count;
	walk->server = EK_NO_SERVER;
}

/* A slot of a list or table that begins with chunk `first`. */
static __always_inline __u32 ek_slot(__u32 first, __u32 index)
{
	__u32 number = first + index / EK_CHUNK_SLOTS;
	struct ek_list_chunk *chunk = bpf_map_lookup_elem(&lists, &number);

	return chunk ? chunk->slot[index % EK_CHUNK_SLOTS] : EK_NO_SERVER;
}

/* Of a server that may be chosen but for its threshold; NULL: of none. */
static __always_inline struct ek_server *ek_load_of(__u32 number, struct ek_load *load)
{
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);
	struct ek_server_state *state = bpf_map_lookup_elem(&server_states, &number);

	if (!server || !state || !(server->flags & EK_SERVER_LIVE) || server->flags & EK_SERVER_DRAINING)
		return NULL;
	load->weight = server->weight;
	load->active = state->active;
	load->inactive = state->inactive;
	return load->weight ? server : NULL;
}

static __always_inline int ek_over_threshold(__u32 number, const struct ek_server *server)
{
	struct ek_server_state *state = bpf_map_lookup_elem(&server_states, &number);

	/* The lower one once more: two processors that count at a time may leave the mark of an overload behind. */
	return server->upper_threshold && state && state->overloaded >= server->upper_threshold &&
	       state->active + state->inactive >= server->lower_threshold;
}

/* Takes new connections: l4.md §1.2, "usable". */
static __always_inline int ek_usable(__u32 number, struct ek_load *load)
{
	struct ek_server *server = ek_load_of(number, load);

	return server && !ek_over_threshold(number, server);
}

/* ip_vs_dest_conn_overhead */
static __always_inline __u64 ek_overhead(const struct ek_load *load)
{
	return ((__u64)load->active << 8) + load->active + load->inactive;
}

#endif
