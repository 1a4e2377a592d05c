/*
 * Rewriting: addresses, ports, TTL and the checksums over them. Right whether the sender left the transport checksum to the
 * device (CHECKSUM_PARTIAL), the device summed the frame (CHECKSUM_COMPLETE) or neither (RFC 1624, RFC 768).
 */
#ifndef EVENKEEL_NAT_H
#define EVENKEEL_NAT_H

#include "parse.h"

enum ek_side { EK_SOURCE, EK_DESTINATION };

static __always_inline __u16 ek_fold_sum(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 1624 (eqn. 3). */
static __always_inline __u32 ek_replace_word(__u32 sum, __u32 old_be, __u32 new_be)
{
	return sum + (~old_be & 0xffff) + (~old_be >> 16) + (new_be & 0xffff) + (new_be >> 16);
}

/* Written in place, which is cheaper than a helper. What keeps the header's sum is neutral to CHECKSUM_COMPLETE. */
static __always_inline struct iphdr *ek_ip4(struct __sk_buff *skb)
{
	struct iphdr *ip = ek_data(skb) + ETH_HLEN;

	return (void *)(ip + 1) > ek_data_end(skb) ? NULL : ip;
}

static __always_inline __u32 ek_hop(struct iphdr *ip, __u32 sum)
{
	ip->ttl--;
	return sum + bpf_htons(0xfeff); /* minus 0x0100 in ones' complement */
}

/* One hop further; neutral to CHECKSUM_COMPLETE. */
static __always_inline int ek_decrement_ttl(struct __sk_buff *skb, const __u32 family, __u8 ttl)
{
	if (family == EK_IPV4) {
		struct iphdr *ip = ek_ip4(skb);

		if (!ip)
			return 0;
		ip->check = ~ek_fold_sum(ek_hop(ip, (__u16)~ip->check));
		return 1;
	}
	ttl--;
	return !bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit), &ttl, 1, BPF_F_RECOMPUTE_CSUM);
}

/* The IPv4 header with another address on one side; one hop further where asked. */
static __always_inline int ek_readdress4(struct __sk_buff *skb, enum ek_side side, __u32 new, int hop)
{
	struct iphdr *ip = ek_ip4(skb);
	__u32 sum;

	if (!ip)
		return 0;
	sum = ek_replace_word((__u16)~ip->check, side == EK_SOURCE ? ip->saddr : ip->daddr, new);
	if (hop)
		sum = ek_hop(ip, sum);
	ip->check = ~ek_fold_sum(sum);
	if (side == EK_SOURCE)
		ip->saddr = new;
	else
		ip->daddr = new;
	return 1;
}

static __always_inline int ek_rewrite4(struct __sk_buff *skb, __u32 check, __u64 udp, enum ek_side side,
				       const struct ek_address *address, int hop)
{
	struct iphdr *ip = ek_ip4(skb);
	__u32 new = address->word_be[0];

	if (!ip)
		return 0;
	if (check && bpf_l4_csum_replace(skb, check, side == EK_SOURCE ? ip->saddr : ip->daddr, new,
					 BPF_F_PSEUDO_HDR | udp | 4))
		return 0;
	return ek_readdress4(skb, side, new, hop);
}

/*
 * `offset`: of the address in the frame. Not inlined, for the sake of the callers' stack.
 * No header checksum makes up for an IPv6 address, so what the device summed takes part in both changes, and they cancel out.
 */
static __attribute__((noinline)) int ek_rewrite6(struct __sk_buff *skb, __u32 offset, __u32 check, __u64 udp,
						  const struct ek_address *address)
{
	struct ek_address old, new = *address;
	__s64 difference;

	if (bpf_skb_load_bytes(skb, offset, &old, sizeof(old)))
		return 0;
	difference = bpf_csum_diff((__be32 *)&old, sizeof(old), (__be32 *)&new, sizeof(new), 0);
	if (check && bpf_l4_csum_replace(skb, check, 0, difference, BPF_F_PSEUDO_HDR | udp))
		return 0;
	return !bpf_skb_store_bytes(skb, offset, &new, sizeof(new), BPF_F_RECOMPUTE_CSUM);
}

/* Another address and port on one side; one hop further where asked. The packet must be whole up to its ports. */
static __always_inline int ek_rewrite(struct __sk_buff *skb, const struct ek_packet *packet, const __u32 family,
				      const enum ek_side side, const struct ek_address *address, __u16 port_be, int hop)
{
	__u32 transport = packet->transport, check = 0, port_offset; /* 0: a later fragment, which has neither */
	__u16 old_port = side == EK_SOURCE ? packet->source_port_be : packet->destination_port_be;
	__u64 udp = 0;

	if (!transport) {
		port_be = old_port;
	} else if (packet->protocol == IPPROTO_UDP) {
		check = transport + offsetof(struct udphdr, check);
		udp = BPF_F_MARK_MANGLED_0; /* no checksum stays none, a sum of 0 is written as 0xffff */
	} else {
		check = transport + offsetof(struct tcphdr, check);
	}
	if (family == EK_IPV4) {
		if (!ek_rewrite4(skb, check, udp, side, address, hop))
			return 0;
	} else {
		__u32 offset = ETH_HLEN + (side == EK_SOURCE ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr));

		if (!ek_rewrite6(skb, offset, check, udp, address) || (hop && !ek_decrement_ttl(skb, EK_IPV6, packet->ttl)))
			return 0;
	}
	if (old_port == port_be)
		return 1;
	if (bpf_l4_csum_replace(skb, check, old_port, port_be, udp | 2))
		return 0;
	/* Both protocols begin with the ports. */
	port_offset = transport + (side == EK_SOURCE ? 0 : 2);
	return !bpf_skb_store_bytes(skb, port_offset, &port_be, 2, 0);
}

#endif
