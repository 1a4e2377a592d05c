/*
 * What the balancer itself says to the sender of a packet: ICMP errors (RFC 792, RFC 1191, RFC 4443) and resets
 * (RFC 9293 §3.10.7). The packet in hand becomes the answer and leaves where it came in, so no route is asked.
 *
 * As IPVS does, errors come from the address that the packet was sent to.
 */
#ifndef EVENKEEL_ANSWER_H
#define EVENKEEL_ANSWER_H

#include "forward.h"

/* ICMP and ICMPv6 alike. (linux/icmp.h cannot be had without a C library's headers.) */
struct ek_icmp_header {
	__u8 type;
	__u8 code;
	__u16 checksum_be;
	__u16 unused;
	__u16 mtu_be; /* ICMPv6: the lower half; nothing we send is above 64 kB */
};

#define ICMP_DEST_UNREACH 3
#define ICMP_PORT_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMP_TIME_EXCEEDED 11
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PORT_UNREACH 4
#define ICMPV6_PKT_TOOBIG 2
#define ICMPV6_TIME_EXCEED 3

/* Of the packet that an error quotes: enough for every transport header, the rest is left out. */
#define EK_QUOTE 128

static __always_inline __u32 ek_sum(const void *bytes, __u32 size, __u32 sum)
{
	return ek_fold_sum(bpf_csum_diff(0, 0, (void *)bytes, size, sum));
}

/* Pseudo header of `bytes` from `source` to `destination`; the sum is symmetric in the two. */
static __always_inline __u32 ek_pseudo_sum(const struct ek_packet *packet, __u32 bytes, __u32 protocol)
{
	__u32 addresses = packet->family == EK_IPV4 ? 4 : 16, sum;

	if (addresses == 4) {
		sum = ek_sum(&packet->source, 4, 0);
		sum = ek_sum(&packet->destination, 4, sum);
	} else {
		sum = ek_sum(&packet->source, 16, 0);
		sum = ek_sum(&packet->destination, 16, sum);
	}
	return ek_fold_sum(sum + bpf_htons(protocol) + bpf_htons(bytes & 0xffff) + bpf_htons(bytes >> 16));
}

/*
 * Has the sender left the transport checksum to the device? Then the field holds the sum of the pseudo header, and whatever
 * becomes of the packet, the kernel will sum from the transport header to the end into it. (A finished checksum looks the
 * same once in 65,536 times; that answer is then thrown away by its receiver.)
 */
static __always_inline int ek_checksum_pending(struct __sk_buff *skb, const struct ek_packet *packet, __u16 *field)
{
	__u32 offset = packet->transport + (packet->protocol == IPPROTO_UDP ? offsetof(struct udphdr, check)
									   : offsetof(struct tcphdr, check));
	__u32 bytes = packet->bytes - (packet->transport - ETH_HLEN);

	if (!packet->transport || bpf_skb_load_bytes(skb, offset, field, 2))
		return 0;
	return *field && *field == ek_pseudo_sum(packet, bytes, packet->protocol);
}

/* Back to where it came from: to the wire, or up if it was on its way out or on lo. */
static __always_inline int ek_return(struct __sk_buff *skb, const struct ek_packet *packet)
{
	struct ethhdr mac, swapped;

	if (bpf_skb_load_bytes(skb, 0, &mac, sizeof(mac)))
		return EK_DROP;
	__builtin_memcpy(swapped.h_dest, mac.h_source, ETH_ALEN);
	__builtin_memcpy(swapped.h_source, mac.h_dest, ETH_ALEN);
	swapped.h_proto = mac.h_proto;
	if (bpf_skb_store_bytes(skb, 0, &swapped, sizeof(swapped), BPF_F_INVALIDATE_HASH))
		return EK_DROP;
	return bpf_redirect(skb->ifindex, packet->outward || packet->interface == EK_LOOPBACK ? BPF_F_INGRESS : 0);
}

