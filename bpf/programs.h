/*
 * The slow paths, reached by tail call. libbpf fills the map from this table when it loads the object, into the pinned
 * map too, so user space need not.
 */
#ifndef EVENKEEL_PROGRAMS_H
#define EVENKEEL_PROGRAMS_H

#include "maps.h"

int schedule_rr(struct __sk_buff *skb);
int schedule_wrr(struct __sk_buff *skb);
int schedule_lc(struct __sk_buff *skb);
int schedule_wlc(struct __sk_buff *skb);
int schedule_sh(struct __sk_buff *skb);
int schedule_dh(struct __sk_buff *skb);
int schedule_mh(struct __sk_buff *skb);
int schedule_sed(struct __sk_buff *skb);
int schedule_nq(struct __sk_buff *skb);
int schedule_fo(struct __sk_buff *skb);
int schedule_ovf(struct __sk_buff *skb);
int schedule_lblc(struct __sk_buff *skb);
int schedule_lblcr(struct __sk_buff *skb);
int schedule_twos(struct __sk_buff *skb);
int icmp(struct __sk_buff *skb);
int fragment(struct __sk_buff *skb);
int answer(struct __sk_buff *skb);
int renew(struct __sk_buff *skb);
int forward(struct __sk_buff *skb);
int ingress(struct __sk_buff *skb);
int egress(struct __sk_buff *skb);
int ingress6(struct __sk_buff *skb);
int egress6(struct __sk_buff *skb);
int birth(struct __sk_buff *skb);
int icmp6(struct __sk_buff *skb);
int fragment6(struct __sk_buff *skb);
int overhear(struct __sk_buff *skb);
int tunnel_error(struct __sk_buff *skb);
int split(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, EK_PROGRAMS);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} programs SEC(".maps") = {
	.values = {
		[EK_RR] = (void *)&schedule_rr,
		[EK_WRR] = (void *)&schedule_wrr,
		[EK_LC] = (void *)&schedule_lc,
		[EK_WLC] = (void *)&schedule_wlc,
		[EK_SH] = (void *)&schedule_sh,
		[EK_DH] = (void *)&schedule_dh,
		[EK_MH] = (void *)&schedule_mh,
		[EK_SED] = (void *)&schedule_sed,
		[EK_NQ] = (void *)&schedule_nq,
		[EK_FO] = (void *)&schedule_fo,
		[EK_OVF] = (void *)&schedule_ovf,
		[EK_LBLC] = (void *)&schedule_lblc,
		[EK_LBLCR] = (void *)&schedule_lblcr,
		[EK_TWOS] = (void *)&schedule_twos,
		[EK_PROGRAM_ICMP] = (void *)&icmp,
		[EK_PROGRAM_FRAGMENT] = (void *)&fragment,
		[EK_PROGRAM_ANSWER] = (void *)&answer,
		[EK_PROGRAM_RENEW] = (void *)&renew,
		[EK_PROGRAM_FORWARD] = (void *)&forward,
		[EK_PROGRAM_INGRESS] = (void *)&ingress,
		[EK_PROGRAM_EGRESS] = (void *)&egress,
		[EK_PROGRAM_INGRESS6] = (void *)&ingress6,
		[EK_PROGRAM_EGRESS6] = (void *)&egress6,
		[EK_PROGRAM_BIRTH] = (void *)&birth,
		[EK_PROGRAM_ICMP6] = (void *)&icmp6,
		[EK_PROGRAM_FRAGMENT6] = (void *)&fragment6,
		[EK_PROGRAM_OVERHEAR] = (void *)&overhear,
		[EK_PROGRAM_TUNNEL_ERROR] = (void *)&tunnel_error,
		[EK_PROGRAM_SPLIT] = (void *)&split,
	},
};

#endif
