/*
 * A packet of a client on its way to the real server, and the server's back. What cannot be done here at once (an answer
 * to the sender, a server that is gone) goes to a slow path with the packet's parts in `packets`.
 */
#ifndef EVENKEEL_FORWARD_H
#define EVENKEEL_FORWARD_H

#include "connection.h"
#include "programs.h"
#include "tunnel.h"

#define EK_LEAVE (-1) /* TCX_NEXT, TC_ACT_UNSPEC: the stack goes on with it */
#define EK_DROP 2     /* TC_ACT_SHOT */

/* In skb->tc_index: it was here before. What egress sent on its way passes there once more. */
#define EK_SENT 0x656b

static __always_inline int ek_drop(__u32 reason)
{
	ek_reason(reason);
	return EK_DROP;
}

/* Hands the packet to a slow path. */
static __always_inline int ek_continue(struct __sk_buff *skb, const struct ek_packet *packet, __u32 program)
{
	__u32 zero = 0;
	struct ek_packet *kept = bpf_map_lookup_elem(&packets, &zero);

	if (!kept)
		return EK_DROP;
	kept->source = packet->source;
	kept->destination = packet->destination;
	kept->source_port_be = packet->source_port_be;
	kept->destination_port_be = packet->destination_port_be;
	kept->protocol = packet->protocol;
	kept->family = packet->family;
	kept->tcp_flags = packet->tcp_flags;
	kept->ttl = packet->ttl;
	kept->transport = packet->transport;
	kept->bytes = packet->bytes;
	kept->largest = packet->largest;
	kept->mark = packet->mark;
	kept->acknowledged_be = packet->acknowledged_be;
	kept->sequence_be = packet->sequence_be;
	kept->interface = packet->interface;
	kept->server = packet->server;
	kept->answer = packet->answer;
	kept->answer_mtu = packet->answer_mtu;
	kept->answer_sequence_be = packet->answer_sequence_be;
	kept->outward = packet->outward;
	kept->dont_fragment = packet->dont_fragment;
	bpf_tail_call(skb, &programs, program);
	return ek_drop(EK_REASON_NO_PROGRAM);
}

static __always_inline int ek_answer(struct __sk_buff *skb, struct ek_packet *packet, __u32 answer, __u32 mtu)
{
	packet->answer = answer;
	packet->answer_mtu = mtu;
	return ek_continue(skb, packet, EK_PROGRAM_ANSWER);
}

/* Too big for the way ahead: cut where that is allowed, else answered. */
static __always_inline int ek_too_big(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family, __u32 mtu)
{
	ek_reason(EK_REASON_TOO_BIG);
	packet->answer = EK_ANSWER_TOO_BIG;
	packet->answer_mtu = mtu;
	return ek_continue(skb, packet,
			   family == EK_IPV4 && !packet->dont_fragment ? EK_PROGRAM_SPLIT : EK_PROGRAM_ANSWER);
}

/* A packet for the balancer itself goes in over lo, and to lo's hardware address: it now comes from an address of this
 * machine, which is accepted nowhere else (accept_local). */
static __always_inline int ek_to_own(struct __sk_buff *skb)
{
	__u8 zeros[12] = {};

	if (bpf_skb_store_bytes(skb, 0, zeros, sizeof(zeros), 0))
		return ek_drop(EK_REASON_NO_MEMORY);
	return bpf_redirect(EK_LOOPBACK, BPF_F_INGRESS);
}

/* Bytes that the first fragment has already counted: the headers of a later one. */
static __always_inline __u32 ek_repeated(const struct ek_packet *packet, const __u32 family)
{
	if (packet->transport)
		return 0;
	return family == EK_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr) + 8;
}

