/*
 * The maps of the layer-4 data plane. All are pinned by user space: a timer fires only while its map is held, and flows
 * outlive every process. Sizes are defaults; the loader may set others before it loads.
 */
#ifndef EVENKEEL_MAPS_H
#define EVENKEEL_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "structs.h"

#define EK_SERVERS 16384
#define EK_SERVICES 4096
#define EK_CONNECTIONS 1048576

/* Set before loading. */
const volatile __u32 cpus = 1;             /* possible processors: `counters` has servers * cpus values */
const volatile __u8 have_bpf_loop = 0;     /* kernel 5.17 */
const volatile __u8 have_route_source = 0; /* kernel 6.7: bpf_fib_lookup tells the source address */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EK_SERVICES);
	__type(key, struct ek_service_key);
	__type(value, struct ek_service);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EK_SERVICES);
	__type(key, __u32);
	__type(value, struct ek_service_state);
} service_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EK_SERVERS);
	__type(key, __u32);
	__type(value, struct ek_server);
} servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EK_SERVERS);
	__type(key, __u32);
	__type(value, struct ek_server_state);
} server_states SEC(".maps");

/* By server number. Zeros: ask the routing table with the next packet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EK_SERVERS);
	__type(key, __u32);
	__type(value, struct ek_route);
} routes SEC(".maps");

/* max_entries must be set to servers * cpus. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EK_SERVERS);
	__type(key, __u32);
	__type(value, struct ek_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EK_SERVERS);
	__type(key, __u32);
	__type(value, struct ek_rate);
} rates SEC(".maps");

struct ek_list_chunk {
	__u32 slot[EK_CHUNK_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ek_list_chunk);
} lists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EK_CONNECTIONS);
	__type(key, struct ek_connection_key4);
	__type(value, struct ek_connection);
} connections4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EK_CONNECTIONS);
	__type(key, struct ek_connection_key6);
	__type(value, struct ek_connection);
} connections6 SEC(".maps");

/* wheel.h. A connection has one token; for a moment two while it gets another. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * EK_CONNECTIONS);
	__type(key, struct ek_token);
	__type(value, struct ek_connection_key4);
} tokens4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * EK_CONNECTIONS);
	__type(key, struct ek_token);
	__type(value, struct ek_connection_key6);
} tokens6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * EK_WHEEL_SLOTS);
	__type(key, __u32);
	__type(value, struct ek_wheel_slot);
} wheel_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ek_wheel);
} wheel SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EK_CONNECTIONS);
	__type(key, struct ek_reply_key4);
	__type(value, struct ek_reply);
} replies4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EK_CONNECTIONS);
	__type(key, struct ek_reply_key6);
	__type(value, struct ek_reply);
} replies6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ek_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ek_totals);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EK_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); /* interface index */
	__type(value, struct ek_interface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ek_packet);
} packets SEC(".maps");

/* By interface index modulo its size: 1 where the last packet of a connection was a server's, so that it is looked for
 * among the replies first. A guess that only saves time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} directions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ek_address);
	__type(value, struct ek_learned_mtu);
} learned_mtus SEC(".maps");

/* The three that only user space reads and writes (structs.h says what for). */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EK_SERVICES);
	__type(key, __u32);
	__type(value, struct ek_service_record);
} service_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EK_SERVERS);
	__type(key, __u32);
	__type(value, struct ek_server_record);
} server_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ek_changes);
} changes SEC(".maps");

/* Nobody reads it: it brings the names and numbers of these enums into the type information, from where user space has them. */
const volatile struct ek_names {
	enum ek_family family;
	enum ek_method method;
	enum ek_tunnel tunnel;
	enum ek_scheduler scheduler;
	enum ek_state state;
	enum ek_service_flag service_flag;
	enum ek_on_server_down on_server_down;
	enum ek_server_flag server_flag;
	enum ek_connection_flag connection_flag;
	enum ek_feature feature;
	enum ek_reason reason;
} names = {};

#endif
