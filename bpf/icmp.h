/*
 * ICMP errors that quote a packet of a connection go where that packet came from (ip_vs_in_icmp, handle_response_icmp;
 * RFC 5508 §4): from a client's side to the real server whose answer they quote, from a server's side to the client, with NAT
 * undone or done in the quoted headers too. Other ICMP is the stack's.
 *
 * Not done: errors about our own tunnel packets, which quote the outer header.
 */
#ifndef EVENKEEL_ICMP_H
#define EVENKEEL_ICMP_H

#include "birth.h"

/* Where things lie in the frame, and who the quoted packet was from and to. */
struct ek_quoted {
	struct ek_address source;
	struct ek_address destination;
	__u16 source_port_be;
	__u16 destination_port_be;
	__u32 protocol;
	__u32 header;    /* of the quoted IP header */
	__u32 transport; /* of the quoted transport header */
};

/* ip_vs_core.c: unreachable, source quench, time exceeded; of ICMPv6 all errors. */
static __always_inline int ek_is_icmp_error(__u8 type, const __u32 family)
{
	return family == EK_IPV4 ? type == 3 || type == 4 || type == 11 : type < 128;
}

static __always_inline int ek_read_quoted(struct __sk_buff *skb, __u32 icmp, struct ek_quoted *quoted, const __u32 family)
{
	__u16 ports[2];
	__u8 type;

	__builtin_memset(quoted, 0, sizeof(*quoted));
	if (bpf_skb_load_bytes(skb, icmp, &type, 1) || !ek_is_icmp_error(type, family))
		return 0;
	quoted->header = icmp + 8;
	if (family == EK_IPV4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, quoted->header, &ip, sizeof(ip)) || ip.frag_off & bpf_htons(0x1fff))
			return 0;
		quoted->source.word_be[0] = ip.saddr;
		quoted->destination.word_be[0] = ip.daddr;
		quoted->protocol = ip.protocol;
		quoted->transport = quoted->header + ip.ihl * 4;
	} else {
		__u8 next;

		if (bpf_skb_load_bytes(skb, quoted->header + offsetof(struct ipv6hdr, nexthdr), &next, 1) ||
		    bpf_skb_load_bytes(skb, quoted->header + offsetof(struct ipv6hdr, saddr), &quoted->source, 32))
			return 0;
		quoted->protocol = next;
		quoted->transport = quoted->header + sizeof(struct ipv6hdr);
	}
	if (quoted->protocol != IPPROTO_TCP && quoted->protocol != IPPROTO_UDP)
		return 0;
	if (bpf_skb_load_bytes(skb, quoted->transport, ports, sizeof(ports)))
		return 0;
	quoted->source_port_be = ports[0];
	quoted->destination_port_be = ports[1];
	return 1;
}

/*
 * Writes `address` on `side` of the outer header and on the other side of the quoted one, with `port_be` there. In IPv4
 * the quoted header's own checksum makes up for its address, so ICMP's checksum feels the port alone.
 */
static __attribute__((noinline)) int ek_relay_rewrite4(struct __sk_buff *skb, const struct ek_quoted *quoted,
							const struct ek_address *address, __u32 port_be, enum ek_side side)
{
	__u32 icmp_check = quoted->header - 8 + 2, address_at, port_at, old, new = address->word_be[0];
	__u16 old_port, port = port_be;

	if (side == EK_DESTINATION) {
		address_at = quoted->header + offsetof(struct iphdr, saddr);
		port_at = quoted->transport;
		old = quoted->source.word_be[0];
		old_port = quoted->source_port_be;
	} else {
		address_at = quoted->header + offsetof(struct iphdr, daddr);
		port_at = quoted->transport + 2;
		old = quoted->destination.word_be[0];
		old_port = quoted->destination_port_be;
	}
	if (bpf_l3_csum_replace(skb, quoted->header + offsetof(struct iphdr, check), old, new, 4) ||
	    bpf_skb_store_bytes(skb, address_at, &new, 4, 0) ||
	    bpf_l4_csum_replace(skb, icmp_check, old_port, port, 2) || bpf_skb_store_bytes(skb, port_at, &port, 2, 0))
		return 0;
	return ek_readdress4(skb, side, new, 1);
}

/* ICMPv6's checksum covers both addresses: the outer one by its pseudo header, the quoted one as payload. */
static __attribute__((noinline)) int ek_relay_rewrite6(struct __sk_buff *skb, const struct ek_quoted *quoted,
							const struct ek_address *address, __u32 port_be, enum ek_side side)
{
	__u32 icmp_check = quoted->header - 8 + 2, outer_at = ETH_HLEN, quoted_at = quoted->header, port_at = quoted->transport;
	__u16 old_port, port = port_be;

	if (side == EK_DESTINATION) {
		outer_at += offsetof(struct ipv6hdr, daddr);
		quoted_at += offsetof(struct ipv6hdr, saddr);
		old_port = quoted->source_port_be;
	} else {
		outer_at += offsetof(struct ipv6hdr, saddr);
		quoted_at += offsetof(struct ipv6hdr, daddr);
		old_port = quoted->destination_port_be;
		port_at += 2;
	}
	if (!ek_rewrite6(skb, outer_at, icmp_check, 0, address) || !ek_rewrite6(skb, quoted_at, icmp_check, 0, address))
		return 0;
	return !bpf_l4_csum_replace(skb, icmp_check, old_port, port, 2) && !bpf_skb_store_bytes(skb, port_at, &port, 2, 0);
}

