/*
 * Fragments. The hooks lie before reassembly, so the ports that only the first one has are remembered for the others of its
 * packet (RFC 791 §3.2, RFC 8200 §4.5). Others that come before the first are left to the stack, and so lost.
 */
#ifndef EVENKEEL_FRAGMENT_H
#define EVENKEEL_FRAGMENT_H

#include "birth.h"

struct ek_fragment_key {
	struct ek_address source;
	struct ek_address destination;
	__u32 identification;
	__u32 protocol;
};

struct ek_fragment_ports {
	__u16 source_be;
	__u16 destination_be;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct ek_fragment_key);
	__type(value, struct ek_fragment_ports);
} fragments SEC(".maps");

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
	struct ek_fragment_ports ports, *known;
	struct ek_fragment_key key = {};
	__u32 fragment, later;

	if (!(family == EK_IPV4 ? ek_parse_ip4(skb, packet, &fragment) : ek_parse_ip6(skb, packet, &fragment)))
		return 0;
	packet->mark = skb->mark;
	packet->interface = skb->ifindex;
	if (family == EK_IPV4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
			return 0;
		key.identification = ip.id;
		later = ip.frag_off & bpf_htons(0x1fff);
	} else {
		struct ek_fragment_header header;

		if (packet->protocol != IPPROTO_FRAGMENT || bpf_skb_load_bytes(skb, packet->transport, &header, sizeof(header)))
			return 0;
		key.identification = header.identification;
		later = header.offset_be & bpf_htons(0xfff8);
		packet->protocol = header.next;
		packet->transport += sizeof(header);
	}
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return 0;
	key.source = packet->source;
	key.destination = packet->destination;
	key.protocol = packet->protocol;
	if (!later) {
		if (!ek_parse_transport(skb, packet))
			return 0;
		ports.source_be = packet->source_port_be;
		ports.destination_be = packet->destination_port_be;
		bpf_map_update_elem(&fragments, &key, &ports, BPF_ANY);
		return 1;
	}
	known = bpf_map_lookup_elem(&fragments, &key);
	if (!known) {
		ek_reason(EK_REASON_FRAGMENT_UNKNOWN);
		return 0;
	}
	packet->source_port_be = known->source_be;
	packet->destination_port_be = known->destination_be;
	packet->transport = 0;
	packet->tcp_flags = EK_ACK;
	packet->sequence_be = 0;
	packet->acknowledged_be = 0;
	packet->largest = packet->bytes;
	return 1;
}

#endif
