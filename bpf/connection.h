/*
 * The connection table: entries, their birth, their changes of state and their end (ip_vs_conn.c).
 *
 * wheel.h sees to it that an entry ends. Who puts EK_EXPIRED into `state` owns the entry from then on: the wheel to delete
 * it, a packet to give it another server.
 */
#ifndef EVENKEEL_CONNECTION_H
#define EVENKEEL_CONNECTION_H

#include "route.h"
#include "wheel.h"

union ek_connection_key {
	struct ek_connection_key4 four;
	struct ek_connection_key6 six;
};

union ek_reply_key {
	struct ek_reply_key4 four;
	struct ek_reply_key6 six;
};

static __always_inline void ek_connection_key(union ek_connection_key *key, const struct ek_packet *packet,
					      const __u32 family)
{
	if (family == EK_IPV4) {
		__builtin_memset(&key->four, 0, sizeof(key->four));
		key->four.client_be = packet->source.word_be[0];
		key->four.virtual_be = packet->destination.word_be[0];
		key->four.client_port_be = packet->source_port_be;
		key->four.virtual_port_be = packet->destination_port_be;
		key->four.protocol = packet->protocol;
	} else {
		key->six.client = packet->source;
		key->six.virtual = packet->destination;
		key->six.client_port_be = packet->source_port_be;
		key->six.virtual_port_be = packet->destination_port_be;
		key->six.protocol = packet->protocol;
		__builtin_memset(key->six.pad, 0, sizeof(key->six.pad));
	}
}

static __always_inline struct ek_connection *ek_connection_find(union ek_connection_key *key, const __u32 family)
{
	if (family == EK_IPV4)
		return bpf_map_lookup_elem(&connections4, &key->four);
	return bpf_map_lookup_elem(&connections6, &key->six);
}

static __always_inline struct ek_reply *ek_reply_find(union ek_reply_key *key, const __u32 family)
{
	if (family == EK_IPV4)
		return bpf_map_lookup_elem(&replies4, &key->four);
	return bpf_map_lookup_elem(&replies6, &key->six);
}

/* Key of the packets that come back: from the server to what it takes for the client. */
static __always_inline void ek_reply_key(union ek_reply_key *key, const union ek_connection_key *of,
					 const struct ek_connection *connection, const struct ek_server *server,
					 const __u32 family)
{
	int own = connection->flags & EK_CONNECTION_OWN, nat = connection->method == EK_NAT;

	if (family == EK_IPV4) {
		__builtin_memset(&key->four, 0, sizeof(key->four));
		key->four.server_be = nat ? server->address.word_be[0] : of->four.virtual_be;
		key->four.client_be = own ? connection->own.word_be[0] : of->four.client_be;
		key->four.server_port_be = nat ? connection->destination_port_be : of->four.virtual_port_be;
		key->four.client_port_be = of->four.client_port_be;
		key->four.protocol = of->four.protocol;
	} else {
		__builtin_memset(&key->six, 0, sizeof(key->six));
		key->six.server = nat ? server->address : of->six.virtual;
		key->six.client = own ? connection->own : of->six.client;
		key->six.server_port_be = nat ? connection->destination_port_be : of->six.virtual_port_be;
		key->six.client_port_be = of->six.client_port_be;
		key->six.protocol = of->six.protocol;
	}
}

static __always_inline int ek_same_address(const struct ek_address *a, const struct ek_address *b)
{
	return a->word_be[0] == b->word_be[0] && a->word_be[1] == b->word_be[1] && a->word_be[2] == b->word_be[2] &&
	       a->word_be[3] == b->word_be[3];
}

/* The entry of the connection's replies, if it is still this connection's. */
static __always_inline struct ek_reply *ek_reply_of(union ek_reply_key *key, const union ek_connection_key *of,
						    const struct ek_connection *connection, const __u32 family)
{
	__u32 number = connection->server;
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);
	struct ek_reply *reply;

	if (!server)
		return NULL;
	ek_reply_key(key, of, connection, server, family);
	reply = ek_reply_find(key, family);
	if (!reply || reply->virtual_port_be != (family == EK_IPV4 ? of->four.virtual_port_be : of->six.virtual_port_be))
		return NULL;
	if (family == EK_IPV4)
		return reply->virtual.word_be[0] == of->four.virtual_be ? reply : NULL;
	return ek_same_address(&reply->virtual, &of->six.virtual) ? reply : NULL;
}

static __attribute__((noinline)) int ek_reply_remove(const union ek_connection_key *of,
						      const struct ek_connection *connection, __u32 family)
{
	union ek_reply_key key;

	if (family == EK_IPV4) {
		if (ek_reply_of(&key, of, connection, EK_IPV4))
			bpf_map_delete_elem(&replies4, &key.four);
	} else if (ek_reply_of(&key, of, connection, EK_IPV6)) {
		bpf_map_delete_elem(&replies6, &key.six);
	}
	return 0;
}

