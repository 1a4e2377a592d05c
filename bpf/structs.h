/*
 * What the layer-4 data plane keeps in its maps. The only description of these layouts: user space reads them from the
 * type information (BTF) of the compiled object, so a field is added here and nowhere else.
 *
 * Numbers are in host order unless a name ends in _be. IPv4 addresses lie in the first four bytes of an address; the rest
 * is zero.
 */
#ifndef EVENKEEL_STRUCTS_H
#define EVENKEEL_STRUCTS_H

#include <linux/bpf.h>
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
	/* rr, wrr: where they go on after that edit, as ek_service_state.cursor (src/balance/ipvs/cursor.ts). */
	__u64 cursor;
};

/* `service_states[service.number]`: written by the programs. */
struct ek_service_state {
	__u64 cursor;          /* rr, wrr: what they remember (schedule-turns.h) */
	__u64 no_destination;  /* packets refused because no server was usable */
};

enum ek_server_flag {
	EK_SERVER_LIVE = 0x1,     /* in its service's list */
	EK_SERVER_GONE = 0x2,     /* deleted or down; kept while connections refer to it */
	EK_SERVER_DRAINING = 0x4, /* takes no persistent client either */
	/* Its address is one of this machine. The programs cannot find out (bpf_fib_lookup answers alike for a local address
	 * and for none at all), so user space says it, and says it anew when addresses change. */
	EK_SERVER_LOCAL = 0x8,
	EK_SERVER_DEFAULT_LOWER = 0x10, /* no lower threshold was given; for listings, no program looks at it */
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
	__u32 lower_threshold; /* already 3/4 of the upper one, rounded up, where none was given */
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
	__u8 ask;  /* the neighbour table is asked for the next hop's hardware address: 0 no, 1 by the next packet, 2 always */
	__u8 pad;
	__u8 hardware[12]; /* Ethernet: next hop, this machine. Unknown with ask 2 */
	__u32 pad2;
};

