/*
 * The programs of a real server, `real_out` and `real_in`, for the egress and ingress of each of its Ethernet interfaces.
 *
 * real_out keeps the server from answering or speaking for a VIP towards its neighbours, as arp_ignore=1 and
 * arp_announce=2 would (Documentation/networking/ip-sysctl.rst), but for the VIPs alone: ARP (RFC 826, 5227) and
 * neighbour discovery (RFC 4861). What others answer through this host, as behind a bridge, is theirs. It also lowers the
 * MSS that clients are offered (RFC 9293 §3.7.1).
 *
 * real_in takes packets for a VIP out of IP-in-IP (RFC 2003, 2473, 4213) that is addressed to this host; all other tunnels
 * pass. Both let the next program have its say. They keep no state of connections and never choose a server.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "real-structs.h"

/* Same values with tcx (linux/bpf.h: TCX_NEXT, TCX_DROP) and as a clsact filter. */
#define NEXT (-1)
#define DROP 2

/* linux/bpf.h, since 6.3. */
#define ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7)
#define ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)

#define L3 ETH_HLEN
#define ARP_REQUEST 1
#define IN4_HEADER ((int)sizeof(struct iphdr))
#define IN6_HEADER ((int)sizeof(struct ipv6hdr))
#define FRAGMENT_BITS 0x3fff /* more fragments, and the offset */
#define AF_INET 2
#define AF_INET6 10
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define EXTENSION_DESTINATION 60
#define ECN_MASK 3
#define ECN_CE 3

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ek_real_vip_key);
	__type(value, struct ek_real_vip);
} real_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct ek_real_interface);
} real_interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EK_REAL_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} real_counters SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct arp_ipv4 {
	__be16 hardware, protocol;
	__u8 hardware_bytes, protocol_bytes;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target[4];
} __attribute__((packed));

/* Solicitations and advertisements begin alike. */
struct nd_message {
	__u8 type, code;
	__be16 checksum;
	__be32 reserved;
	struct ek_address target;
};

static __always_inline int counted(__u32 counter, int verdict)
{
	__u64 *count = bpf_map_lookup_elem(&real_counters, &counter);

	if (count)
		(*count)++;
	return verdict;
}

static __always_inline struct ek_real_vip *vip4(__be32 address)
{
	struct ek_real_vip_key key = { .address.word_be = { address }, .family = EK_IPV4 };

	return bpf_map_lookup_elem(&real_vips, &key);
}

static __always_inline struct ek_real_vip *vip6(const struct ek_address *address)
{
	struct ek_real_vip_key key = { .address = *address, .family = EK_IPV6 };

	return bpf_map_lookup_elem(&real_vips, &key);
}

/* Neighbours. */

static __noinline int guard_arp(struct __sk_buff *skb)
{
	struct ek_real_interface *own;
	__u32 interface = skb->ifindex;
	struct arp_ipv4 arp;
	__be32 sender, target, substitute = 0;

	if (bpf_skb_load_bytes(skb, L3, &arp, sizeof(arp)) || arp.protocol != bpf_htons(ETH_P_IP) ||
	    arp.hardware_bytes != ETH_ALEN || arp.protocol_bytes != 4)
		return NEXT;
	__builtin_memcpy(&sender, arp.sender, 4);
	__builtin_memcpy(&target, arp.target, 4);
	if (!vip4(sender))
		return NEXT;
	if (arp.operation != bpf_htons(ARP_REQUEST) || sender == target)
		return counted(EK_REAL_ARP_SILENCED, DROP);
	/* Without an address of its own it asks as a probe does: sender 0, which nobody notes down (RFC 5227 §1.1). */
	own = bpf_map_lookup_elem(&real_interfaces, &interface);
	if (own)
		substitute = own->ipv4_be;
	if (bpf_skb_store_bytes(skb, L3 + offsetof(struct arp_ipv4, sender), &substitute, 4, 0))
		return DROP;
	return counted(EK_REAL_ARP_RENAMED, NEXT);
}

