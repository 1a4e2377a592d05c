/*
 * ICMP errors (RFC 792, RFC 4443) follow the connection of the packet that they quote (ip_vs_in_icmp, ip_vs_out_icmp): those
 * about what a server sent go to that server, those about what was forwarded to it go to the client, with what NAT has
 * changed changed back in the quotation too. The quoted transport checksum is left as it is: nobody can check it, as the
 * quotation is cut. Errors about our own tunnels are in tunnel-error.h; all else is the stack's, echo requests among it.
 */
#ifndef EVENKEEL_ICMP_H
#define EVENKEEL_ICMP_H

#include "answer.h"
#include "fragment.h"

#define ICMP_SOURCE_QUENCH 4
#define ICMPV6_INFORMATIONAL 128 /* RFC 4443 §2.1: errors are below */

/* l4.md §1.5: IPVS relates these. */
static __always_inline int ek_is_error(__u8 type, const __u32 family)
{
	if (family == EK_IPV4)
		return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_TIME_EXCEEDED;
	return type < ICMPV6_INFORMATIONAL;
}

/*
 * The packet quoted at `offset`, of which no byte beyond `packet->bytes` is believed: its addresses and, if it has any, its
 * ports go where those of the quoting packet were. Offset of its transport header; 0: not to be understood.
 */
static __attribute__((noinline)) __u32 ek_quoted(struct __sk_buff *skb, struct ek_packet *packet, __u32 offset, __u32 family)
{
	__u32 end = ETH_HLEN + packet->bytes;
	__u16 ports[2];

	if (family == EK_IPV4) {
		struct iphdr ip;

		if (offset + sizeof(ip) > end || bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)))
			return 0;
		/* Only the first fragment has a transport header. */
		if (ip.version != 4 || ip.ihl < 5 || ip.frag_off & bpf_htons(EK_OFFSET_MASK))
			return 0;
		packet->source = (struct ek_address){ { ip.saddr } };
		packet->destination = (struct ek_address){ { ip.daddr } };
		packet->protocol = ip.protocol;
		packet->dont_fragment = !!(ip.frag_off & bpf_htons(0x4000));
		offset += ip.ihl * 4;
	} else {
		struct ipv6hdr ip;

		if (offset + sizeof(ip) > end || bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 6)
			return 0;
		__builtin_memcpy(&packet->source, &ip.saddr, 16);
		__builtin_memcpy(&packet->destination, &ip.daddr, 16);
		packet->protocol = ip.nexthdr;
		packet->dont_fragment = 1;
		offset += sizeof(ip);
		if (packet->protocol == IPPROTO_FRAGMENT) {
			struct ek_fragment_header fragment;

			if (offset + sizeof(fragment) > end || bpf_skb_load_bytes(skb, offset, &fragment, sizeof(fragment)) ||
			    fragment.offset_be & bpf_htons(0xfff8))
				return 0;
			packet->protocol = fragment.next;
			offset += sizeof(fragment);
		}
	}
	if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP) {
		if (offset + sizeof(ports) > end || bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)))
			return 0;
		/* Among the connections, port 0 marks the templates of persistence. */
		if (!ports[0] || !ports[1])
			return 0;
		packet->source_port_be = ports[0];
		packet->destination_port_be = ports[1];
	}
	return offset;
}

/* What NAT has to change in an error. Offsets from the start of the frame. */
struct ek_translation {
	__u32 icmp;
	__u32 quoted;
	__u32 ports;
	__u32 inner_side; /* enum ek_side: of the quoted packet; of the quoting one it is the other */
	__u16 port_be;
	__u16 pad;
};

/* Of the quoted IPv4 header, from the TTL on. */
struct ek_ip4_tail {
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__u32 source;
	__u32 destination;
};

static __always_inline int ek_requote4(struct __sk_buff *skb, __u32 header, __u32 side, __u32 address_be)
{
	__u32 offset = header + offsetof(struct iphdr, ttl);
	struct ek_ip4_tail tail;
	__u32 sum;

	if (bpf_skb_load_bytes(skb, offset, &tail, sizeof(tail)))
		return 0;
	sum = ek_replace_word((__u16)~tail.check, side == EK_SOURCE ? tail.source : tail.destination, address_be);
	tail.check = ~ek_fold_sum(sum);
	if (side == EK_SOURCE)
		tail.source = address_be;
	else
		tail.destination = address_be;
	return !bpf_skb_store_bytes(skb, offset, &tail, sizeof(tail), 0);
}

