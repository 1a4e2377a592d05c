/*
 * ICMP errors about our own tunnels: the client that sent what is in the tunnel is told in its own terms (RFC 2003 §4,
 * RFC 2473 §8). Too big: its packets must be smaller by the outer header, and what the way to that server carries is
 * remembered for as long as Linux would. All else: the server cannot be reached.
 */
#ifndef EVENKEEL_TUNNEL_ERROR_H
#define EVENKEEL_TUNNEL_ERROR_H

#include "icmp.h"

#define ICMP_HOST_UNREACH 1
#define ICMPV6_ADDR_UNREACH 3
#define EK_LEARNED_NS (600 * EK_SECOND) /* mtu_expires */
/* Smaller ones are not believed (min_pmtu; RFC 8200 §5). */
#define EK_LEARNED_MIN4 552
#define EK_LEARNED_MIN6 1280

static __attribute__((noinline)) __u32 ek_learn_mtu(const struct ek_server *server, __u32 number, __u32 mtu, __u64 now)
{
	__u32 smallest = server->family == EK_IPV4 ? EK_LEARNED_MIN4 : EK_LEARNED_MIN6;
	struct ek_route *route = bpf_map_lookup_elem(&routes, &number);
	struct ek_learned_mtu learned = {};
	struct ek_address address = server->address;

	if (mtu < smallest)
		mtu = smallest;
	if (!route || route->kind != EK_ROUTE_FORWARD)
		return mtu;
	if (mtu >= route->mtu)
		return route->mtu;
	learned.until_ns = now + EK_LEARNED_NS;
	learned.mtu = mtu;
	bpf_map_update_elem(&learned_mtus, &address, &learned, BPF_ANY);
	route->mtu = mtu;
	return mtu;
}

/* The client's packet at `offset` becomes the quotation of an error from the virtual address to the client. */
static __always_inline int ek_tell_client(struct __sk_buff *skb, struct ek_packet *packet, __u32 offset, __u32 outer_family)
{
	const __u32 family = packet->family;
	struct {
		union {
			struct iphdr four;
			struct ipv6hdr six;
		} ip;
		struct ek_icmp_header icmp;
	} head = {};
	__u32 size = ETH_HLEN + packet->bytes - offset, head_bytes, sum;
	__u8 quote[EK_QUOTE] = {};
	struct ek_route route = {};

	if (size > EK_QUOTE)
		size = EK_QUOTE;
	if (!ek_is_size(&size, EK_QUOTE) || bpf_skb_load_bytes(skb, offset, quote, size))
		return EK_DROP;
	sum = ek_sum(quote, sizeof(quote), 0);
	ek_renew_route(skb, &route, &packet->source, family);
	if (route.kind != EK_ROUTE_FORWARD)
		return ek_drop(EK_REASON_NO_ROUTE);
	if (family != outer_family) {
		__u16 type_be = bpf_htons(family == EK_IPV4 ? ETH_P_IP : ETH_P_IPV6);

		if (bpf_skb_change_proto(skb, type_be, 0) ||
		    bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type_be, sizeof(type_be), 0))
			return ek_drop(EK_REASON_NO_MEMORY);
	}
	if (family == EK_IPV4) {
		head_bytes = sizeof(struct iphdr);
		ek_ip4_header(&head.ip.four, packet, sizeof(head.icmp) + size, IPPROTO_ICMP);
		head.icmp.type = ICMP_DEST_UNREACH;
		head.icmp.code = ICMP_HOST_UNREACH;
		if (packet->answer == EK_ANSWER_TOO_BIG)
			head.icmp.code = ICMP_FRAG_NEEDED;
	} else {
		head_bytes = sizeof(struct ipv6hdr);
		ek_ip6_header(&head.ip.six, packet, sizeof(head.icmp) + size, IPPROTO_ICMPV6);
		sum = ek_fold_sum(sum + ek_pseudo_sum(packet, sizeof(head.icmp) + size, IPPROTO_ICMPV6));
		head.icmp.type = packet->answer == EK_ANSWER_TOO_BIG ? ICMPV6_PKT_TOOBIG : ICMPV6_DEST_UNREACH;
		if (packet->answer != EK_ANSWER_TOO_BIG)
			head.icmp.code = ICMPV6_ADDR_UNREACH;
	}
	if (packet->answer == EK_ANSWER_TOO_BIG)
		head.icmp.mtu_be = bpf_htons(packet->answer_mtu);
	head.icmp.checksum_be = ~ek_sum(&head.icmp, sizeof(head.icmp), sum);
	if (bpf_skb_change_tail(skb, ETH_HLEN + head_bytes + sizeof(head.icmp) + size, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &head.ip, head_bytes, BPF_F_RECOMPUTE_CSUM) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + head_bytes, &head.icmp, sizeof(head.icmp), BPF_F_RECOMPUTE_CSUM) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + head_bytes + sizeof(head.icmp), quote, size, BPF_F_RECOMPUTE_CSUM))
		return ek_drop(EK_REASON_NO_MEMORY);
	ek_reason(EK_REASON_ICMP_RELAYED);
	return ek_send(skb, &route);
}

/*
 * EK_PROGRAM_TUNNEL_ERROR: `transport` is where the tunnelled packet is quoted, `protocol` the tunnel's, `destination` its
 * end. Without the ports of a connection that goes through this very tunnel, nothing is believed.
 */
static __always_inline int ek_tunnel_error(struct __sk_buff *skb, struct ek_packet *packet)
{
	__u32 outer_family = packet->family, offset = packet->transport, mtu = packet->answer_mtu, number, overhead;
	struct ek_address end = packet->destination;
	__u64 now = bpf_ktime_get_coarse_ns();
	struct ek_connection *connection;
	union ek_connection_key key;
	struct ek_server *server;

	packet->family = packet->protocol == IPPROTO_IPIP ? EK_IPV4 : EK_IPV6;
	packet->transport = ek_quoted(skb, packet, offset, packet->family);
	if (!packet->transport || (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP))
		return EK_LEAVE;
	if (packet->family == EK_IPV4) {
		ek_connection_key(&key, packet, EK_IPV4);
		connection = ek_connection_find(&key, EK_IPV4);
	} else {
		ek_connection_key(&key, packet, EK_IPV6);
		connection = ek_connection_find(&key, EK_IPV6);
	}
	if (!connection || connection->method != EK_TUN)
		return EK_LEAVE;
	number = connection->server;
	server = bpf_map_lookup_elem(&servers, &number);
	if (!server || server->family != outer_family || !ek_same_address(&server->address, &end))
		return EK_LEAVE;
	if (packet->answer == EK_ANSWER_TOO_BIG) {
		overhead = ek_tunnel_overhead(outer_family);
		packet->answer_mtu = ek_learn_mtu(server, number, mtu, now) - overhead;
		/* The next one is cut. */
		if (!packet->dont_fragment)
			return EK_DROP;
	}
	return ek_tell_client(skb, packet, offset, outer_family);
}

#endif
