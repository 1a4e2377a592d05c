/*
 * The layer-4 data plane: what IPVS does, on tcx (or clsact) hooks. `ingress` belongs on the ingress hook of every
 * interface, lo included; `egress` where connections start on the balancer itself or answers of a local NAT server leave.
 *
 * A packet that is not for a virtual service is left alone: -1 is TCX_NEXT, and TC_ACT_UNSPEC for clsact.
 */
#include "answer.h"
#include "birth.h"
#include "fragment.h"
#include "icmp.h"
#include "tunnel-error.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __always_inline int ek_apart(struct __sk_buff *skb, __u32 outward, __u32 program)
{
	struct ek_packet *kept = ek_packet();

	if (kept) {
		kept->outward = outward;
		bpf_tail_call(skb, &programs, program);
	}
	return EK_LEAVE;
}

/* For no connection: the beginning of one, or not for us. */
static __always_inline int ek_unknown(struct __sk_buff *skb, struct ek_packet *packet, __u32 features)
{
	struct ek_service_key key;
	struct ek_service *service = ek_service_find(packet, features, &key);
	struct ek_packet *kept;

	if (!service) {
		if (packet->protocol == IPPROTO_TCP && packet->tcp_flags & (EK_SYN | EK_FIN | EK_RST))
			return ek_apart(skb, packet->outward, EK_PROGRAM_OVERHEAR);
		return EK_LEAVE;
	}
	if (ek_is_martian(packet))
		return EK_LEAVE;
	if (!ek_may_begin(packet)) {
		ek_reason(EK_REASON_NO_CONNECTION);
		return EK_LEAVE;
	}
	kept = ek_packet();
	if (!kept)
		return EK_DROP;
	ek_service_keep(kept, service, &key);
	return ek_continue(skb, packet, service->scheduler);
}

/* `cut` is a constant: true in the programs for them. */
static __always_inline int ek_handle(struct __sk_buff *skb, const __u32 family, const __u32 outward, const int cut)
{
	struct ek_settings *set = ek_settings();
	struct ek_connection *connection = NULL;
	struct ek_reply *reply = NULL;
	union ek_connection_key key;
	union ek_reply_key reply_key;
	struct ek_packet parsed, *packet = cut ? ek_packet() : &parsed; /* little stack is left for the others */
	__u32 interface, *backward = NULL, guess = 0;
	__u64 now;

	if (!packet || !set || !(set->features & EK_FEATURE_SERVICES))
		return EK_LEAVE;
	packet->outward = outward;
	packet->server = EK_NO_SERVER;
	packet->answer = EK_ANSWER_NONE;
	packet->answer_mtu = 0;
	packet->answer_sequence_be = 0;
	switch (cut ? EK_PARSED : ek_parse(skb, packet, family)) {
	case EK_PARSED:
		if (!cut)
			break;
		if (!ek_parse_fragment(skb, packet, family))
			return EK_LEAVE;
		if (packet->server != EK_NO_SERVER)
			return ek_continue(skb, packet, EK_PROGRAM_FORWARD);
		break;
	case EK_PARSED_FRAGMENT:
		return ek_apart(skb, outward, family == EK_IPV4 ? EK_PROGRAM_FRAGMENT : EK_PROGRAM_FRAGMENT6);
	case EK_PARSED_ICMP:
		return ek_apart(skb, outward, family == EK_IPV4 ? EK_PROGRAM_ICMP : EK_PROGRAM_ICMP6);
	default:
		return EK_LEAVE;
	}
	now = bpf_ktime_get_coarse_ns();
	ek_connection_key(&key, packet, family);
	if (set->features & EK_FEATURE_NAT) {
		interface = packet->interface & 63;
		backward = bpf_map_lookup_elem(&directions, &interface);
		guess = backward ? *backward : 0;
		if (family == EK_IPV4) {
			reply_key.four.server_be = packet->source.word_be[0];
			reply_key.four.client_be = packet->destination.word_be[0];
			reply_key.four.server_port_be = packet->source_port_be;
			reply_key.four.client_port_be = packet->destination_port_be;
			reply_key.four.protocol = packet->protocol;
			__builtin_memset(reply_key.four.pad, 0, 3);
		} else {
			reply_key.six.server = packet->source;
			reply_key.six.client = packet->destination;
			reply_key.six.server_port_be = packet->source_port_be;
			reply_key.six.client_port_be = packet->destination_port_be;
			reply_key.six.protocol = packet->protocol;
			__builtin_memset(reply_key.six.pad, 0, 3);
		}
	}
	if (!guess)
		connection = ek_connection_find(&key, family);
	if (!connection && backward) {
		reply = ek_reply_find(&reply_key, family);
		if (reply) {
			if (!guess)
				*backward = 1;
			return ek_from_server(skb, packet, family, reply, now);
		}
		if (guess) {
			connection = ek_connection_find(&key, family);
			if (connection)
				*backward = 0;
		}
	}
	if (connection)
		return ek_from_client(skb, packet, family, &key, connection, now);
	return ek_unknown(skb, packet, set->features);
}

SEC("tc") int ingress(struct __sk_buff *skb)
{
	__u32 family = ek_family(skb);

	if (skb->pkt_type != 0) /* PACKET_HOST */
		return EK_LEAVE;
	if (family == EK_IPV4)
		return ek_handle(skb, EK_IPV4, 0, 0);
	if (family == EK_IPV6)
		bpf_tail_call(skb, &programs, EK_PROGRAM_INGRESS6);
	return EK_LEAVE;
}

SEC("tc") int ingress6(struct __sk_buff *skb)
{
	return ek_handle(skb, EK_IPV6, 0, 0);
}

