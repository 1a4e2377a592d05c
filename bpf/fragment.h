/*
 * Fragments. The hooks lie before reassembly, so the ports that only the first one has are remembered for the others of its
 * packet (RFC 791 §3.2, RFC 8200 §4.5). Others that come before the first are left to the stack, and so lost: nothing can
 * be held back here, and without ports it cannot be told whether they are for a service or for the machine.
 *
 * Also the cutting of IPv4 packets that are too big for the way ahead and may be cut.
 */
#ifndef EVENKEEL_FRAGMENT_H
#define EVENKEEL_FRAGMENT_H

#include "answer.h"
#include "birth.h"

#define EK_FRAGMENT_SECONDS 30 /* as long as Linux waits for the rest (ipfrag_time) */
#define EK_MORE_FRAGMENTS 0x2000
#define EK_OFFSET_MASK 0x1fff
/* RFC 791: every link carries as much. */
#define EK_MTU4_MIN 68

struct ek_fragment_key {
	struct ek_address source;
	struct ek_address destination;
	__u32 identification;
	__u32 protocol;
};

/* What the first one told. */
struct ek_fragment_ports {
	__u32 second; /* CLOCK_MONOTONIC: when it came */
	__u32 server; /* where it went without a connection, or EK_NO_SERVER */
	__u16 source_be;
	__u16 destination_be;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct ek_fragment_key);
	__type(value, struct ek_fragment_ports);
} fragments SEC(".maps");

/* What would not fit into the stack. */
struct ek_cut {
	struct ek_fragment_key key;
	struct ek_fragment_ports ports;
	__u8 rest[16384]; /* of a packet that is cut in two, the second part */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ek_cut);
} cuts SEC(".maps");

/* Of the extension header (RFC 8200 §4.5). */
struct ek_fragment_header {
	__u8 next;
	__u8 reserved;
	__u16 offset_be;
	__u32 identification;
};

/* Fills `packet` in for any fragment; `transport` 0: it holds no transport header. False: leave it. */
static __always_inline int ek_parse_fragment(struct __sk_buff *skb, struct ek_packet *packet, const __u32 family)
{
	__u32 fragment, later, zero = 0, second = bpf_ktime_get_coarse_ns() / EK_SECOND;
	struct ek_cut *cut = bpf_map_lookup_elem(&cuts, &zero);
	struct ek_fragment_ports *known;

	if (!cut || !(family == EK_IPV4 ? ek_parse_ip4(skb, packet, &fragment) : ek_parse_ip6(skb, packet, &fragment)))
		return 0;
	packet->mark = skb->mark;
	packet->interface = skb->ifindex;
	if (family == EK_IPV4) {
		struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;

		if ((void *)(ip + 1) > (void *)(long)skb->data_end)
			return 0;
		cut->key.identification = ip->id;
		later = ip->frag_off & bpf_htons(EK_OFFSET_MASK);
	} else {
		struct ek_fragment_header header;

		if (packet->protocol != IPPROTO_FRAGMENT || bpf_skb_load_bytes(skb, packet->transport, &header, sizeof(header)))
			return 0;
		cut->key.identification = header.identification;
		later = header.offset_be & bpf_htons(0xfff8);
		packet->protocol = header.next;
		packet->transport += sizeof(header);
	}
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return 0;
	cut->key.source = packet->source;
	cut->key.destination = packet->destination;
	cut->key.protocol = packet->protocol;
	if (!later) {
		if (!ek_parse_transport(skb, packet))
			return 0;
		cut->ports.second = second;
		cut->ports.server = EK_NO_SERVER;
		cut->ports.source_be = packet->source_port_be;
		cut->ports.destination_be = packet->destination_port_be;
		bpf_map_update_elem(&fragments, &cut->key, &cut->ports, BPF_ANY);
		return 1;
	}
	known = bpf_map_lookup_elem(&fragments, &cut->key);
	if (!known || second - known->second > EK_FRAGMENT_SECONDS) {
		ek_reason(EK_REASON_FRAGMENT_UNKNOWN);
		return 0;
	}
	packet->source_port_be = known->source_be;
	packet->destination_port_be = known->destination_be;
	packet->server = known->server;
	packet->transport = 0;
	packet->tcp_flags = EK_ACK;
	packet->sequence_be = 0;
	packet->acknowledged_be = 0;
	packet->largest = packet->bytes;
	return 1;
}