/* `sum` grows by what the new address adds. */
static __always_inline int ek_readdress6(struct __sk_buff *skb, __u32 header, __u32 side, const struct ek_address *address,
					 __u32 *sum)
{
	__u32 offset = header + (side == EK_SOURCE ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr));
	struct ek_address old;

	if (bpf_skb_load_bytes(skb, offset, &old, sizeof(old)))
		return 0;
	for (int i = 0; i < 4; i++)
		*sum = ek_fold_sum(ek_replace_word(*sum, old.word_be[i], address->word_be[i]));
	return !bpf_skb_store_bytes(skb, offset, address, sizeof(*address), 0);
}

/*
 * All checksums by differences, so a wrong one stays wrong. A new IPv4 address is made up for by its header's checksum, and
 * ICMPv6 sums the addresses of its own header too: as a whole the frame's sum stays the same (CHECKSUM_COMPLETE).
 */
static __attribute__((noinline)) int ek_translate(struct __sk_buff *skb, const struct ek_translation *change,
						   const struct ek_address *to, __u32 family)
{
	__u32 side = change->inner_side, port = change->ports + (side == EK_SOURCE ? 0 : 2), sum;
	__u32 check_offset = change->icmp + offsetof(struct ek_icmp_header, checksum_be);
	struct ek_address address = *to;
	__u16 old_port, port_be = change->port_be, check;

	if (bpf_skb_load_bytes(skb, check_offset, &check, sizeof(check)) ||
	    bpf_skb_load_bytes(skb, port, &old_port, sizeof(old_port)))
		return 0;
	sum = (__u16)~check + (__u16)~old_port + port_be;
	sum = ek_fold_sum(sum);
	if (family == EK_IPV4) {
		if (!ek_requote4(skb, change->quoted, side, address.word_be[0]) ||
		    !ek_readdress4(skb, side == EK_SOURCE ? EK_DESTINATION : EK_SOURCE, address.word_be[0], 0))
			return 0;
	} else if (!ek_readdress6(skb, change->quoted, side, &address, &sum) ||
		   !ek_readdress6(skb, ETH_HLEN, side == EK_SOURCE ? EK_DESTINATION : EK_SOURCE, &address, &sum)) {
		return 0;
	}
	check = ~ek_fold_sum(sum);
	return !bpf_skb_store_bytes(skb, port, &port_be, sizeof(port_be), 0) &&
	       !bpf_skb_store_bytes(skb, check_offset, &check, sizeof(check), 0);
}

/* About a packet that a server sent as the virtual address. */
static __always_inline int ek_error_to_server(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family,
					      struct ek_translation *change, struct ek_connection *connection, __u64 now)
{
	__u32 number = connection->server, method = connection->method;
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);

	if (!server || connection->state == EK_EXPIRED)
		return EK_DROP;
	if (server->flags & EK_SERVER_GONE)
		return ek_drop(EK_REASON_GONE_DROPPED);
	ek_reason(EK_REASON_ICMP_RELAYED);
	if (method == EK_NAT) {
		change->inner_side = EK_SOURCE;
		change->port_be = connection->destination_port_be;
		if (!ek_translate(skb, change, &server->address, family))
			return ek_drop(EK_REASON_NO_MEMORY);
		method = EK_DR; /* from here on it goes as it is */
	}
	return ek_to_server(skb, packet, family, number, server, method, 0, NULL, now);
}

/* About a packet that NAT sent to a server: from the server itself, or a router on the way. */
static __always_inline int ek_error_to_client(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family,
					      struct ek_translation *change, struct ek_reply *reply, __u64 now)
{
	struct ek_route *route = &reply->route;
	struct ek_counters *counted;
	__u32 number = reply->server;
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);
	int hop = !packet->outward && packet->interface != EK_LOOPBACK;

	/* The balancer's own by DR or TUN: its packets are quoted as it sent them. */
	if (!server || (reply->flags & EK_REPLY_OWN && ek_same_address(&reply->virtual, &packet->source)))
		return EK_LEAVE;
	if (hop && !(reply->flags & EK_REPLY_OWN)) {
		if (ek_route_is_old(route, now))
			ek_renew_route(skb, route, &reply->client, family);
		if (route->kind == EK_ROUTE_UNREACHABLE)
			return ek_drop(EK_REASON_NO_ROUTE);
		hop = route->kind == EK_ROUTE_FORWARD;
		/* No error about an error (RFC 1122 §3.2.2). */
		if (hop && packet->ttl <= 1)
			return ek_drop(EK_REASON_TTL_EXCEEDED);
		if (hop && packet->bytes > route->mtu)
			return ek_drop(EK_REASON_TOO_BIG);
	}
	change->inner_side = EK_DESTINATION;
	/* A router's too, which the client could not place (handle_response_icmp). */
	change->port_be = reply->virtual_port_be;
	if (!ek_translate(skb, change, &reply->virtual, family))
		return ek_drop(EK_REASON_NO_MEMORY);
	ek_reason(EK_REASON_ICMP_RELAYED);
	if (server->flags & EK_SERVER_LIVE && (counted = ek_counters(number))) {
		counted->packets_out++;
		counted->bytes_out += packet->bytes;
	}
	if (reply->flags & EK_REPLY_OWN)
		return packet->outward || packet->interface == EK_LOOPBACK ? EK_LEAVE : ek_to_own(skb);
	if (!hop)
		return EK_LEAVE;
	return ek_decrement_ttl(skb, family, packet->ttl) ? ek_send(skb, route) : ek_drop(EK_REASON_NO_MEMORY);
}

