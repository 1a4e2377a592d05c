/*
 * Traffic for bench/director.ts: `generate` is run by BPF_PROG_TEST_RUN with live frames, which puts each frame into the
 * stack as if the interface had received it; the other two count and drop what arrives at the far ends.
 *
 * The frame's memory is used again for a later frame, with whatever the stack left in it, so every header is written anew.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum what {
	ESTABLISHED, /* an ACK with data, of each flow in turn */
	SYN_ONLY,    /* opens the flows of ESTABLISHED */
	SHORT,       /* flow after flow: SYN, ACK, ACK with data, FIN */
	DISCARD,     /* makes the frame and drops it: what the generator itself costs */
};

struct traffic {
	__u64 next; /* number of the next packet */
	enum what what;
	__u32 first; /* number of the first flow */
	__u32 flows;
	__u32 source; /* of flow 0; 64 addresses in a row in turn, then the next port */
	__u32 target;
	__u32 targets; /* target addresses in a row that flows use in turn */
	__u32 shift;   /* that of flow 0 */
	__u16 target_port;
	__u16 length; /* of the IP packet */
	__u8 reply;   /* 1: from target to source */
	__u8 target_mac[ETH_ALEN];
	__u8 source_mac[ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* the server's end, the client's */
	__type(key, __u32);
	__type(value, __u64);
} swallowed SEC(".maps");

static __always_inline __u16 header_checksum(const struct iphdr *ip)
{
	const __u16 *word = (const void *)ip;
	__u32 sum = 0;
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("xdp")
int generate(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 zero = 0;
	struct traffic *t = bpf_map_lookup_elem(&traffic, &zero);

	if (!t || (void *)(tcp + 1) > end)
		return XDP_ABORTED;
	__u64 n = t->next++;
	__u32 step = t->what == SHORT ? n & 3 : 0;
	__u32 flow = t->first + (t->what == SHORT ? n >> 2 : (t->flows ? n % t->flows : 0));
	__be32 source = bpf_htonl(t->source + (flow & 63) + 64 * (flow >> 20));
	__be16 source_port = bpf_htons(1024 + (flow >> 6 & 0x3fff));
	__be16 target_port = bpf_htons(t->target_port);
	__be32 target = bpf_htonl(t->target + (t->targets ? (flow + t->shift) % t->targets : 0));

	__builtin_memcpy(ethernet->h_dest, t->target_mac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, t->source_mac, ETH_ALEN);
	ethernet->h_proto = bpf_htons(ETH_P_IP);
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(t->length);
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->protocol = IPPROTO_TCP;
	ip->saddr = t->reply ? target : source;
	ip->daddr = t->reply ? source : target;
	ip->check = header_checksum(ip);
	__builtin_memset(tcp, 0, sizeof(*tcp));
	tcp->source = t->reply ? target_port : source_port;
	tcp->dest = t->reply ? source_port : target_port;
	tcp->doff = 5;
	tcp->syn = t->what == SYN_ONLY || (t->what == SHORT && step == 0);
	tcp->ack = !tcp->syn;
	tcp->fin = step == 3;
	tcp->window = bpf_htons(1024);
	return t->what == DISCARD ? XDP_DROP : XDP_PASS;
}

static __always_inline int count_and_drop(struct __sk_buff *skb, __u32 end)
{
	__u64 *count = bpf_map_lookup_elem(&swallowed, &end);

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	if (count)
		__sync_fetch_and_add(count, 1);
	return TC_ACT_SHOT;
}

SEC("tc")
int swallow_server(struct __sk_buff *skb)
{
	return count_and_drop(skb, 0);
}

SEC("tc")
int swallow_client(struct __sk_buff *skb)
{
	return count_and_drop(skb, 1);
}
