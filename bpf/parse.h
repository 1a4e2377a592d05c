/*
 * A frame taken apart into struct ek_packet: IPv4 (RFC 791), IPv6 (RFC 8200) without extension headers, TCP, UDP. Frames
 * that are not for us, or that the stack would drop anyway, are left to the stack.
 */
#ifndef EVENKEEL_PARSE_H
#define EVENKEEL_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "structs.h"

#define EK_FIN 0x01
#define EK_SYN 0x02
#define EK_RST 0x04
#define EK_ACK 0x10

#define EK_LOOPBACK 1 /* interface index of lo in every network namespace */

enum ek_parsed { EK_PARSED, EK_PARSED_OTHER, EK_PARSED_FRAGMENT, EK_PARSED_ICMP };

/*
 * skb->data and skb->data_end. Not in C, as the compiler may keep the address of a field for later, and the verifier wants
 * them to be read by their offset from the context.
 */
static __always_inline void *ek_data(struct __sk_buff *skb)
{
	void *data;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(data) : "r"(skb), "i"(offsetof(struct __sk_buff, data)));
	return data;
}

static __always_inline void *ek_data_end(struct __sk_buff *skb)
{
	void *end;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(end) : "r"(skb), "i"(offsetof(struct __sk_buff, data_end)));
	return end;
}

/* Headers may lie in pages: bring the first `bytes` into the linear part. False: the frame is shorter. */
static __always_inline int ek_linear(struct __sk_buff *skb, __u32 bytes)
{
	if (ek_data(skb) + bytes <= ek_data_end(skb))
		return 1;
	if (skb->len < bytes || bpf_skb_pull_data(skb, bytes))
		return 0;
	return ek_data(skb) + bytes <= ek_data_end(skb);
}

static __always_inline int ek_parse_ip4(struct __sk_buff *skb, struct ek_packet *packet, __u32 *fragment)
{
	struct iphdr *ip;
	__u32 bytes;

	if (!ek_linear(skb, ETH_HLEN + sizeof(*ip)))
		return 0;
	ip = ek_data(skb) + ETH_HLEN;
	if ((void *)(ip + 1) > ek_data_end(skb))
		return 0;
	if (ip->version != 4 || ip->ihl < 5)
		return 0;
	/* The link may have padded the frame; above 64 kB the header of a GSO packet says 0 (BIG TCP). */
	bytes = bpf_ntohs(ip->tot_len);
	if (!bytes && skb->gso_size)
		bytes = skb->len - ETH_HLEN;
	if (bytes + ETH_HLEN > skb->len || bytes < ip->ihl * 4)
		return 0;
	packet->bytes = bytes;
	packet->source = (struct ek_address){ { ip->saddr } };
	packet->destination = (struct ek_address){ { ip->daddr } };
	packet->protocol = ip->protocol;
	packet->family = EK_IPV4;
	packet->ttl = ip->ttl;
	packet->transport = ETH_HLEN + ip->ihl * 4;
	packet->dont_fragment = !!(ip->frag_off & bpf_htons(0x4000));
	*fragment = !!(ip->frag_off & bpf_htons(0x3fff));
	return 1;
}

static __always_inline int ek_parse_ip6(struct __sk_buff *skb, struct ek_packet *packet, __u32 *fragment)
{
	struct ipv6hdr *ip;
	__u32 bytes;

	if (!ek_linear(skb, ETH_HLEN + sizeof(*ip)))
		return 0;
	ip = ek_data(skb) + ETH_HLEN;
	if ((void *)(ip + 1) > ek_data_end(skb))
		return 0;
	if (ip->version != 6)
		return 0;
	bytes = bpf_ntohs(ip->payload_len);
	if (bytes + ETH_HLEN + sizeof(*ip) > skb->len)
		return 0;
	packet->bytes = bytes || !skb->gso_size ? bytes + sizeof(*ip) : skb->len - ETH_HLEN;
	__builtin_memcpy(&packet->source, &ip->saddr, 16);
	__builtin_memcpy(&packet->destination, &ip->daddr, 16);
	packet->protocol = ip->nexthdr;
	packet->family = EK_IPV6;
	packet->ttl = ip->hop_limit;
	packet->transport = ETH_HLEN + sizeof(*ip);
	packet->dont_fragment = 1;
	*fragment = ip->nexthdr == IPPROTO_FRAGMENT;
	return 1;
}

static __always_inline int ek_parse_transport(struct __sk_buff *skb, struct ek_packet *packet)
{
	__u32 offset = packet->transport, headers;
	void *start;

	if (packet->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp;

		if (!ek_linear(skb, offset + sizeof(*tcp)))
			return 0;
		start = ek_data(skb);
		tcp = start + (offset & 0x7f);
		if ((void *)(tcp + 1) > ek_data_end(skb))
			return 0;
		packet->source_port_be = tcp->source;
		packet->destination_port_be = tcp->dest;
		packet->sequence_be = tcp->seq;
		packet->acknowledged_be = tcp->ack_seq;
		packet->tcp_flags = ((__u8 *)tcp)[13];
		if (tcp->doff < 5)
			return 0;
		headers = offset - ETH_HLEN + tcp->doff * 4;
	} else {
		struct udphdr *udp;

		if (!ek_linear(skb, offset + sizeof(*udp)))
			return 0;
		start = ek_data(skb);
		udp = start + (offset & 0x7f);
		if ((void *)(udp + 1) > ek_data_end(skb))
			return 0;
		packet->source_port_be = udp->source;
		packet->destination_port_be = udp->dest;
		packet->sequence_be = 0;
		packet->acknowledged_be = 0;
		packet->tcp_flags = 0;
		headers = offset - ETH_HLEN + sizeof(*udp);
	}
	/* Whoever sends from port 0 wants no answer; among the connections, 0 marks the templates of persistence. */
	if (packet->bytes < headers || !packet->source_port_be)
		return 0;
	packet->largest = skb->gso_size ? skb->gso_size + headers : packet->bytes;
	return 1;
}

static __always_inline int ek_parse(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family)
{
	__u32 fragment;

	if (!(family == EK_IPV4 ? ek_parse_ip4(skb, packet, &fragment) : ek_parse_ip6(skb, packet, &fragment)))
		return EK_PARSED_OTHER;
	packet->mark = skb->mark;
	packet->interface = skb->ifindex;
	if (fragment)
		return EK_PARSED_FRAGMENT;
	if (packet->protocol == (family == EK_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return EK_PARSED_ICMP;
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return EK_PARSED_OTHER;
	return ek_parse_transport(skb, packet) ? EK_PARSED : EK_PARSED_OTHER;
}

/* The network header's protocol decides the family; a frame that still carries a VLAN tag belongs to another device. */
static __always_inline __u32 ek_family(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return EK_IPV4;
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return EK_IPV6;
	return 0;
}

#endif