static __always_inline void ek_count_entries(int difference, const __u32 family)
{
	struct ek_totals *all = ek_totals();

	if (all)
		__sync_fetch_and_add(family == EK_IPV4 ? &all->connections4 : &all->connections6, difference);
}

static __always_inline void ek_template_count(__u32 server, int difference)
{
	struct ek_server_state *state = bpf_map_lookup_elem(&server_states, &server);

	if (state)
		__sync_fetch_and_add(&state->persistent, difference);
}

/* Takes the entry from everybody else. False: it was taken before. Then its counts are no longer its server's. */
static __always_inline int ek_connection_take(struct ek_connection *connection)
{
	__u32 state = __sync_lock_test_and_set(&connection->state, EK_EXPIRED);

	if (state == EK_EXPIRED)
		return 0;
	/* ek_template_tie may be about to give a template another server: that one then finds it gone. */
	if (connection->flags & EK_CONNECTION_TEMPLATE)
		ek_template_count(__sync_lock_test_and_set(&connection->server, EK_NO_SERVER), -1);
	else
		ek_count_connection(connection->server, state, -1);
	return 1;
}

/* persistence.h */
static __attribute__((noinline)) int ek_template_let_go(const union ek_connection_key *key,
							 const struct ek_connection *connection, __u32 family);
static __always_inline int ek_template_stays(struct ek_connection *template);

/* Undoes what the entry holds elsewhere; the caller has taken it. */
static __always_inline void ek_connection_unbind(const union ek_connection_key *key, struct ek_connection *connection,
						  const __u32 family)
{
	if (connection->flags & EK_CONNECTION_REPLY)
		ek_reply_remove(key, connection, family);
	if (connection->flags & EK_CONNECTION_CONTROLLED)
		ek_template_let_go(key, connection, family);
	connection->flags &= ~(EK_CONNECTION_REPLY | EK_CONNECTION_CONTROLLED | EK_CONNECTION_OWN);
}

static __always_inline void ek_connection_delete(union ek_connection_key *key, const __u32 family)
{
	if (family == EK_IPV4)
		bpf_map_delete_elem(&connections4, &key->four);
	else
		bpf_map_delete_elem(&connections6, &key->six);
	ek_count_entries(-1, family);
}

/* The wheel has come to the entry: time is up, or was when the last packet came. */
static __always_inline void ek_expire(union ek_connection_key *key, struct ek_connection *connection, const __u32 family)
{
	__u64 now = bpf_ktime_get_ns(), last = connection->last_ns, end;
	union ek_reply_key reply_key;

	if (connection->flags & EK_CONNECTION_REPLY) {
		struct ek_reply *reply = ek_reply_of(&reply_key, key, connection, family);

		if (reply && reply->last_ns > last)
			last = reply->last_ns;
	}
	end = last + ek_timeout_ns(connection, connection->state);
	if (end <= now && connection->flags & EK_CONNECTION_TEMPLATE && ek_template_stays(connection)) {
		connection->last_ns = now;
		end = now + ek_timeout_ns(connection, connection->state);
	}
	if (end > now && !ek_token_put(key, connection, end, family)) {
		/* A packet that changed the state just now took the old token for one to come. */
		ek_due(key, connection, connection->last_ns + ek_timeout_ns(connection, connection->state), family);
		return;
	}
	if (!ek_connection_take(connection))
		return;
	ek_connection_unbind(key, connection, family);
	ek_connection_delete(key, family);
}

/* Else this token was to be deleted just now, or another connection has come to the same key. */
static __always_inline int ek_is_due(const struct ek_connection *connection, const struct ek_token *token)
{
	return connection && connection->state != EK_EXPIRED && (__u32)connection->token == token->number &&
	       ((connection->token >> 32) & (EK_WHEEL_SLOTS - 1)) == token->slot;
}

__attribute__((noinline)) int ek_visit4(__u32 slot, __u32 number)
{
	struct ek_token token = { slot, number };
	struct ek_connection_key4 *of = bpf_map_lookup_elem(&tokens4, &token);
	struct ek_connection *connection;
	union ek_connection_key key;

	if (!of)
		return 0;
	key.four = *of;
	bpf_map_delete_elem(&tokens4, &token);
	connection = ek_connection_find(&key, EK_IPV4);
	if (ek_is_due(connection, &token))
		ek_expire(&key, connection, EK_IPV4);
	return 0;
}

__attribute__((noinline)) int ek_visit6(__u32 slot, __u32 number)
{
	struct ek_token token = { slot, number };
	struct ek_connection_key6 *of = bpf_map_lookup_elem(&tokens6, &token);
	struct ek_connection *connection;
	union ek_connection_key key;

	if (!of)
		return 0;
	key.six = *of;
	bpf_map_delete_elem(&tokens6, &token);
	connection = ek_connection_find(&key, EK_IPV6);
	if (ek_is_due(connection, &token))
		ek_expire(&key, connection, EK_IPV6);
	return 0;
}