static __always_inline void ek_ip4_header(struct iphdr *ip, const struct ek_packet *packet, __u32 payload, __u8 protocol)
{
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(sizeof(*ip) + payload);
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->saddr = packet->destination.word_be[0];
	ip->daddr = packet->source.word_be[0];
	ip->check = ~ek_sum(ip, sizeof(*ip), 0);
}

static __always_inline void ek_ip6_header(struct ipv6hdr *ip, const struct ek_packet *packet, __u32 payload, __u8 protocol)
{
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 6;
	ip->payload_len = bpf_htons(payload);
	ip->nexthdr = protocol;
	ip->hop_limit = 64;
	__builtin_memcpy(&ip->saddr, &packet->destination, 16);
	__builtin_memcpy(&ip->daddr, &packet->source, 16);
}

/* Cuts the packet to what is quoted and sums it as it will be on the wire. 0: impossible. */
static __always_inline __u32 ek_quote(struct __sk_buff *skb, const struct ek_packet *packet, __u32 *sum)
{
	__u32 size = packet->bytes > EK_QUOTE ? EK_QUOTE : packet->bytes;
	__u32 head = packet->transport - ETH_HLEN;
	__u8 bytes[EK_QUOTE] = {};
	__u16 field;
	int pending = ek_checksum_pending(skb, packet, &field);

	/* The compiler knows the bounds and drops or joins the tests; the verifier of 6.1 must see them one by one. */
	asm volatile("" : "+r"(size));
	if (size > EK_QUOTE)
		return 0;
	asm volatile("" : "+r"(size));
	if (size < sizeof(struct iphdr) || bpf_skb_load_bytes(skb, ETH_HLEN, bytes, size))
		return 0;
	if (pending) {
		/* The kernel will make the transport part sum up to the complement of what its field holds now. */
		for (__u32 i = 0; i < EK_QUOTE; i++)
			if (i >= head)
				bytes[i] = 0;
		*sum = ek_sum(bytes, sizeof(bytes), (__u16)~field);
	} else {
		*sum = ek_sum(bytes, sizeof(bytes), 0);
	}
	if (bpf_skb_change_tail(skb, ETH_HLEN + size, 0))
		return 0;
	return size;
}

static __always_inline int ek_icmp4(struct __sk_buff *skb, const struct ek_packet *packet)
{
	struct {
		struct iphdr ip;
		struct ek_icmp_header icmp;
	} head = {};
	__u32 sum, quoted = ek_quote(skb, packet, &sum);

	if (!quoted || bpf_skb_adjust_room(skb, sizeof(head), BPF_ADJ_ROOM_MAC, 0))
		return ek_drop(EK_REASON_NO_MEMORY);
	ek_ip4_header(&head.ip, packet, sizeof(head.icmp) + quoted, IPPROTO_ICMP);
	if (packet->answer == EK_ANSWER_TIME_EXCEEDED) {
		head.icmp.type = ICMP_TIME_EXCEEDED;
	} else {
		head.icmp.type = ICMP_DEST_UNREACH;
		head.icmp.code = ICMP_PORT_UNREACH;
		if (packet->answer == EK_ANSWER_TOO_BIG) {
			head.icmp.code = ICMP_FRAG_NEEDED;
			head.icmp.mtu_be = bpf_htons(packet->answer_mtu);
		}
	}
	head.icmp.checksum_be = ~ek_sum(&head.icmp, sizeof(head.icmp), sum);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &head, sizeof(head), BPF_F_RECOMPUTE_CSUM))
		return ek_drop(EK_REASON_NO_MEMORY);
	ek_reason(EK_REASON_ICMP_SENT);
	return ek_return(skb, packet);
}

