/*
 * A new connection: its server is chosen (persistence.h), it is put in the table, and the packet starts again from the top,
 * where it now finds it. Choice and birth are programs of their own, for the sake of the stack. Also what becomes of connections whose server is gone.
 */
#ifndef EVENKEEL_BIRTH_H
#define EVENKEEL_BIRTH_H

#include "forward.h"
#include "persistence.h"
#include "service.h"

#define EK_HALF_OPEN_SHORT_MS 3000
#define EK_E2BIG 7

static __always_inline struct ek_packet *ek_packet(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&packets, &zero);
}

static __always_inline struct ek_settings *ek_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/* Half-open entries must not crowd out living ones: beyond a limit they get little time, beyond another none are made. */
static __always_inline int ek_guard(struct ek_connection *born)
{
	struct ek_settings *set = ek_settings();
	struct ek_totals *all = ek_totals();

	if (!set || !all || born->state != EK_SYN_RECV)
		return 1;
	if (set->half_open_refuse && all->half_open >= set->half_open_refuse) {
		ek_reason(EK_REASON_FLOOD_REFUSED);
		return 0;
	}
	if (set->half_open_short && all->half_open >= set->half_open_short) {
		ek_reason(EK_REASON_FLOOD_SHORT);
		born->timeout_ms = EK_HALF_OPEN_SHORT_MS;
	}
	return 1;
}