static __always_inline int ek_relay_rewrite(struct __sk_buff *skb, const struct ek_quoted *quoted,
					    const struct ek_address *address, __u16 port_be, enum ek_side side, __u8 ttl,
					    const __u32 family)
{
	if (family == EK_IPV4)
		return ek_relay_rewrite4(skb, quoted, address, port_be, side);
	return ek_relay_rewrite6(skb, quoted, address, port_be, side) && ek_decrement_ttl(skb, EK_IPV6, ttl);
}

static __always_inline int ek_relay_to_server(struct __sk_buff *skb, struct ek_packet *packet,
					      const struct ek_quoted *quoted, struct ek_connection *connection, __u64 now,
					      const __u32 family)
{
	__u32 number = connection->server;
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);
	struct ek_route *route;

	if (!server || server->flags & EK_SERVER_GONE || connection->state == EK_EXPIRED)
		return EK_DROP;
	ek_reason(EK_REASON_ICMP_RELAYED);
	if (connection->method != EK_NAT)
		return ek_to_server(skb, packet, family, number, server, connection->method, 0, NULL, now);
	route = ek_server_route(skb, number, server, now);
	if (!route || route->kind == EK_ROUTE_UNREACHABLE)
		return ek_drop(EK_REASON_NO_ROUTE);
	if (!ek_relay_rewrite(skb, quoted, &server->address, connection->destination_port_be, EK_DESTINATION, packet->ttl,
			      family))
		return ek_drop(EK_REASON_NO_MEMORY);
	return route->kind == EK_ROUTE_LOCAL ? EK_LEAVE : ek_send(skb, route);
}

static __always_inline int ek_relay_to_client(struct __sk_buff *skb, struct ek_packet *packet,
					      const struct ek_quoted *quoted, struct ek_reply *reply, __u64 now,
					      const __u32 family)
{
	struct ek_route *route = &reply->route;

	/* The balancer's own connections: the stack learns nothing, and finds out by itself. */
	if (reply->flags & EK_REPLY_OWN)
		return EK_LEAVE;
	if (ek_route_is_old(route, now))
		ek_renew_route(skb, route, &reply->client, family);
	if (route->kind == EK_ROUTE_UNREACHABLE)
		return ek_drop(EK_REASON_NO_ROUTE);
	ek_reason(EK_REASON_ICMP_RELAYED);
	if (!ek_relay_rewrite(skb, quoted, &reply->virtual, reply->virtual_port_be, EK_SOURCE, packet->ttl, family))
		return ek_drop(EK_REASON_NO_MEMORY);
	return route->kind == EK_ROUTE_LOCAL ? EK_LEAVE : ek_send(skb, route);
}

/* EK_PROGRAM_ICMP, of one family. */
static __always_inline int ek_relay(struct __sk_buff *skb, const __u32 family)
{
	struct ek_packet *packet = ek_packet();
	struct ek_connection *connection;
	union ek_connection_key key;
	union ek_reply_key reply_key;
	struct ek_quoted quoted;
	struct ek_reply *reply;
	__u32 fragment;
	__u64 now = bpf_ktime_get_coarse_ns();

	if (!packet ||
	    !(family == EK_IPV4 ? ek_parse_ip4(skb, packet, &fragment) : ek_parse_ip6(skb, packet, &fragment)) || fragment)
		return EK_LEAVE;
	packet->interface = skb->ifindex;
	packet->largest = packet->bytes;
	packet->outward = 0;
	if (packet->ttl <= 1 || !ek_read_quoted(skb, packet->transport, &quoted, family))
		return EK_LEAVE;
	/* An error about what a server sent: the quoted packet went from the virtual address to the client. */
	packet->protocol = quoted.protocol;
	packet->source_port_be = quoted.destination_port_be;
	packet->destination_port_be = quoted.source_port_be;
	if (family == EK_IPV4) {
		key.four = (struct ek_connection_key4){ quoted.destination.word_be[0], quoted.source.word_be[0],
							quoted.destination_port_be, quoted.source_port_be,
							quoted.protocol, {} };
		reply_key.four = (struct ek_reply_key4){ quoted.destination.word_be[0], quoted.source.word_be[0],
							 quoted.destination_port_be, quoted.source_port_be,
							 quoted.protocol, {} };
	} else {
		key.six = (struct ek_connection_key6){ quoted.destination, quoted.source, quoted.destination_port_be,
						       quoted.source_port_be, quoted.protocol, {} };
		reply_key.six = (struct ek_reply_key6){ quoted.destination, quoted.source, quoted.destination_port_be,
							quoted.source_port_be, quoted.protocol, {} };
	}
	connection = ek_connection_find(&key, family);
	if (connection)
		return ek_relay_to_server(skb, packet, &quoted, connection, now, family);
	/* About what a client sent: the quoted packet went from the client to the server. */
	reply = ek_reply_find(&reply_key, family);
	return reply ? ek_relay_to_client(skb, packet, &quoted, reply, now, family) : EK_LEAVE;
}

#endif
