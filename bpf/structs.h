/*
 * What the layer-4 data plane keeps in its maps. The only description of these layouts: user space reads them from the
 * type information (BTF) of the compiled object, so a field is added here and nowhere else.
 *
 * Numbers are in host order unless a name ends in _be. IPv4 addresses lie in the first four bytes of an address; the rest
 * is zero.
 */
#ifndef EVENKEEL_STRUCTS_H
#define EVENKEEL_STRUCTS_H

#include <linux/types.h>

/* Of one map value of `lists`: server numbers, the unit in which user space hands out room. */
#define EK_CHUNK_SLOTS 64
/* In a scheduler's table: nobody. */
#define EK_NO_SERVER 0xffffffffu

enum ek_family { EK_IPV4 = 4, EK_IPV6 = 6 };

/* ip_vs.h: IP_VS_CONN_F_* forwarding methods, and listings print them. */
enum ek_method { EK_NAT = 0, EK_TUN = 2, EK_DR = 3 };

enum ek_tunnel { EK_IPIP = 0, EK_GUE = 1, EK_GRE = 2 };

/* l4.md §1.2. The order is that of the array of scheduler programs. */
enum ek_scheduler {
	EK_RR, EK_WRR, EK_LC, EK_WLC, EK_SH, EK_DH, EK_MH, EK_SED, EK_NQ, EK_FO, EK_OVF, EK_LBLC, EK_LBLCR, EK_TWOS,
	EK_SCHEDULERS,
};

/* ip_vs.h: IP_VS_TCP_S_*. */
enum ek_state {
	EK_NONE, EK_ESTABLISHED, EK_SYN_SENT, EK_SYN_RECV, EK_FIN_WAIT, EK_TIME_WAIT, EK_CLOSE, EK_CLOSE_WAIT, EK_LAST_ACK,
	EK_LISTEN, EK_SYNACK, EK_TCP_STATES,
	EK_UDP = EK_TCP_STATES, EK_STATES,
};

/* ip_vs.h: IP_VS_SVC_F_*, and two of ours. */
enum ek_service_flag {
	EK_SERVICE_PERSISTENT = 0x1,
	EK_SERVICE_ONE_PACKET = 0x4,
	EK_SERVICE_FALLBACK = 0x8,  /* flag-1: sh-fallback, mh-fallback */
	EK_SERVICE_PORT = 0x10,     /* flag-2: sh-port, mh-port */
	EK_SERVICE_FLAG3 = 0x20,
	EK_SERVICE_OF_DAEMON = 0x100,  /* configured by evenkeel run, not by hand */
};

/* What becomes of a connection whose server is gone. */
enum ek_on_server_down { EK_RESET, EK_MOVE, EK_KEEP };

struct ek_address {
	__u32 word_be[4];
};

/* Key of `services`. With a firewall mark all but `mark` and `family` are zero. */
struct ek_service_key {
	struct ek_address address;
	__u16 port_be;
	__u8 protocol; /* IPPROTO_* */
	__u8 family;   /* enum ek_family */
	__u32 mark;
};

/* Value of `services`: written by user space only. */
struct ek_service {
	__u32 number; /* index of `service_states` */
	__u32 scheduler;
	__u32 flags;
	__u32 persistence_seconds;
	__u32 netmask_bits; /* of the client's address: 0..32, 0..128 */
	__u32 on_server_down;
	/* Real servers in scheduling order (newest first, as IPVS), from chunk `list_first` of `lists`. */
	__u32 list_first;
	__u32 list_count;
	/* Table of sh, dh or mh: `table_size` slots from chunk `table_first`. */
	__u32 table_first;
	__u32 table_size;
	/* wrr, twos and others: over the usable weights. */
	__u32 weight_max;
	__u32 weight_gcd;
	__u32 weight_sum;
	/* Changes with each edit of the list, so that a kernel-side cursor can be told stale. */
	__u32 generation;
};