static __always_inline bool is_zero(const struct ek_address *address)
{
	return !(address->word_be[0] | address->word_be[1] | address->word_be[2] | address->word_be[3]);
}

/* The source's words in the checksum of ICMPv6 are swapped with those in the header. */
static __always_inline int rename_solicitation(struct __sk_buff *skb, const struct ek_address *from)
{
	const __u32 checksum = L3 + IN6_HEADER + offsetof(struct nd_message, checksum);
	__u32 interface = skb->ifindex;
	struct ek_real_interface *own = bpf_map_lookup_elem(&real_interfaces, &interface);
	struct ek_address old = *from, new;
	__s64 difference;

	if (!own || is_zero(&own->ipv6))
		return counted(EK_REAL_ND_SILENCED, DROP);
	new = own->ipv6;
	difference = bpf_csum_diff(old.word_be, sizeof(old), new.word_be, sizeof(new), 0);
	if (difference < 0 || bpf_l4_csum_replace(skb, checksum, 0, difference, BPF_F_PSEUDO_HDR) ||
	    bpf_skb_store_bytes(skb, L3 + offsetof(struct ipv6hdr, saddr), &new, sizeof(new), 0))
		return DROP;
	return counted(EK_REAL_ND_RENAMED, NEXT);
}

static __noinline int guard_nd(struct __sk_buff *skb)
{
	struct nd_message message;
	struct ek_address source;

	if (bpf_skb_load_bytes(skb, L3 + IN6_HEADER, &message, sizeof(message)))
		return NEXT;
	if (message.type != ND_SOLICITATION && message.type != ND_ADVERTISEMENT)
		return NEXT;
	if (bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, saddr), &source, sizeof(source)))
		return NEXT;
	if (message.type == ND_ADVERTISEMENT)
		return vip6(&message.target) ? counted(EK_REAL_ND_SILENCED, DROP) : NEXT;
	/* Duplicate address detection (RFC 4862 §5.4.2): the balancer, which has the VIP too, is none. */
	if (is_zero(&source))
		return vip6(&message.target) ? counted(EK_REAL_ND_SILENCED, DROP) : NEXT;
	return vip6(&source) ? rename_solicitation(skb, &source) : NEXT;
}

/* MSS. */

#define MOST_OPTION_BYTES 40
#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTION_MSS 2
#define OPTION_BYTES 4 /* what follows the end of this one is of no interest: an MSS is as long */

/*
 * Looks at one TCP option (RFC 9293 §3.1): where the next one is; 0 when there is none; −at when it is an MSS. Not static, so
 * that the verifier looks at it once and not once for every way through the options before it.
 */
__noinline int next_option(struct __sk_buff *skb, __u32 at, __u32 end)
{
	__u8 option[2];

	if (at + OPTION_BYTES > end || bpf_skb_load_bytes(skb, at, option, sizeof(option)))
		return 0;
	if (option[0] == OPTION_NOTHING)
		return at + 1;
	if (option[0] == OPTION_END || option[1] < 2)
		return 0;
	return option[0] == OPTION_MSS && option[1] == OPTION_BYTES ? -(int)at : (int)(at + option[1]);
}

/* `offset` is that of the TCP header. */
static __noinline int lower_mss(struct __sk_buff *skb, __u32 offset, __u32 most)
{
	int at = offset + sizeof(struct tcphdr), i;
	__be16 old, new = bpf_htons(most);
	__u8 data_offset;

	if (bpf_skb_load_bytes(skb, offset + 12, &data_offset, 1))
		return NEXT;
	for (i = 0; i < MOST_OPTION_BYTES && at > 0; i++)
		at = next_option(skb, at, offset + (data_offset >> 4) * 4);
	if (at >= 0)
		return NEXT;
	at = -at + 2;
	if (bpf_skb_load_bytes(skb, at, &old, 2) || bpf_ntohs(old) <= most)
		return NEXT;
	if (bpf_skb_store_bytes(skb, at, &new, 2, 0))
		return DROP;
	/* At an odd offset each byte counts in the other half of a word (RFC 1071 §2(B)). */
	if ((at - offset) & 1) {
		old = __builtin_bswap16(old);
		new = __builtin_bswap16(new);
	}
	if (bpf_l4_csum_replace(skb, offset + offsetof(struct tcphdr, check), old, new, 2))
		return DROP;
	return counted(EK_REAL_MSS_LOWERED, NEXT);
}

