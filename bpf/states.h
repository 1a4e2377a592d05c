/*
 * TCP as IPVS sees it (ip_vs_proto_tcp.c; l4.md §1.3): what a packet makes of a connection's state, and how long it may
 * then be silent. UDP has one state.
 */
#ifndef EVENKEEL_STATES_H
#define EVENKEEL_STATES_H

#include "maps.h"
#include "parse.h"

/* Server's answers seen or not: with DR and TUN only the client's packets pass. */
enum ek_direction { EK_INPUT, EK_OUTPUT, EK_INPUT_ONLY };

enum ek_event { EK_EVENT_SYN, EK_EVENT_FIN, EK_EVENT_ACK, EK_EVENT_RST, EK_EVENT_NONE };

/* Initials of the states, in the order of enum ek_state. */
#define NO EK_NONE
#define ES EK_ESTABLISHED
#define SS EK_SYN_SENT
#define SR EK_SYN_RECV
#define FW EK_FIN_WAIT
#define TW EK_TIME_WAIT
#define CL EK_CLOSE
#define CW EK_CLOSE_WAIT
#define LA EK_LAST_ACK
#define LI EK_LISTEN
#define SA EK_SYNACK

/* [direction][event][state], padded so that masked indices stay inside. */
static const volatile __u8 ek_transitions[4][4][16] = {
	[EK_INPUT] = {
		/*                   NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
		[EK_EVENT_SYN] = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
		[EK_EVENT_FIN] = { CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW },
		[EK_EVENT_ACK] = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[EK_EVENT_RST] = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR },
	},
	[EK_OUTPUT] = {
		[EK_EVENT_SYN] = { SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR },
		[EK_EVENT_FIN] = { TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
		[EK_EVENT_ACK] = { ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
		[EK_EVENT_RST] = { CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
	},
	[EK_INPUT_ONLY] = {
		[EK_EVENT_SYN] = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
		[EK_EVENT_FIN] = { CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW },
		[EK_EVENT_ACK] = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[EK_EVENT_RST] = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
	},
};

#undef NO
#undef ES
#undef SS
#undef SR
#undef FW
#undef TW
#undef CL
#undef CW
#undef LA
#undef LI
#undef SA

/* Precedence of the flags, as tcp_state_idx of IPVS: RST, SYN, FIN, ACK. */
static __always_inline __u32 ek_event(__u8 tcp_flags)
{
	if (tcp_flags & EK_RST)
		return EK_EVENT_RST;
	if (tcp_flags & EK_SYN)
		return EK_EVENT_SYN;
	if (tcp_flags & EK_FIN)
		return EK_EVENT_FIN;
	return tcp_flags & EK_ACK ? EK_EVENT_ACK : EK_EVENT_NONE;
}

static __always_inline __u32 ek_next_state(__u32 direction, __u32 event, __u32 state)
{
	if (event >= EK_EVENT_NONE)
		return EK_CLOSE;
	return ek_transitions[direction & 3][event & 3][state & 15];
}

/* Counted in ActiveConn (tcp_state_active_table of IPVS); UDP never is. */
static __always_inline int ek_is_active(__u32 state)
{
	return state == EK_ESTABLISHED || state == EK_SYN_SENT || state == EK_SYN_RECV || state == EK_SYNACK;
}

/* A new SYN may be served by another server at once: the old conversation is over, or as good as over. */
static __always_inline int ek_is_closing(__u32 state)
{
	return state >= EK_FIN_WAIT && state <= EK_LAST_ACK;
}

static __always_inline __u64 ek_timeout_ns(const struct ek_connection *connection, __u32 state)
{
	__u32 zero = 0, milliseconds = connection->timeout_ms;
	struct ek_settings *set;

	/* A half-open entry that was given little time gets its state's time as soon as it is more than that. */
	if (!milliseconds || (state != EK_SYN_RECV && !(connection->flags & EK_CONNECTION_TEMPLATE))) {
		set = bpf_map_lookup_elem(&settings, &zero);
		/* One register for test and index: the verifier of 6.1 does not connect two copies. */
		asm volatile("" : "+r"(state));
		if (set && state < EK_STATES)
			milliseconds = set->timeout_ms[state];
	}
	return (milliseconds ? milliseconds : 2000) * 1000000ull;
}

#endif
