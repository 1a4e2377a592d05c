/*
 * The layer-4 data plane: what IPVS does, on tcx (or clsact) hooks. `ingress` belongs on the ingress hook of every
 * interface, lo included; `egress` where connections start on the balancer itself or answers of a local NAT server leave.
 *
 * A packet that is not for a virtual service is left alone: -1 is TCX_NEXT, and TC_ACT_UNSPEC for clsact.
 */
#include "programs.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("tc") int ingress(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, EK_RR);
	return -1;
}

SEC("tc") int egress(struct __sk_buff *skb)
{
	return skb->len ? -1 : 0;
}

/*
 * schedule.h offers the choice, with a constant scheduler so that each program holds only its own:
 *   static __always_inline __u32 ek_choose(const struct ek_service *service, const struct ek_packet *packet, __u32 scheduler)
 * a server's number or EK_NO_SERVER. It looks at servers, server_states, lists and may move service_states' cursor; it
 * changes nothing else. Persistence asks it only when there is no template, so it knows nothing about it.
 */
#define EK_SCHEDULE(name, scheduler)                                                                                   \
	SEC("tc") int schedule_##name(struct __sk_buff *skb)                                                           \
	{                                                                                                              \
		return skb->len ? -1 : scheduler;                                                                      \
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

SEC("tc") int icmp(struct __sk_buff *skb)
{
	return skb->len ? -1 : 0;
}

SEC("tc") int fragment(struct __sk_buff *skb)
{
	return skb->len ? -1 : 0;
}

SEC("tc") int answer(struct __sk_buff *skb)
{
	return skb->len ? -1 : 0;
}