/* `server_states[number]`: written by the programs. */
struct ek_server_state {
	__u32 active;     /* ActiveConn */
	__u32 inactive;   /* InActConn */
	__u32 persistent; /* PersistConn: templates */
	__u32 overloaded; /* 0, or the upper threshold that was reached: an edit to a greater one ends it */
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

/* In `ek_rate`: smoothed every 2 s as IPVS does (l4.md §1.4). Fixed point: 2^10 for the first three, 2^5 for bytes. */
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

/* Value of `rates[server]`. Its timer runs every 2 s while packets come, stops when all is zero, and is started by the
 * next packet that renews the server's route. To zero: write zeros over the whole value (which stops the timer too). */
struct ek_rate {
	struct bpf_timer timer;
	struct ek_rates smoothed;
	struct ek_rates last; /* sums of the counters at the last sample, unscaled */
	__u32 running;
	__u32 pad;
};

enum ek_connection_flag {
	EK_CONNECTION_NO_OUTPUT = 0x1,  /* no answer has passed here (DR, TUN): the input-only column of l4.md §1.3 */
	EK_CONNECTION_TEMPLATE = 0x2,   /* of persistence: client port 0 */
	EK_CONNECTION_CONTROLLED = 0x4, /* came by a template, which counts it */
	EK_CONNECTION_ASSURED = 0x8,    /* template: a connection of it was established */
	EK_CONNECTION_OWN = 0x10,       /* the client is the balancer itself, reached over lo */
	EK_CONNECTION_REPLY = 0x20,     /* has an entry in `replies4` or `replies6` */
	EK_CONNECTION_UNCOUNTED = 0x40, /* template: in no server's ActiveConn or InActConn */
};

/* State of an entry that has been given up: whoever put it there owns the rest of its life. Above all states. */
#define EK_EXPIRED 0xffu

/*
 * Value of `connections4` and `connections6`. It expires when nothing came for the state's time-out (`settings`), or for
 * `timeout_ms` where that is not 0. Its destination is the address of `servers[server]` with `destination_port_be`.
 */
struct ek_connection {
	__u64 last_ns; /* CLOCK_MONOTONIC, of the client's last packet; ek_reply.last_ns may be later */
	__u32 state;   /* enum ek_state or EK_EXPIRED; changes by compare-and-swap, so that counts are exact */
	__u32 server;
	__u32 service;
	__u32 flags;
	__u32 timeout_ms;
	__u32 acknowledged_be; /* TCP: the client's last acknowledgement, the sequence number of a reset to it */
	__u32 controlled;      /* template: connections that it controls */
	/* CONTROLLED: what its template's key was made of. */
	__u32 control_mark;
	__u16 control_port_be;
	__u8 control_bits;
	__u8 method; /* enum ek_method at creation; an edit of the server does not move it */
	__u16 destination_port_be;
	__u16 pad;
	/* OWN: the address that the server sees as client. */
	struct ek_address own;
	__u64 token; /* when the wheel looks at it next: tick << 32 | ek_token.number; 0: none yet. Changes by exchange */
};

#define EK_WHEEL_SLOTS 4096

/* Key of `tokens4` and `tokens6`, whose values are the keys of connections. */
struct ek_token {
	__u32 slot;
	__u32 number; /* within the slot */
};

/* Value of `wheel_slots`: first those for IPv4, then those for IPv6. */
struct ek_wheel_slot {
	__u32 next; /* number of the next token */
	__u32 done; /* those before have been looked at */
};

/* `wheel[0]`: what makes connections end. After an upgrade `revive` (director.bpf.c) gives it the new object's call-back. */
struct ek_wheel {
	struct bpf_timer timer;
	__u32 tick; /* of 2^28 ns: the slot that it has come to */
	__u32 running;
	__u32 end4; /* of that slot: tokens from this number on are for the next round */
	__u32 end6;
	__u32 shortened; /* ek_settings.shortened when it last looked at all entries for that */
};

/* Key of `replies4` and `replies6`, as the server's packets have it. */
struct ek_reply_key4 {
	__u32 server_be;
	__u32 client_be;
	__u16 server_port_be;
	__u16 client_port_be;
	__u8 protocol;
	__u8 pad[3];
};

struct ek_reply_key6 {
	struct ek_address server;
	struct ek_address client;
	__u16 server_port_be;
	__u16 client_port_be;
	__u8 protocol;
	__u8 pad[3];
};

enum ek_reply_flag {
	EK_REPLY_SETTLED = 0x1, /* a plain ACK changes no state: the connection need not be looked up */
	EK_REPLY_OWN = 0x2,     /* the client is the balancer itself: hand the packet in over lo */
};

/* Value of `replies*`: what a server's packet becomes. */
struct ek_reply {
	__u64 last_ns;
	struct ek_route route; /* to the client */
	struct ek_address client; /* of the connection's key; differs from the reply key's with OWN */
	struct ek_address virtual;
	__u16 virtual_port_be;
	__u16 pad;
	__u32 flags;
	__u32 server;
	__u32 pad2;
};

/* Value of `learned_mtus`, by a server's address: what a router on the way there said that it carries. */
struct ek_learned_mtu {
	__u64 until_ns;
	__u32 mtu;
	__u32 pad;
};

enum ek_feature {
	EK_FEATURE_SERVICES = 0x1, /* there are services or connections. 0: the programs let everything pass at once */
	EK_FEATURE_NAT = 0x2,      /* replies must be looked for (NAT servers, or the balancer's own DR and TUN traffic) */
	EK_FEATURE_MARK = 0x4,     /* there are services with a firewall mark */
	EK_FEATURE_ANY_PORT = 0x8, /* there are services with port 0 */
};

/* Value of `settings[0]`: written by user space only. */
struct ek_settings {
	__u32 timeout_ms[EK_STATES]; /* by enum ek_state; 0 is not allowed */
	__u32 features;
	/* Half-open entries (SYN_RECV) beyond which new ones live 3 s, and beyond which a SYN is refused. */
	__u32 half_open_short;
	__u32 half_open_refuse;
	__u32 shortened; /* how often a time-out has become shorter */
};

/* `totals[0]`: written by the programs. */
struct ek_totals {
	__u32 connections4; /* entries of the tables, templates included */
	__u32 pad[15];
	__u32 connections6;
	__u32 pad6[15];
	__u32 half_open;
	__u32 pad2[15];
};

/* Of an interface, by its index in `interfaces`: source of tunnels on kernels before 6.7, which cannot be asked, and of the
 * balancer's own traffic in tunnels of the other family. */
struct ek_interface {
	struct ek_address source4;
	struct ek_address source6;
};

/* Why a packet did not simply go its way: index of `reasons` (packets, per processor). */
enum ek_reason {
	EK_REASON_NO_CONNECTION,    /* TCP to a service, neither a SYN nor of a connection: left to the local stack */
	EK_REASON_NO_SERVER,        /* answered with port unreachable */
	EK_REASON_TABLE_FULL,       /* new connection refused */
	EK_REASON_FLOOD_SHORT,      /* half-open entry with 3 s */
	EK_REASON_FLOOD_REFUSED,    /* SYN dropped: too many are half open */
	EK_REASON_RESCHEDULED,      /* SYN on a closing connection: a server was chosen anew */
	EK_REASON_GONE_RESET,       /* its server is gone: the client got a reset */
	EK_REASON_GONE_MOVED,       /* its server is gone: another was chosen */
	EK_REASON_GONE_DROPPED,     /* its server is gone: dropped */
	EK_REASON_TTL_EXCEEDED,
	EK_REASON_TOO_BIG,          /* for the path to the server or back: answered */
	EK_REASON_NO_ROUTE,         /* to the server or back to the client: dropped */
	EK_REASON_FRAGMENT_UNKNOWN, /* a later fragment whose first was not seen */
	EK_REASON_LOOPBACK_TARGET,  /* NAT to 127/8 or ::1 for a client outside: dropped */
	EK_REASON_NO_TIMER,         /* the kernel refused the timer that ends connections; tried again with the next one */
	EK_REASON_TUNNEL_FAILED,    /* encapsulation refused by the kernel, or of a kind not built: dropped */
	EK_REASON_NO_MEMORY,
	EK_REASON_ICMP_SENT,
	EK_REASON_RESET_SENT,
	EK_REASON_ICMP_RELAYED,
	EK_REASON_NO_PROGRAM,       /* a slow path is not in `programs`: dropped */
	EK_REASONS,
};

/* Index of `programs`: the slow paths. The first EK_SCHEDULERS are the schedulers, by enum ek_scheduler. */
enum ek_program {
	EK_PROGRAM_ICMP = 16,     /* an ICMP error arrived */
	EK_PROGRAM_FRAGMENT = 17, /* a fragment arrived */
	EK_PROGRAM_ANSWER = 18,   /* send ek_packet.answer back to where the packet came from */
	EK_PROGRAM_RENEW = 19,    /* a connection whose server is gone, or a SYN on one that is closing */
	EK_PROGRAM_FORWARD = 20,  /* send the packet to ek_packet.server without a connection */
	EK_PROGRAM_INGRESS = 21,  /* from the start: a connection was made */
	EK_PROGRAM_EGRESS = 22,
	EK_PROGRAM_INGRESS6 = 23, /* IPv6 has programs of its own, as the stack of one holds the work for one family */
	EK_PROGRAM_EGRESS6 = 24,
	EK_PROGRAM_ICMP6 = 26,
	EK_PROGRAM_FRAGMENT6 = 27,
	EK_PROGRAM_TUNNEL_ERROR = 28, /* an ICMP error about a tunnel arrived */
	EK_PROGRAM_SPLIT = 29,        /* cut the packet, which is too big: answer_mtu */
	EK_PROGRAM_OVERHEAR = 30,     /* TCP for no service: perhaps an answer from a server of DR or TUN */
	EK_PROGRAM_BIRTH = 25, /* a server was chosen: make the connection */
	EK_PROGRAMS = 32,
};

enum ek_answer {
	EK_ANSWER_NONE,
	EK_ANSWER_PORT_UNREACHABLE, /* source: the virtual address */
	EK_ANSWER_TIME_EXCEEDED,
	EK_ANSWER_TOO_BIG,          /* next-hop MTU in answer_mtu */
	EK_ANSWER_RESET,            /* sequence number in answer_sequence_be */
	EK_ANSWER_HOST_UNREACHABLE, /* only about tunnels */
};

/*
 * `packets[0]`, per processor: the packet in hand, taken apart, from the fast path to the slow one. Only valid within
 * one chain of tail calls.
 */
struct ek_packet {
	struct ek_address source;
	struct ek_address destination;
	__u16 source_port_be;
	__u16 destination_port_be;
	__u8 protocol;
	__u8 family; /* enum ek_family */
	__u8 tcp_flags; /* byte 13 of the TCP header */
	__u8 ttl;
	__u32 transport;  /* offset of the transport header from the start of the frame; 0: a later fragment, without one */
	__u32 bytes;      /* from the IP header on */
	__u32 largest;    /* bytes of the largest piece that goes on the wire (GSO) */
	__u32 mark;
	__u32 acknowledged_be;
	__u32 sequence_be;
	__u32 interface; /* where it came in or, on the way out, is to leave */
	__u32 server;    /* for EK_PROGRAM_FORWARD, EK_PROGRAM_BIRTH */
	/* For EK_PROGRAM_BIRTH: fields of the connection. */
	__u32 flags;
	__u32 control_mark;
	__u16 control_port_be;
	__u8 control_bits;
	__u8 pad2;
	__u32 answer;    /* enum ek_answer */
	__u32 answer_mtu;
	__u32 answer_sequence_be;
	__u32 outward; /* 1: seen by `egress`; set for the programs of fragments and of ICMP too */
	__u32 dont_fragment;
	__u32 service_mark;    /* of the key under which the service was found: 0 if not by its mark */
	__u16 service_port_be; /* of that key: 0 with a mark or for all ports */
	__u16 pad;
	struct ek_service service; /* a copy: of the service that the packet is for */
};

#endif
