/*
 * The virtual service that a packet is for. Order of ip_vs_service_find: firewall mark, address and port, address with
 * every port. (IPVS's rule for the data connections of FTP is not built.)
 */
#ifndef EVENKEEL_SERVICE_H
#define EVENKEEL_SERVICE_H

#include "maps.h"
#include "parse.h"

static __always_inline struct ek_service *ek_service_find(const struct ek_packet *packet, __u32 features,
							  struct ek_service_key *key)
{
	struct ek_service *service;

	__builtin_memset(key, 0, sizeof(*key));
	key->family = packet->family;
	if (features & EK_FEATURE_MARK && packet->mark) {
		key->mark = packet->mark;
		service = bpf_map_lookup_elem(&services, key);
		if (service)
			return service;
		key->mark = 0;
	}
	key->address = packet->destination;
	key->port_be = packet->destination_port_be;
	key->protocol = packet->protocol;
	service = bpf_map_lookup_elem(&services, key);
	if (service || !(features & EK_FEATURE_ANY_PORT))
		return service;
	key->port_be = 0;
	return bpf_map_lookup_elem(&services, key);
}

/* For the slow paths: `packet` is the one in `packets`. */
static __always_inline void ek_service_keep(struct ek_packet *packet, const struct ek_service *service,
					    const struct ek_service_key *key)
{
	packet->service = *service;
	packet->service_mark = key->mark;
	packet->service_port_be = key->port_be;
}

/* tcp_conn_schedule: TCP begins with a SYN, and never from FTP's data port. */
static __always_inline int ek_may_begin(const struct ek_packet *packet)
{
	if (packet->source_port_be == bpf_htons(20))
		return 0;
	return packet->protocol != IPPROTO_TCP || (packet->tcp_flags & (EK_SYN | EK_RST)) == EK_SYN;
}

/* A source that no packet of another machine can have: the stack drops it (ip_route_input_slow, ip6_rcv_core). */
static __always_inline int ek_is_martian(const struct ek_packet *packet)
{
	const struct ek_address *from = &packet->source;
	__u32 high = bpf_ntohl(from->word_be[0]) >> 24;

	if (packet->outward || packet->interface == EK_LOOPBACK)
		return 0;
	if (from->word_be[0] == packet->destination.word_be[0] && from->word_be[1] == packet->destination.word_be[1] &&
	    from->word_be[2] == packet->destination.word_be[2] && from->word_be[3] == packet->destination.word_be[3])
		return 1;
	if (packet->family == EK_IPV4)
		return high == 0 || high == 127 || (high & 0xf0) == 0xe0 || from->word_be[0] == 0xffffffff;
	return high == 0xff ||
	       (!from->word_be[0] && !from->word_be[1] && !from->word_be[2] && bpf_ntohl(from->word_be[3]) <= 1);
}

#endif