/* To the real server, by `method`. `own`: the source that it is to see instead of the packet's, or NULL. */
static __always_inline int ek_to_server(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family, __u32 number,
					const struct ek_server *server, __u32 method, __u16 port_be,
					const struct ek_address *own, __u64 now)
{
	struct ek_route *route = ek_server_route(skb, number, server, now);
	/* What the machine itself sends has made no hop yet. */
	int hop = !packet->outward && packet->interface != EK_LOOPBACK;
	struct ek_counters *counted;
	__u32 room;

	if (!route)
		return EK_DROP;
	if (route->kind == EK_ROUTE_UNREACHABLE)
		return ek_drop(EK_REASON_NO_ROUTE);
	if (route->kind == EK_ROUTE_FORWARD) {
		if (hop && packet->ttl <= 1) {
			ek_reason(EK_REASON_TTL_EXCEEDED);
			return ek_answer(skb, packet, EK_ANSWER_TIME_EXCEEDED, 0);
		}
		/* What this machine sent still has its route over lo, and that, not ours, would be asked for the hardware
		 * address if the packet had to wait for one (neigh_update). Handing it in once more takes the route off. */
		if (route->ask == 2 && packet->interface == EK_LOOPBACK && !packet->outward && skb->tc_index != EK_SENT) {
			skb->tc_index = EK_SENT;
			return bpf_redirect(EK_LOOPBACK, BPF_F_INGRESS);
		}
		room = route->mtu;
		if (method == EK_TUN)
			room -= ek_tunnel_overhead(server->family);
		if (packet->bytes > room && packet->largest > room)
			return ek_too_big(skb, packet, family, room);
	} else {
		hop = 0;
	}
	if (server->flags & EK_SERVER_LIVE && (counted = ek_counters(number))) {
		counted->packets_in += !!packet->transport;
		counted->bytes_in += packet->bytes - ek_repeated(packet, family);
	}
	if (method == EK_NAT) {
		/* A packet from outside to 127/8 would be taken for the machine's own (ip_vs_nat_xmit). */
		if (route->kind == EK_ROUTE_LOCAL && packet->interface != EK_LOOPBACK &&
		    (family == EK_IPV4 ? (server->address.word_be[0] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000)
				       : !server->address.word_be[0] && !server->address.word_be[1] &&
						 !server->address.word_be[2]))
			return ek_drop(EK_REASON_LOOPBACK_TARGET);
		if (!ek_rewrite(skb, packet, family, EK_DESTINATION, &server->address, port_be, hop))
			return ek_drop(EK_REASON_NO_MEMORY);
		return route->kind == EK_ROUTE_LOCAL ? EK_LEAVE : ek_send(skb, route);
	}
	if (route->kind == EK_ROUTE_LOCAL)
		return EK_LEAVE;
	if (own && !ek_rewrite(skb, packet, family, EK_SOURCE, own, packet->source_port_be, 0))
		return ek_drop(EK_REASON_NO_MEMORY);
	if (hop && !ek_decrement_ttl(skb, family, packet->ttl))
		return ek_drop(EK_REASON_NO_MEMORY);
	if (method == EK_TUN) {
		if (server->tunnel != EK_IPIP)
			return ek_drop(EK_REASON_TUNNEL_FAILED);
		if (server->family == EK_IPV4 ? !ek_tunnel4(skb, packet, family, route, &server->address)
					      : !ek_tunnel6(skb, packet, family, route, &server->address))
			return ek_drop(EK_REASON_TUNNEL_FAILED);
	}
	return ek_send(skb, route);
}

/* A client's packet of a connection. */
static __always_inline int ek_from_client(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family,
					  const union ek_connection_key *key, struct ek_connection *connection, __u64 now)
{
	__u32 number = connection->server, state = connection->state, event;
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);

	/* Being deleted or given another server this very moment; the sender will repeat it. */
	if (!server || state == EK_EXPIRED)
		return EK_DROP;
	if (server->flags & EK_SERVER_GONE)
		return ek_continue(skb, packet, EK_PROGRAM_RENEW);
	if (connection->last_ns != now)
		connection->last_ns = now;
	if (packet->protocol == IPPROTO_TCP && packet->transport) {
		event = ek_event(packet->tcp_flags);
		if (event != EK_EVENT_ACK || state != EK_ESTABLISHED) {
			if (event == EK_EVENT_SYN && ek_is_closing(state) && !(connection->flags & EK_CONNECTION_CONTROLLED))
				return ek_continue(skb, packet, EK_PROGRAM_RENEW);
			ek_connection_move(key, connection,
					   connection->flags & EK_CONNECTION_NO_OUTPUT ? EK_INPUT_ONLY : EK_INPUT, event,
					   family);
		}
		connection->acknowledged_be = packet->acknowledged_be;
	}
	return ek_to_server(skb, packet, family, number, server, connection->method, connection->destination_port_be,
			    connection->flags & EK_CONNECTION_OWN && connection->method != EK_NAT ? &connection->own : NULL,
			    now);
}

/* The connection behind a reply: its state, seldom needed. */
static __attribute__((noinline)) int ek_reply_settle(struct ek_reply *reply, __u32 family, __u32 protocol, __u32 event,
						      __u32 client_port_be)
{
	struct ek_connection *connection;
	union ek_connection_key key;

	if (family == EK_IPV4) {
		__builtin_memset(&key.four, 0, sizeof(key.four));
		key.four.client_be = reply->client.word_be[0];
		key.four.virtual_be = reply->virtual.word_be[0];
		key.four.client_port_be = client_port_be;
		key.four.virtual_port_be = reply->virtual_port_be;
		key.four.protocol = protocol;
		connection = ek_connection_find(&key, EK_IPV4);
	} else {
		__builtin_memset(&key.six, 0, sizeof(key.six));
		key.six.client = reply->client;
		key.six.virtual = reply->virtual;
		key.six.client_port_be = client_port_be;
		key.six.virtual_port_be = reply->virtual_port_be;
		key.six.protocol = protocol;
		connection = ek_connection_find(&key, EK_IPV6);
	}
	if (!connection)
		return 0;
	if (protocol == IPPROTO_UDP) {
		/* ip_vs_out: a template of UDP is assured once the server answered. */
		if (connection->flags & EK_CONNECTION_CONTROLLED)
			ek_template_assure(&key, connection, family);
		reply->flags |= EK_REPLY_SETTLED;
		return 0;
	}
	ek_connection_move(&key, connection, EK_OUTPUT, event, family);
	/* From these states on the server's plain ACKs change nothing. */
	if (connection->state != EK_SYN_RECV && connection->state != EK_NONE && connection->state != EK_LISTEN &&
	    connection->state != EK_SYNACK)
		reply->flags |= EK_REPLY_SETTLED;
	else
		reply->flags &= ~EK_REPLY_SETTLED;
	return 0;
}