static __always_inline int ek_mark_sent(struct __sk_buff *skb, int verdict)
{
	if (verdict == 7) /* TC_ACT_REDIRECT */
		skb->tc_index = EK_SENT;
	return verdict;
}

SEC("tc") int egress(struct __sk_buff *skb)
{
	__u32 family;

	/* What came in elsewhere was seen there. */
	if (skb->ingress_ifindex)
		return EK_LEAVE;
	family = ek_family(skb);
	if (skb->tc_index == EK_SENT) {
		skb->tc_index = 0;
		return EK_LEAVE;
	}
	if (family == EK_IPV4)
		return ek_mark_sent(skb, ek_handle(skb, EK_IPV4, 1, 0));
	if (family == EK_IPV6)
		bpf_tail_call(skb, &programs, EK_PROGRAM_EGRESS6);
	return EK_LEAVE;
}

SEC("tc") int egress6(struct __sk_buff *skb)
{
	return ek_mark_sent(skb, ek_handle(skb, EK_IPV6, 1, 0));
}

#define EK_SCHEDULE(name, scheduler)                                                                                   \
	SEC("tc") int schedule_##name(struct __sk_buff *skb)                                                           \
	{                                                                                                              \
		return ek_choose_server(skb, scheduler);                                                               \
	}
EK_SCHEDULE(rr, EK_RR)
EK_SCHEDULE(wrr, EK_WRR)
EK_SCHEDULE(lc, EK_LC)
EK_SCHEDULE(wlc, EK_WLC)
EK_SCHEDULE(sh, EK_SH)
EK_SCHEDULE(dh, EK_DH)
EK_SCHEDULE(mh, EK_MH)
EK_SCHEDULE(sed, EK_SED)
EK_SCHEDULE(nq, EK_NQ)
EK_SCHEDULE(fo, EK_FO)
EK_SCHEDULE(ovf, EK_OVF)
EK_SCHEDULE(lblc, EK_LBLC)
EK_SCHEDULE(lblcr, EK_LBLCR)
EK_SCHEDULE(twos, EK_TWOS)

SEC("tc") int birth(struct __sk_buff *skb)
{
	struct ek_packet *packet = ek_packet();

	return packet ? ek_begin(skb, packet) : EK_DROP;
}

SEC("tc") int renew(struct __sk_buff *skb)
{
	return ek_renew(skb);
}

/* To ek_packet.server, without a connection. */
SEC("tc") int forward(struct __sk_buff *skb)
{
	struct ek_packet *packet = ek_packet();
	struct ek_server *server;
	__u32 number;
	__u64 now = bpf_ktime_get_coarse_ns();

	if (!packet)
		return EK_DROP;
	number = packet->server;
	server = bpf_map_lookup_elem(&servers, &number);
	if (!server)
		return EK_DROP;
	ek_fragment_alone(skb, packet);
	if (packet->family == EK_IPV4)
		return ek_to_server(skb, packet, EK_IPV4, number, server, server->method,
				    server->port_be ? server->port_be : packet->destination_port_be, NULL, now);
	return ek_to_server(skb, packet, EK_IPV6, number, server, server->method,
			    server->port_be ? server->port_be : packet->destination_port_be, NULL, now);
}

static __always_inline int ek_as_seen(struct __sk_buff *skb, const struct ek_packet *packet, int verdict)
{
	return packet->outward ? ek_mark_sent(skb, verdict) : verdict;
}

static __always_inline int ek_handle_icmp(struct __sk_buff *skb, const __u32 family)
{
	struct ek_packet *packet = ek_packet();

	return packet ? ek_as_seen(skb, packet, ek_icmp(skb, packet, family)) : EK_DROP;
}

SEC("tc") int icmp(struct __sk_buff *skb)
{
	return ek_handle_icmp(skb, EK_IPV4);
}

SEC("tc") int icmp6(struct __sk_buff *skb)
{
	return ek_handle_icmp(skb, EK_IPV6);
}

SEC("tc") int tunnel_error(struct __sk_buff *skb)
{
	struct ek_packet *packet = ek_packet();

	return packet ? ek_tunnel_error(skb, packet) : EK_DROP;
}

static __always_inline int ek_handle_fragment(struct __sk_buff *skb, const __u32 family)
{
	struct ek_packet *packet = ek_packet();

	return packet ? ek_as_seen(skb, packet, ek_handle(skb, family, packet->outward, 1)) : EK_DROP;
}

SEC("tc") int fragment(struct __sk_buff *skb)
{
	return ek_handle_fragment(skb, EK_IPV4);
}

SEC("tc") int fragment6(struct __sk_buff *skb)
{
	return ek_handle_fragment(skb, EK_IPV6);
}

SEC("tc") int split(struct __sk_buff *skb)
{
	struct ek_packet *packet = ek_packet();

	return packet ? ek_split(skb, packet) : EK_DROP;
}

SEC("tc") int answer(struct __sk_buff *skb)
{
	struct ek_packet *packet = ek_packet();

	return packet ? ek_answer_packet(skb, packet) : EK_DROP;
}

/* For no service, but perhaps what a server of DR or TUN answers. */
SEC("tc") int overhear(struct __sk_buff *skb)
{
	struct ek_packet *packet = ek_packet();
	__u32 family = ek_family(skb);

	if (packet && (family == EK_IPV4 ? ek_parse(skb, packet, EK_IPV4) : ek_parse(skb, packet, EK_IPV6)) == EK_PARSED)
		ek_overhear(packet, family);
	return EK_LEAVE;
}

/* No packet comes here: user space runs it once, after an upgrade and when the daemon starts. */
SEC("tc") int revive(struct __sk_buff *skb)
{
	ek_revive();
	return EK_LEAVE;
}