#define TCP_SYN 0x02
#define TCP_ACK 0x10

static __always_inline bool answers_syn(struct __sk_buff *skb, __u32 offset)
{
	__u8 flags;

	return !bpf_skb_load_bytes(skb, offset + 13, &flags, 1) && (flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

static __noinline int out_ipv4(struct __sk_buff *skb)
{
	struct ek_real_vip *vip;
	struct iphdr ip;
	__u32 offset;

	if (bpf_skb_load_bytes(skb, L3, &ip, sizeof(ip)) || ip.protocol != IPPROTO_TCP || ip.ihl < 5 ||
	    (ip.frag_off & bpf_htons(FRAGMENT_BITS)))
		return NEXT;
	offset = L3 + ip.ihl * 4;
	if (!answers_syn(skb, offset))
		return NEXT;
	vip = vip4(ip.saddr);
	return vip && vip->mss ? lower_mss(skb, offset, vip->mss) : NEXT;
}

static __noinline int out_ipv6(struct __sk_buff *skb)
{
	struct ek_real_vip *vip;
	struct ek_address source;
	__u8 next;

	if (bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, nexthdr), &next, 1))
		return NEXT;
	if (next == IPPROTO_ICMPV6)
		return guard_nd(skb);
	if (next != IPPROTO_TCP || !answers_syn(skb, L3 + IN6_HEADER) ||
	    bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, saddr), &source, sizeof(source)))
		return NEXT;
	vip = vip6(&source);
	return vip && vip->mss ? lower_mss(skb, L3 + IN6_HEADER, vip->mss) : NEXT;
}

SEC("tc")
int real_out(struct __sk_buff *skb)
{
	switch (skb->protocol) {
	case bpf_htons(ETH_P_ARP):
		return guard_arp(skb);
	case bpf_htons(ETH_P_IP):
		return out_ipv4(skb);
	case bpf_htons(ETH_P_IPV6):
		return out_ipv6(skb);
	}
	return NEXT;
}

/* Tunnels. */

/* A router's interface may see packets for the tunnels of others. BPF_FIB_LKUP_RET_FWD_DISABLED: it is none, so what came
 * to this host's Ethernet address can go nowhere else. NOT_FWDED: one of this host's own addresses. */
static __noinline bool ends_here(struct __sk_buff *skb, __u32 outer)
{
	struct bpf_fib_lookup where = { .ifindex = skb->ifindex };
	long result;

	if (outer == EK_IPV4) {
		where.family = AF_INET;
		if (bpf_skb_load_bytes(skb, L3 + offsetof(struct iphdr, saddr), &where.ipv4_src, 4) ||
		    bpf_skb_load_bytes(skb, L3 + offsetof(struct iphdr, daddr), &where.ipv4_dst, 4))
			return false;
	} else {
		where.family = AF_INET6;
		if (bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, saddr), where.ipv6_src, 16) ||
		    bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, daddr), where.ipv6_dst, 16))
			return false;
	}
	result = bpf_fib_lookup(skb, &where, sizeof(where), 0);
	return result == BPF_FIB_LKUP_RET_NOT_FWDED || result == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* Takes `bytes` off between the Ethernet and the inner header, after which the packet is of the family `inner`. */
static __always_inline long strip(struct __sk_buff *skb, int bytes, __u32 outer, __u32 inner)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	__be16 protocol = inner == EK_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	long error;

	if (outer == inner)
		return bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC, flags);
	error = bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC,
				    flags | (inner == EK_IPV4 ? ADJ_ROOM_DECAP_L3_IPV4 : ADJ_ROOM_DECAP_L3_IPV6));
	if (error) {
		/* Before 6.3 a packet changes family only by growing (to IPv6) or shrinking (to IPv4) by 20 bytes. */
		error = bpf_skb_change_proto(skb, protocol, 0);
		bytes += inner == EK_IPV4 ? -20 : 20;
		if (!error)
			error = bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC, flags);
	}
	return error ? error : bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0);
}