/* Of the packet in hand, taken for a server's. */
static __always_inline struct ek_reply *ek_reply_to(union ek_reply_key *key, const struct ek_packet *packet,
						    const __u32 family)
{
	if (family == EK_IPV4) {
		__builtin_memset(&key->four, 0, sizeof(key->four));
		key->four.server_be = packet->source.word_be[0];
		key->four.client_be = packet->destination.word_be[0];
		key->four.server_port_be = packet->source_port_be;
		key->four.client_port_be = packet->destination_port_be;
		key->four.protocol = packet->protocol;
	} else {
		__builtin_memset(&key->six, 0, sizeof(key->six));
		key->six.server = packet->source;
		key->six.client = packet->destination;
		key->six.server_port_be = packet->source_port_be;
		key->six.client_port_be = packet->destination_port_be;
		key->six.protocol = packet->protocol;
	}
	return ek_reply_find(key, family);
}

static __always_inline void ek_turn_round(struct ek_packet *packet)
{
	struct ek_address address = packet->source;
	__u16 port_be = packet->source_port_be;

	packet->source = packet->destination;
	packet->source_port_be = packet->destination_port_be;
	packet->destination = address;
	packet->destination_port_be = port_be;
}

/* EK_PROGRAM_ICMP. */
static __always_inline int ek_icmp(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct ek_translation change = {};
	struct ek_address sender, addressee;
	struct ek_icmp_header header;
	union {
		union ek_connection_key connection;
		union ek_reply_key reply;
	} key;
	struct ek_connection *connection;
	struct ek_reply *reply;

	if (ek_parse(skb, packet, family) != EK_PARSED_ICMP)
		return EK_LEAVE;
	packet->server = EK_NO_SERVER;
	packet->largest = packet->bytes;
	change.icmp = packet->transport;
	change.quoted = change.icmp + sizeof(header);
	if (change.quoted > ETH_HLEN + packet->bytes || bpf_skb_load_bytes(skb, change.icmp, &header, sizeof(header)) ||
	    !ek_is_error(header.type, family))
		return EK_LEAVE;
	sender = packet->source;
	addressee = packet->destination;
	change.ports = ek_quoted(skb, packet, change.quoted, family);
	/* An error goes to whoever sent what it is about (RFC 1122 §3.2.2). */
	if (!change.ports || !ek_same_address(&packet->source, &addressee))
		return EK_LEAVE;
	if (packet->protocol == IPPROTO_IPIP || packet->protocol == IPPROTO_IPV6) {
		packet->answer = header.type == (family == EK_IPV4 ? ICMP_DEST_UNREACH : ICMPV6_PKT_TOOBIG) &&
						 (family != EK_IPV4 || header.code == ICMP_FRAG_NEEDED)
					 ? EK_ANSWER_TOO_BIG
					 : EK_ANSWER_HOST_UNREACHABLE;
		packet->answer_mtu = bpf_ntohs(header.mtu_be);
		packet->transport = change.ports;
		bpf_tail_call(skb, &programs, EK_PROGRAM_TUNNEL_ERROR);
		return ek_drop(EK_REASON_NO_PROGRAM);
	}
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return EK_LEAVE;
	/* As the packets come that its receiver sends. */
	ek_turn_round(packet);
	reply = ek_reply_to(&key.reply, packet, family);
	if (reply) {
		packet->protocol = family == EK_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		return ek_error_to_client(skb, packet, family, &change, reply, now);
	}
	ek_connection_key(&key.connection, packet, family);
	connection = ek_connection_find(&key.connection, family);
	if (!connection)
		return EK_LEAVE;
	packet->source = sender;
	packet->protocol = family == EK_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	packet->dont_fragment = 1; /* whole or not at all */
	return ek_error_to_server(skb, packet, family, &change, connection, now);
}

#endif