/* `service_states[service.number]`: written by the programs. */
struct ek_service_state {
	__u64 cursor;          /* rr, wrr: what they remember */
	__u64 no_destination;  /* packets refused because no server was usable */
};

enum ek_server_flag {
	EK_SERVER_LIVE = 0x1,     /* in its service's list */
	EK_SERVER_GONE = 0x2,     /* deleted or down; kept while connections refer to it */
	EK_SERVER_DRAINING = 0x4, /* takes no persistent client either */
};

/* `servers[number]`: written by user space only. A number is given out anew only when nothing refers to it. */
struct ek_server {
	struct ek_address address;
	__u16 port_be;
	__u8 family; /* of `address`; differs from the service's only with EK_TUN */
	__u8 method;
	__u32 flags;
	__u32 service; /* ek_service.number */
	__u32 weight;
	__u32 last_weight; /* the last that was not 0 (mh) */
	__u32 upper_threshold;
	__u32 lower_threshold; /* already 3/4 of the upper one where none was given */
	__u32 on_server_down;  /* of its service, at the moment when it went */
	__u16 tunnel_port_be;
	__u8 tunnel;       /* enum ek_tunnel */
	__u8 tunnel_flags; /* 0 nocsum, 1 csum, 2 remcsum */
};

/* Where packets to a server go next; asked of the routing table again when `until` has passed. */
struct ek_route {
	__u64 until_ns;
	struct ek_address next_hop;
	struct ek_address source; /* outer source of a tunnel */
	__u32 interface;
	__u32 mtu;
	__u8 family;
	__u8 kind; /* 0 unknown, 1 forward, 2 local, 3 unreachable */
	__u16 pad;
};

/* `server_states[number]`: written by the programs. */
struct ek_server_state {
	__u32 active;     /* ActiveConn */
	__u32 inactive;   /* InActConn */
	__u32 persistent; /* PersistConn: templates */
	__u32 overloaded; /* 0 or 1 */
};

/* `counters[server * cpus + cpu]`: one cache line a processor, so no atomics. Bytes from the IP header on. */
struct ek_counters {
	__u64 connections;
	__u64 packets_in;
	__u64 packets_out;
	__u64 bytes_in;
	__u64 bytes_out;
	__u64 pad[3];
};

/* `rates[server]`: smoothed every 2 s as IPVS does (l4.md §1.4). Fixed point: 2^10 for the first three, 2^5 for bytes. */
struct ek_rates {
	__u64 connections;
	__u64 packets_in;
	__u64 packets_out;
	__u64 bytes_in;
	__u64 bytes_out;
};

/* Key of `connections4` and `connections6`, as the client's packets have it. A template has client port 0. */
struct ek_connection_key4 {
	__u32 client_be;
	__u32 virtual_be; /* of a template with a firewall mark: the mark */
	__u16 client_port_be;
	__u16 virtual_port_be;
	__u8 protocol;
	__u8 pad[3];
};

struct ek_connection_key6 {
	struct ek_address client;
	struct ek_address virtual;
	__u16 client_port_be;
	__u16 virtual_port_be;
	__u8 protocol;
	__u8 pad[3];
};

/*
 * The rest is what user space keeps for itself, so that a command that runs for a moment knows what the last one did. No
 * program reads it.
 */

/* `service_records[number]`, while the service or a server of it that is gone has that number. */
struct ek_service_record {
	struct ek_service_key key;
	__u32 pad;
	struct ek_counters removed; /* of servers whose numbers were given back */
	struct ek_counters zero;    /* ipvsadm -Z: subtracted from what is shown */
};

/* `server_records[number]`; none: all zero. */
struct ek_server_record {
	struct ek_counters zero;
	__u64 gone_ns; /* CLOCK_MONOTONIC */
};

/* `changes[0]` */
struct ek_changes {
	__u64 epoch;      /* one more with each change, so that others who have the maps open read them again */
	__u32 next_chunk; /* of `lists`: where to look for room, so that what was freed rests as long as can be */
	__u32 pad;
};

#endif