/*
 * What a server of DR or TUN answers may pass here too, on its way to the client: it then counts for the connection's state
 * (ip_vs_conn_out_get, set_tcp_state). Only for packets that may change one, and they are not counted.
 */
static __attribute__((noinline)) int ek_overhear(const struct ek_packet *packet, __u32 family)
{
	struct ek_connection *connection;
	union ek_connection_key key;

	if (family == EK_IPV4) {
		__builtin_memset(&key.four, 0, sizeof(key.four));
		key.four.client_be = packet->destination.word_be[0];
		key.four.virtual_be = packet->source.word_be[0];
		key.four.client_port_be = packet->destination_port_be;
		key.four.virtual_port_be = packet->source_port_be;
		key.four.protocol = IPPROTO_TCP;
		connection = ek_connection_find(&key, EK_IPV4);
	} else {
		__builtin_memset(&key.six, 0, sizeof(key.six));
		key.six.client = packet->destination;
		key.six.virtual = packet->source;
		key.six.client_port_be = packet->destination_port_be;
		key.six.virtual_port_be = packet->source_port_be;
		key.six.protocol = IPPROTO_TCP;
		connection = ek_connection_find(&key, EK_IPV6);
	}
	if (!connection || connection->method == EK_NAT)
		return 0;
	/* Whoever has taken the entry may be changing its other flags. */
	__sync_fetch_and_and(&connection->flags, ~EK_CONNECTION_NO_OUTPUT);
	ek_connection_move(&key, connection, EK_OUTPUT, ek_event(packet->tcp_flags), family);
	return 0;
}

/* A server's packet of a connection: gets the virtual address back and goes to the client. */
static __always_inline int ek_from_server(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family,
					  struct ek_reply *reply, __u64 now)
{
	struct ek_route *route = &reply->route;
	__u32 number = reply->server;
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);
	struct ek_counters *counted;
	int hop = 1;

	if (!server)
		return EK_DROP;
	if (reply->last_ns != now)
		reply->last_ns = now;
	if (!(reply->flags & EK_REPLY_SETTLED) ||
	    (packet->protocol == IPPROTO_TCP && ek_event(packet->tcp_flags) != EK_EVENT_ACK))
		ek_reply_settle(reply, family, packet->protocol, ek_event(packet->tcp_flags), packet->destination_port_be);
	/* On the way out, or over lo, the stack routes it. */
	if (packet->outward || packet->interface == EK_LOOPBACK || reply->flags & EK_REPLY_OWN) {
		hop = 0;
	} else {
		if (ek_route_is_old(route, now))
			ek_renew_route(skb, route, &reply->client, family);
		if (route->kind == EK_ROUTE_FORWARD) {
			if (packet->ttl <= 1) {
				ek_reason(EK_REASON_TTL_EXCEEDED);
				return ek_answer(skb, packet, EK_ANSWER_TIME_EXCEEDED, 0);
			}
			if (packet->bytes > route->mtu && packet->largest > route->mtu)
				return ek_too_big(skb, packet, family, route->mtu);
		} else if (route->kind == EK_ROUTE_UNREACHABLE) {
			return ek_drop(EK_REASON_NO_ROUTE);
		} else {
			hop = 0;
		}
	}
	if (server->flags & EK_SERVER_LIVE && (counted = ek_counters(number))) {
		counted->packets_out += !!packet->transport;
		counted->bytes_out += packet->bytes - ek_repeated(packet, family);
	}
	if (!(reply->flags & EK_REPLY_OWN)) {
		if (!ek_rewrite(skb, packet, family, EK_SOURCE, &reply->virtual, reply->virtual_port_be, hop))
			return ek_drop(EK_REASON_NO_MEMORY);
		return hop ? ek_send(skb, route) : EK_LEAVE;
	}
	/* The balancer's own: NAT changed the server's side, DR and TUN the client's. */
	if (ek_same_address(&reply->virtual, &packet->source)) {
		if (!ek_rewrite(skb, packet, family, EK_DESTINATION, &reply->client, packet->destination_port_be, 0))
			return ek_drop(EK_REASON_NO_MEMORY);
	} else if (!ek_rewrite(skb, packet, family, EK_SOURCE, &reply->virtual, reply->virtual_port_be, 0)) {
		return ek_drop(EK_REASON_NO_MEMORY);
	}
	if (packet->interface == EK_LOOPBACK || packet->outward)
		return EK_LEAVE;
	return ek_to_own(skb);
}

#endif