/* Puts `born` in, its counts made, its end provided for. 0, -EEXIST, or why not (-E2BIG: the table is full). */
static __always_inline long ek_connection_insert(union ek_connection_key *key, struct ek_connection *born,
						  const __u32 family)
{
	struct ek_connection *connection;
	long error;

	if (family == EK_IPV4)
		error = bpf_map_update_elem(&connections4, &key->four, born, BPF_NOEXIST);
	else
		error = bpf_map_update_elem(&connections6, &key->six, born, BPF_NOEXIST);
	if (error)
		return error;
	ek_count_entries(1, family);
	if (born->flags & EK_CONNECTION_TEMPLATE)
		ek_template_count(born->server, 1);
	else
		ek_count_connection(born->server, born->state, 1);
	connection = ek_connection_find(key, family);
	if (!connection)
		return -2;
	error = ek_due(key, connection, born->last_ns + ek_timeout_ns(connection, born->state), family);
	ek_wheel_start();
	if (error) {
		/* Without a token it would stay for ever. */
		if (ek_connection_take(connection))
			ek_connection_delete(key, family);
	}
	return error;
}

/* Gives an entry that the caller has taken another server. */
static __always_inline long ek_connection_reuse(const union ek_connection_key *key, struct ek_connection *connection,
						 const struct ek_connection *born, const __u32 family)
{
	connection->last_ns = born->last_ns;
	connection->server = born->server;
	connection->service = born->service;
	connection->flags = born->flags;
	connection->timeout_ms = born->timeout_ms;
	connection->acknowledged_be = born->acknowledged_be;
	connection->control_mark = born->control_mark;
	connection->control_port_be = born->control_port_be;
	connection->control_bits = born->control_bits;
	connection->method = born->method;
	connection->destination_port_be = born->destination_port_be;
	connection->own = born->own;
	ek_count_connection(born->server, born->state, 1);
	__sync_lock_test_and_set(&connection->state, born->state);
	ek_wheel_start();
	/* The wheel may have come to the old token, and passed it over, while the entry was taken. */
	return ek_token_put(key, connection, born->last_ns + ek_timeout_ns(connection, born->state), family);
}

/* What persistence.h asks for. */
static __always_inline void ek_template_born(struct ek_connection *born, __u32 server, __u32 service, __u32 timeout_ms)
{
	__builtin_memset(born, 0, sizeof(*born));
	born->last_ns = bpf_ktime_get_coarse_ns();
	born->state = EK_NONE;
	born->server = server;
	born->service = service;
	born->flags = EK_CONNECTION_TEMPLATE | EK_CONNECTION_UNCOUNTED;
	born->timeout_ms = timeout_ms;
	born->controlled = 1;
}

static __attribute__((noinline)) long ek_template_add4(const struct ek_connection_key4 *key, __u32 server, __u32 service,
							__u32 timeout_ms)
{
	union ek_connection_key copy;
	struct ek_connection born;

	copy.four = *key;
	ek_template_born(&born, server, service, timeout_ms);
	return ek_connection_insert(&copy, &born, EK_IPV4);
}

static __attribute__((noinline)) long ek_template_add6(const struct ek_connection_key6 *key, __u32 server, __u32 service,
							__u32 timeout_ms)
{
	union ek_connection_key copy;
	struct ek_connection born;

	copy.six = *key;
	ek_template_born(&born, server, service, timeout_ms);
	return ek_connection_insert(&copy, &born, EK_IPV6);
}

/* A template becomes assured once a connection of it is established; persistence.h finds it. */
static __attribute__((noinline)) int ek_template_assure(const union ek_connection_key *key,
							 const struct ek_connection *connection, __u32 family);

/* A TCP packet's effect. False: the entry is not usable any more. */
static __always_inline int ek_connection_move(const union ek_connection_key *key, struct ek_connection *connection,
					      __u32 direction, __u32 event, const __u32 family)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		__u32 from = connection->state, to;

		if (from >= EK_TCP_STATES)
			return 0;
		to = ek_next_state(direction, event, from);
		if (to == from)
			return 1;
		if (__sync_val_compare_and_swap(&connection->state, from, to) != from)
			continue;
		ek_count_change(connection->server, from, to);
		ek_due(key, connection, connection->last_ns + ek_timeout_ns(connection, to), family);
		ek_wheel_start();
		if (to == EK_ESTABLISHED && connection->flags & EK_CONNECTION_CONTROLLED)
			ek_template_assure(key, connection, family);
		return 1;
	}
	return 1;
}

#endif