/* Does the packet come from this machine? Only asked of what arrived on lo, where marked packets of others pass too. */
static __always_inline int ek_is_own(struct __sk_buff *skb, const struct ek_packet *packet)
{
	struct bpf_fib_lookup ask;

	if (packet->interface != EK_LOOPBACK || packet->outward)
		return 0;
	ek_ask_route(&ask, &packet->source, packet->family);
	return bpf_fib_lookup(skb, &ask, sizeof(ask), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* An address of this machine that is not the virtual one: the route's, or of the other family that of its interface. */
static __always_inline void ek_own_source(struct ek_address *own, const struct ek_route *route, __u32 route_family,
					  __u32 family)
{
	__u32 number = route->interface;
	struct ek_interface *interface;

	if (family == route_family) {
		*own = route->source;
		return;
	}
	interface = bpf_map_lookup_elem(&interfaces, &number);
	if (interface)
		*own = family == EK_IPV4 ? interface->source4 : interface->source6;
}

static __always_inline int ek_birth(struct __sk_buff *skb, struct ek_packet *packet, const struct ek_server *server,
				    struct ek_connection *born)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct ek_route *route;

	__builtin_memset(born, 0, sizeof(*born));
	born->last_ns = now;
	born->server = packet->server;
	born->service = packet->service.number;
	born->flags = packet->flags;
	born->control_mark = packet->control_mark;
	born->control_port_be = packet->control_port_be;
	born->control_bits = packet->control_bits;
	born->method = server->method;
	born->acknowledged_be = packet->acknowledged_be;
	/* ip_vs_sched_persist: a template for every port leaves the port alone. */
	if (server->method != EK_NAT || !server->port_be ||
	    (packet->flags & EK_CONNECTION_CONTROLLED && !packet->control_port_be))
		born->destination_port_be = packet->destination_port_be;
	else
		born->destination_port_be = server->port_be;
	if (server->method == EK_NAT)
		born->flags |= EK_CONNECTION_REPLY;
	else
		born->flags |= EK_CONNECTION_NO_OUTPUT;
	born->state = packet->protocol == IPPROTO_TCP
			      ? ek_next_state(server->method == EK_NAT ? EK_INPUT : EK_INPUT_ONLY,
					      ek_event(packet->tcp_flags), EK_NONE)
			      : EK_UDP;
	if (!ek_is_own(skb, packet))
		return 1;
	route = ek_server_route(skb, packet->server, server, now);
	if (!route)
		return 0;
	if (server->method == EK_NAT) {
		born->flags |= EK_CONNECTION_OWN;
		born->own = packet->source;
	} else if (route->kind == EK_ROUTE_FORWARD) {
		/* The server has the virtual address itself, so it cannot answer to it. */
		born->flags |= EK_CONNECTION_OWN | EK_CONNECTION_REPLY;
		born->own = packet->source;
		if (ek_same_address(&packet->source, &packet->destination))
			ek_own_source(&born->own, route, server->family, packet->family);
	}
	return 1;
}

static __always_inline long ek_reply_insert(const union ek_connection_key *of, const struct ek_packet *packet,
					    const struct ek_server *server, const struct ek_connection *born,
					    const __u32 family)
{
	struct ek_reply reply = {};
	union ek_reply_key key;

	if (!(born->flags & EK_CONNECTION_REPLY))
		return 0;
	reply.last_ns = born->last_ns;
	reply.client = packet->source;
	reply.virtual = packet->destination;
	reply.virtual_port_be = packet->destination_port_be;
	reply.server = born->server;
	if (born->flags & EK_CONNECTION_OWN)
		reply.flags = EK_REPLY_OWN;
	ek_reply_key(&key, of, born, server, family);
	/* The same client port to the same server through another virtual address: the newer one gets the answers. */
	if (family == EK_IPV4)
		return bpf_map_update_elem(&replies4, &key.four, &reply, BPF_ANY);
	return bpf_map_update_elem(&replies6, &key.six, &reply, BPF_ANY);
}

static __always_inline int ek_refuse(long error)
{
	return ek_drop(error == -EK_E2BIG ? EK_REASON_TABLE_FULL : EK_REASON_NO_MEMORY);
}

/* Gives back what the choice holds, as no connection came of it. */
static __attribute__((noinline)) int ek_choice_undo(const union ek_connection_key *key, struct ek_connection *born,
						     __u32 family)
{
	if (born->flags & EK_CONNECTION_CONTROLLED)
		ek_template_let_go(key, born, family);
	return 0;
}

/* The connection of one packet has ended before its packet leaves. */
static __always_inline void ek_let_go_at_once(const struct ek_packet *packet, struct ek_connection *born)
{
	union ek_connection_key key;

	if (packet->family == EK_IPV4)
		ek_connection_key(&key, packet, EK_IPV4);
	else
		ek_connection_key(&key, packet, EK_IPV6);
	ek_choice_undo(&key, born, packet->family);
}

/* 0: in the table, by us or by another processor. Else the verdict. */
static __always_inline int ek_settle(struct ek_packet *packet, const struct ek_server *server,
				     struct ek_connection *born, const __u32 family)
{
	struct ek_connection *connection;
	struct ek_counters *counted;
	union ek_connection_key key;
	__u32 number;
	long error;

	ek_connection_key(&key, packet, family);
	connection = ek_connection_find(&key, family);
	if (connection) {
		__u32 state = connection->state;
		struct ek_server *before;

		number = connection->server;
		before = bpf_map_lookup_elem(&servers, &number);
		if (before && !(before->flags & EK_SERVER_GONE) &&
		    !(ek_is_closing(state) && ek_event(packet->tcp_flags) == EK_EVENT_SYN)) {
			ek_choice_undo(&key, born, family);
			return state == EK_EXPIRED ? EK_DROP : 0;
		}
		if (!ek_connection_take(connection)) {
			ek_choice_undo(&key, born, family);
			return EK_DROP;
		}
		ek_connection_unbind(&key, connection, family);
		/* Without another token it keeps the one that it has. */
		ek_connection_reuse(&key, connection, born, family);
		error = 0;
	} else {
		if (!ek_guard(born)) {
			ek_choice_undo(&key, born, family);
			return EK_DROP;
		}
		error = ek_connection_insert(&key, born, family);
		if (error == -EK_EEXIST) {
			ek_choice_undo(&key, born, family);
			return 0;
		}
	}
	if (error) {
		ek_choice_undo(&key, born, family);
		return ek_refuse(error);
	}
	error = ek_reply_insert(&key, packet, server, born, family);
	if (error) {
		connection = ek_connection_find(&key, family);
		if (connection && ek_connection_take(connection)) {
			ek_connection_unbind(&key, connection, family);
			ek_token_drop(connection, family);
			ek_connection_delete(&key, family);
		}
		return ek_refuse(error);
	}
	if (server->flags & EK_SERVER_LIVE && (counted = ek_counters(born->server)))
		counted->connections++;
	return 0;
}

/* The programs of the schedulers. */
static __always_inline int ek_choose_server(struct __sk_buff *skb, const __u32 scheduler)
{
	struct ek_packet *packet = ek_packet();
	struct ek_choice choice = {};

	if (!packet)
		return EK_DROP;
	ek_schedule(&packet->service, packet, scheduler, &choice);
	packet->server = choice.server;
	packet->flags = choice.flags;
	packet->control_mark = choice.control_mark;
	packet->control_port_be = choice.control_port_be;
	packet->control_bits = choice.control_bits;
	bpf_tail_call(skb, &programs, EK_PROGRAM_BIRTH);
	return ek_drop(EK_REASON_NO_PROGRAM);
}

/* EK_PROGRAM_BIRTH. */
static __always_inline int ek_begin(struct __sk_buff *skb, struct ek_packet *packet)
{
	__u32 number = packet->server;
	struct ek_service_state *state;
	struct ek_counters *counted;
	struct ek_connection born;
	struct ek_server *server;
	int verdict;

	if (number == EK_NO_SERVER || !(server = bpf_map_lookup_elem(&servers, &number))) {
		number = packet->service.number;
		state = bpf_map_lookup_elem(&service_states, &number);
		if (state)
			__sync_fetch_and_add(&state->no_destination, 1);
		ek_reason(EK_REASON_NO_SERVER);
		packet->answer = EK_ANSWER_PORT_UNREACHABLE;
		bpf_tail_call(skb, &programs, EK_PROGRAM_ANSWER);
		return ek_drop(EK_REASON_NO_PROGRAM);
	}
	if (!ek_birth(skb, packet, server, &born))
		return EK_DROP;
	if (packet->service.flags & EK_SERVICE_ONE_PACKET && packet->protocol == IPPROTO_UDP) {
		ek_let_go_at_once(packet, &born);
		if (server->flags & EK_SERVER_LIVE && (counted = ek_counters(number)))
			counted->connections++;
		bpf_tail_call(skb, &programs, EK_PROGRAM_FORWARD);
		return ek_drop(EK_REASON_NO_PROGRAM);
	}
	verdict = packet->family == EK_IPV4 ? ek_settle(packet, server, &born, EK_IPV4)
					    : ek_settle(packet, server, &born, EK_IPV6);
	if (verdict)
		return verdict;
	if (packet->outward)
		bpf_tail_call(skb, &programs, EK_PROGRAM_EGRESS);
	else
		bpf_tail_call(skb, &programs, EK_PROGRAM_INGRESS);
	return ek_drop(EK_REASON_NO_PROGRAM);
}

/* Takes the entry out of the table. */
static __attribute__((noinline)) int ek_bury(struct ek_packet *packet)
{
	struct ek_connection *connection;
	union ek_connection_key key;

	if (packet->family == EK_IPV4) {
		ek_connection_key(&key, packet, EK_IPV4);
		connection = ek_connection_find(&key, EK_IPV4);
		if (connection && ek_connection_take(connection)) {
			ek_connection_unbind(&key, connection, EK_IPV4);
			ek_token_drop(connection, EK_IPV4);
			ek_connection_delete(&key, EK_IPV4);
		}
	} else {
		ek_connection_key(&key, packet, EK_IPV6);
		connection = ek_connection_find(&key, EK_IPV6);
		if (connection && ek_connection_take(connection)) {
			ek_connection_unbind(&key, connection, EK_IPV6);
			ek_token_drop(connection, EK_IPV6);
			ek_connection_delete(&key, EK_IPV6);
		}
	}
	return 0;
}

/* EK_PROGRAM_RENEW. */
static __always_inline int ek_renew(struct __sk_buff *skb)
{
	struct ek_packet *packet = ek_packet();
	struct ek_settings *set = ek_settings();
	struct ek_connection *connection;
	struct ek_service_key service_key;
	union ek_connection_key key;
	struct ek_service *service;
	struct ek_server *server;
	__u32 number, gone;
	int begins;

	if (!packet || !set)
		return EK_DROP;
	if (packet->family == EK_IPV4) {
		ek_connection_key(&key, packet, EK_IPV4);
		connection = ek_connection_find(&key, EK_IPV4);
	} else {
		ek_connection_key(&key, packet, EK_IPV6);
		connection = ek_connection_find(&key, EK_IPV6);
	}
	if (!connection)
		return EK_DROP;
	number = connection->server;
	server = bpf_map_lookup_elem(&servers, &number);
	if (!server)
		return EK_DROP;
	gone = server->flags & EK_SERVER_GONE;
	begins = ek_may_begin(packet);
	if (gone && server->on_server_down == EK_KEEP)
		return ek_drop(EK_REASON_GONE_DROPPED);
	if (gone && !begins && server->on_server_down == EK_RESET) {
		ek_bury(packet);
		/* A reset is not answered (RFC 9293 §3.5.2), nor what acknowledges nothing. */
		if ((packet->tcp_flags & (EK_RST | EK_ACK)) != EK_ACK)
			return ek_drop(EK_REASON_GONE_DROPPED);
		ek_reason(EK_REASON_GONE_RESET);
		packet->answer = EK_ANSWER_RESET;
		packet->answer_sequence_be = packet->acknowledged_be;
		bpf_tail_call(skb, &programs, EK_PROGRAM_ANSWER);
		return ek_drop(EK_REASON_NO_PROGRAM);
	}
	service = ek_service_find(packet, set->features, &service_key);
	if (!service) {
		ek_bury(packet);
		return EK_LEAVE;
	}
	ek_reason(gone ? EK_REASON_GONE_MOVED : EK_REASON_RESCHEDULED);
	ek_service_keep(packet, service, &service_key);
	bpf_tail_call(skb, &programs, service->scheduler);
	return ek_drop(EK_REASON_NO_PROGRAM);
}

#endif