/* A packet of a one-packet service goes to `packet->server`, which no connection tells the later fragments. */
static __always_inline void ek_fragment_alone(struct __sk_buff *skb, const struct ek_packet *packet)
{
	struct ek_fragment_ports *known;
	struct ek_fragment_key key = {};

	if (!packet->transport)
		return;
	if (packet->family == EK_IPV4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || !(ip.frag_off & bpf_htons(EK_MORE_FRAGMENTS)))
			return;
		key.identification = ip.id;
	} else {
		struct ek_fragment_header header;
		__u32 offset = ETH_HLEN + sizeof(struct ipv6hdr);

		if (packet->transport != offset + sizeof(header) || bpf_skb_load_bytes(skb, offset, &header, sizeof(header)))
			return;
		key.identification = header.identification;
	}
	key.source = packet->source;
	key.destination = packet->destination;
	key.protocol = packet->protocol;
	known = bpf_map_lookup_elem(&fragments, &key);
	if (known)
		known->server = packet->server;
}

/* False: not 1 to `most`, a power of two. The rest tells the verifier of 6.1, which does not follow comparisons with 0. */
static __always_inline int ek_is_size(__u32 *size, const __u32 most)
{
	__u32 below = *size - 1;

	if (below >= most)
		return 0;
	asm volatile("" : "+r"(below));
	*size = (below & (most - 1)) + 1;
	return 1;
}

static __always_inline int ek_split_header(struct __sk_buff *skb, struct iphdr *ip, __u32 payload, __u16 place)
{
	ip->tot_len = bpf_htons(sizeof(*ip) + payload);
	ip->frag_off = bpf_htons(place);
	ip->check = 0;
	ip->check = ~ek_sum(ip, sizeof(*ip), 0);
	return !bpf_skb_store_bytes(skb, ETH_HLEN, ip, sizeof(*ip), BPF_F_RECOMPUTE_CSUM);
}

/*
 * EK_PROGRAM_SPLIT: an IPv4 packet without DF is too big for the way ahead, on which the kernel could not cut it any more. Two
 * pieces of it arrive instead, in order, where it arrived; the second is cut again if need be. What cannot be cut here is
 * answered as if it had DF: header options, segments that the kernel holds as one, and a checksum that is still to be made.
 */
static __always_inline int ek_split(struct __sk_buff *skb, struct ek_packet *packet)
{
	__u32 zero = 0, front = (packet->answer_mtu - sizeof(struct iphdr)) & 0xfff8, rest, end;
	struct ek_cut *scratch = bpf_map_lookup_elem(&cuts, &zero);
	struct iphdr ip;
	__u16 place, field;

	if (!scratch)
		return EK_DROP;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return EK_DROP;
	rest = packet->bytes - sizeof(ip) - front;
	if (packet->answer_mtu < EK_MTU4_MIN || packet->answer_mtu > 0xffff || packet->bytes <= sizeof(ip) + front || rest > sizeof(scratch->rest) || packet->outward || skb->gso_size ||
	    ip.ihl != sizeof(ip) / 4 ||
	    (packet->transport && ek_checksum_pending(skb, packet, &field))) {
		packet->answer = EK_ANSWER_TOO_BIG;
		bpf_tail_call(skb, &programs, EK_PROGRAM_ANSWER);
		return ek_drop(EK_REASON_NO_PROGRAM);
	}
	if (!ek_is_size(&rest, sizeof(scratch->rest)) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip) + front, scratch->rest, rest))
		return ek_drop(EK_REASON_NO_MEMORY);
	place = bpf_ntohs(ip.frag_off);
	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(ip) + front, 0) ||
	    !ek_split_header(skb, &ip, front, place | EK_MORE_FRAGMENTS) ||
	    bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS))
		return ek_drop(EK_REASON_NO_MEMORY);
	end = ETH_HLEN + sizeof(ip) + rest;
	if (bpf_skb_change_tail(skb, end, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(ip), scratch->rest, rest, BPF_F_RECOMPUTE_CSUM) ||
	    !ek_split_header(skb, &ip, rest, (place & ~EK_OFFSET_MASK) | (((place & EK_OFFSET_MASK) + front / 8) & EK_OFFSET_MASK)))
		return ek_drop(EK_REASON_NO_MEMORY);
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

#endif