static __always_inline bool is_for_tunnel(struct __sk_buff *skb, __u32 offset, __u32 inner, __u8 *ecn)
{
	struct ek_address destination = {};
	struct ek_real_vip *vip;
	__u8 start[2];

	if (bpf_skb_load_bytes(skb, offset, start, 2) || start[0] >> 4 != inner)
		return false;
	if (inner == EK_IPV4) {
		if (bpf_skb_load_bytes(skb, offset + offsetof(struct iphdr, daddr), &destination, 4))
			return false;
		vip = vip4(destination.word_be[0]);
		*ecn = start[1] & ECN_MASK;
	} else {
		if (bpf_skb_load_bytes(skb, offset + offsetof(struct ipv6hdr, daddr), &destination, 16))
			return false;
		vip = vip6(&destination);
		*ecn = start[1] >> 4 & ECN_MASK;
	}
	return vip && (vip->flags & EK_REAL_TUNNEL);
}

static __always_inline int decapsulate(struct __sk_buff *skb, int bytes, __u32 outer, __u8 protocol, __u8 outer_ecn)
{
	__u32 inner = protocol == IPPROTO_IPIP ? EK_IPV4 : EK_IPV6;
	__u8 ecn = 0;

	if (!is_for_tunnel(skb, L3 + bytes, inner, &ecn) || !ends_here(skb, outer))
		return NEXT;
	if (outer_ecn == ECN_CE && ecn == 0)
		return counted(EK_REAL_TUNNEL_ECN, DROP);
	if (strip(skb, bytes, outer, inner))
		return counted(EK_REAL_TUNNEL_BROKEN, DROP);
	if (outer_ecn == ECN_CE)
		bpf_skb_ecn_set_ce(skb);
	return counted(EK_REAL_DECAPSULATED, NEXT);
}

static __noinline int in_ipv4(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, L3, &ip, sizeof(ip)) || (ip.protocol != IPPROTO_IPIP && ip.protocol != IPPROTO_IPV6) ||
	    ip.ihl < 5)
		return NEXT;
	if (ip.frag_off & bpf_htons(FRAGMENT_BITS))
		return counted(EK_REAL_TUNNEL_FRAGMENT, NEXT);
	return decapsulate(skb, ip.ihl * 4, EK_IPV4, ip.protocol, ip.tos & ECN_MASK);
}

static __noinline int in_ipv6(struct __sk_buff *skb)
{
	int bytes = IN6_HEADER;
	__u8 extension[2], next, start[2];

	if (bpf_skb_load_bytes(skb, L3, start, 2) ||
	    bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, nexthdr), &next, 1))
		return NEXT;
	/* The tunnel encapsulation limit (RFC 2473 §4.1.1), which Linux's own ip6tnl writes, is such an extension. */
	if (next == EXTENSION_DESTINATION) {
		if (bpf_skb_load_bytes(skb, L3 + IN6_HEADER, extension, 2))
			return NEXT;
		next = extension[0];
		bytes += (extension[1] + 1) * 8;
	}
	if (next != IPPROTO_IPIP && next != IPPROTO_IPV6)
		return NEXT;
	return decapsulate(skb, bytes, EK_IPV6, next, start[1] >> 4 & ECN_MASK);
}

SEC("tc")
int real_in(struct __sk_buff *skb)
{
	/* Of another VLAN: the interface of that VLAN has a program of its own. */
	if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return NEXT;
	switch (skb->protocol) {
	case bpf_htons(ETH_P_IP):
		return in_ipv4(skb);
	case bpf_htons(ETH_P_IPV6):
		return in_ipv6(skb);
	}
	return NEXT;
}
