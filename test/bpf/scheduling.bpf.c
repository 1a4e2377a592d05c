/*
 * The schedulers alone: a program each, that takes a client and a service's key from the "packet" and returns the server's
 * number. It counts what was chosen as the connection table would, but makes no connection: so many scenarios can be played
 * on kernels that are short of timers.
 */
#include "../../bpf/count.h"
#include "../../bpf/schedule.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* From byte 14 of the packet on. */
struct question {
	struct ek_service_key key;
	struct ek_address source;
	struct ek_address destination;
	__u16 source_port_be;
	__u8 protocol;
	__u8 family;
};

#define CHOOSE(name, scheduler)                                                                                        \
	SEC("tc") int choose_##name(struct __sk_buff *skb)                                                             \
	{                                                                                                              \
		struct ek_packet *packet;                                                                              \
		struct question question;                                                                              \
		__u32 zero = 0, server;                                                                                \
		struct ek_service *service;                                                                            \
                                                                                                                       \
		if (bpf_skb_load_bytes(skb, 14, &question, sizeof(question)))                                          \
			return EK_NO_SERVER;                                                                           \
		packet = bpf_map_lookup_elem(&packets, &zero);                                                         \
		service = bpf_map_lookup_elem(&services, &question.key);                                               \
		if (!packet || !service)                                                                               \
			return EK_NO_SERVER;                                                                           \
		packet->source = question.source;                                                                      \
		packet->destination = question.destination;                                                            \
		packet->source_port_be = question.source_port_be;                                                      \
		packet->protocol = question.protocol;                                                                  \
		packet->family = question.family;                                                                      \
		server = ek_choose(service, packet, scheduler);                                                        \
		if (server != EK_NO_SERVER)                                                                            \
			ek_count_connection(server, question.protocol == IPPROTO_TCP ? EK_SYN_RECV : EK_UDP, 1);       \
		return server;                                                                                         \
	}

CHOOSE(rr, EK_RR)
CHOOSE(wrr, EK_WRR)
CHOOSE(lc, EK_LC)
CHOOSE(wlc, EK_WLC)
CHOOSE(sh, EK_SH)
CHOOSE(dh, EK_DH)
CHOOSE(mh, EK_MH)
CHOOSE(sed, EK_SED)
CHOOSE(nq, EK_NQ)
CHOOSE(fo, EK_FO)
CHOOSE(ovf, EK_OVF)
CHOOSE(lblc, EK_LBLC)
CHOOSE(lblcr, EK_LBLCR)
CHOOSE(twos, EK_TWOS)

/* A connection of the server whose number is at byte 14 closes. */
SEC("tc") int close_one(struct __sk_buff *skb)
{
	__u32 server;

	if (bpf_skb_load_bytes(skb, 14, &server, sizeof(server)))
		return 1;
	ek_count_change(server, EK_ESTABLISHED, EK_FIN_WAIT);
	return 0;
}
