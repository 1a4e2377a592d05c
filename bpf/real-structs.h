/*
 * What the programs of a real server keep in their maps (real.bpf.c). The only description of these layouts: user space
 * reads them from the type information (BTF) of the compiled object. Numbers are in host order unless a name ends in _be.
 */
#ifndef EVENKEEL_REAL_STRUCTS_H
#define EVENKEEL_REAL_STRUCTS_H

#include "structs.h"

/* Key of `real_vips`. */
struct ek_real_vip_key {
	struct ek_address address;
	__u32 family; /* enum ek_family */
};

enum ek_real_flag {
	EK_REAL_TUNNEL = 0x1,      /* packets for it are taken out of tunnels */
	EK_REAL_OWN_ADDRESS = 0x2, /* the address on lo is our work, and ours to remove */
};

/* Value of `real_vips`: written by user space only. */
struct ek_real_vip {
	__u32 flags; /* enum ek_real_flag */
	__u32 mss;   /* the most that clients are offered; 0: as it comes */
};

/* `real_interfaces[ifindex]`: what speaks in the place of a VIP towards neighbours. Zero: none known. */
struct ek_real_interface {
	__u32 ipv4_be;
	__u32 pad;
	struct ek_address ipv6; /* link-local */
};

/* Indexes of `real_counters`, packets each. */
enum ek_real_counter {
	EK_REAL_ARP_SILENCED,    /* answers and announcements for a VIP that were not sent */
	EK_REAL_ARP_RENAMED,     /* requests that asked in the name of the interface's own address */
	EK_REAL_ND_SILENCED,     /* the same for IPv6 */
	EK_REAL_ND_RENAMED,
	EK_REAL_DECAPSULATED,
	EK_REAL_TUNNEL_FRAGMENT, /* left alone: part of a tunnel packet */
	EK_REAL_TUNNEL_BROKEN,   /* dropped: the headers could not be taken off */
	EK_REAL_TUNNEL_ECN,      /* dropped: congestion was marked on a flow that cannot hear of it (RFC 6040 §4.2) */
	EK_REAL_MSS_LOWERED,
	EK_REAL_COUNTERS,
};

#endif
