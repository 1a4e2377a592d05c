/*
 * IP in IP (RFC 2003, RFC 2473, RFC 4213): the packet as it is behind a header of the balancer's. The kernel is told that it
 * is an encapsulation, so that large segments are cut behind it. GUE and GRE are not built yet.
 */
#ifndef EVENKEEL_TUNNEL_H
#define EVENKEEL_TUNNEL_H

#include "nat.h"
#include "route.h"

static __always_inline __u32 ek_tunnel_overhead(__u32 outer_family)
{
	return outer_family == EK_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/* What the outer header takes from the inner one: traffic class with ECN (RFC 6040), DF (ip_vs_tunnel_xmit). */
static __always_inline __u8 ek_traffic_class(struct __sk_buff *skb, const __u32 family)
{
	__u8 *ip = ek_data(skb) + ETH_HLEN;

	if ((void *)(ip + 2) > ek_data_end(skb))
		return 0;
	return family == EK_IPV4 ? ip[1] : (ip[0] << 4 | ip[1] >> 4);
}

/* Segments keep their size: that they fit behind the header has been seen to (ek_to_server). */
#define EK_ROOM_FLAGS BPF_F_ADJ_ROOM_FIXED_GSO

static __always_inline int ek_tunnel4(struct __sk_buff *skb, const struct ek_packet *packet, const __u32 family,
				      const struct ek_route *route, const struct ek_address *to)
{
	__u8 class = ek_traffic_class(skb, family);
	struct iphdr outer = {}, *ip;
	__u16 type = bpf_htons(ETH_P_IP);
	__u32 sum = 0;

	if (bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | EK_ROOM_FLAGS))
		return 0;
	outer.version = 4;
	outer.ihl = 5;
	outer.tos = class;
	outer.tot_len = bpf_htons(packet->bytes + sizeof(outer));
	if (packet->dont_fragment)
		outer.frag_off = bpf_htons(0x4000);
	else
		outer.id = bpf_get_prandom_u32();
	outer.ttl = packet->ttl;
	outer.protocol = family == EK_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	outer.saddr = route->source.word_be[0];
	outer.daddr = to->word_be[0];
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += ((__u16 *)&outer)[i];
	outer.check = ~ek_fold_sum(sum);
	if (family != EK_IPV4 && bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, 2, 0))
		return 0;
	ip = ek_ip4(skb);
	if (!ip)
		return 0;
	*ip = outer;
	return 1;
}

static __always_inline int ek_tunnel6(struct __sk_buff *skb, const struct ek_packet *packet, const __u32 family,
				      const struct ek_route *route, const struct ek_address *to)
{
	__u8 class = ek_traffic_class(skb, family);
	struct ipv6hdr outer = {};
	__u16 type = bpf_htons(ETH_P_IPV6);

	if (bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | EK_ROOM_FLAGS))
		return 0;
	outer.version = 6;
	outer.priority = class >> 4;
	outer.flow_lbl[0] = class << 4;
	outer.payload_len = bpf_htons(packet->bytes);
	outer.nexthdr = family == EK_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	outer.hop_limit = packet->ttl;
	__builtin_memcpy(&outer.saddr, &route->source, 16);
	__builtin_memcpy(&outer.daddr, to, 16);
	if (family != EK_IPV6 && bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, 2, 0))
		return 0;
	return !bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_INVALIDATE_HASH | BPF_F_RECOMPUTE_CSUM);
}

#endif