static __always_inline int ek_icmp6(struct __sk_buff *skb, const struct ek_packet *packet)
{
	struct {
		struct ipv6hdr ip;
		struct ek_icmp_header icmp;
	} head = {};
	__u32 sum, quoted = ek_quote(skb, packet, &sum);

	if (!quoted || bpf_skb_adjust_room(skb, sizeof(head), BPF_ADJ_ROOM_MAC, 0))
		return ek_drop(EK_REASON_NO_MEMORY);
	ek_ip6_header(&head.ip, packet, sizeof(head.icmp) + quoted, IPPROTO_ICMPV6);
	if (packet->answer == EK_ANSWER_TIME_EXCEEDED) {
		head.icmp.type = ICMPV6_TIME_EXCEED;
	} else if (packet->answer == EK_ANSWER_TOO_BIG) {
		head.icmp.type = ICMPV6_PKT_TOOBIG;
		head.icmp.mtu_be = bpf_htons(packet->answer_mtu);
	} else {
		head.icmp.type = ICMPV6_DEST_UNREACH;
		head.icmp.code = ICMPV6_PORT_UNREACH;
	}
	sum = ek_fold_sum(sum + ek_pseudo_sum(packet, sizeof(head.icmp) + quoted, IPPROTO_ICMPV6));
	head.icmp.checksum_be = ~ek_sum(&head.icmp, sizeof(head.icmp), sum);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &head, sizeof(head), BPF_F_RECOMPUTE_CSUM))
		return ek_drop(EK_REASON_NO_MEMORY);
	ek_reason(EK_REASON_ICMP_SENT);
	return ek_return(skb, packet);
}

/* The packet's headers turned round, its flags RST, its payload gone. */
static __always_inline int ek_reset(struct __sk_buff *skb, const struct ek_packet *packet, const __u32 family)
{
	const __u32 ip_bytes = family == EK_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct tcphdr tcp = {};
	__u16 field;
	__u32 sum = ek_pseudo_sum(packet, sizeof(tcp), IPPROTO_TCP);
	int pending = ek_checksum_pending(skb, packet, &field);

	/* Options in the IPv4 header would move the place of a checksum that the kernel is to fill in. */
	if (packet->transport != ETH_HLEN + ip_bytes || bpf_skb_change_tail(skb, ETH_HLEN + ip_bytes + sizeof(tcp), 0))
		return ek_drop(EK_REASON_GONE_DROPPED);
	tcp.source = packet->destination_port_be;
	tcp.dest = packet->source_port_be;
	tcp.seq = packet->answer_sequence_be;
	tcp.doff = sizeof(tcp) / 4;
	tcp.rst = 1;
	tcp.check = pending ? sum : (__u16)~ek_sum(&tcp, sizeof(tcp), sum);
	if (family == EK_IPV4) {
		struct iphdr ip;

		ek_ip4_header(&ip, packet, sizeof(tcp), IPPROTO_TCP);
		if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM))
			return EK_DROP;
	} else {
		struct ipv6hdr ip;

		ek_ip6_header(&ip, packet, sizeof(tcp), IPPROTO_TCP);
		if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM))
			return EK_DROP;
	}
	if (bpf_skb_store_bytes(skb, ETH_HLEN + ip_bytes, &tcp, sizeof(tcp), BPF_F_RECOMPUTE_CSUM))
		return EK_DROP;
	ek_reason(EK_REASON_RESET_SENT);
	return ek_return(skb, packet);
}

/* EK_PROGRAM_ANSWER. */
static __always_inline int ek_answer_packet(struct __sk_buff *skb, const struct ek_packet *packet)
{
	/* Nor is an error answered by an error (RFC 1122 §3.2.2). */
	if (packet->answer == EK_ANSWER_NONE || packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		return EK_DROP;
	if (packet->answer == EK_ANSWER_RESET)
		return packet->family == EK_IPV4 ? ek_reset(skb, packet, EK_IPV4) : ek_reset(skb, packet, EK_IPV6);
	return packet->family == EK_IPV4 ? ek_icmp4(skb, packet) : ek_icmp6(skb, packet);
}

#endif
