/*
 * Persistence (l4.md §1.5): a template ties the clients of a network to a server. It lies among the connections, with
 * client port 0, and is kept while it controls connections.
 *
 * A template whose server is gone or drained gets another server in place, where IPVS leaves the old one to its time-out
 * and makes a second.
 */
#ifndef EVENKEEL_PERSISTENCE_H
#define EVENKEEL_PERSISTENCE_H

#include <bpf/bpf_endian.h>
#include "connection.h"
#include "schedule.h"

/* A template whose time is up stays so long more while it controls connections. */
#define EK_TEMPLATE_STAY_MS 60000u
/* ip_vs_sched_persist: data connections go to ports of their own, so a template of FTP is for all ports. */
#define EK_FTP_PORT 21
#define EK_LONGEST_SECONDS (0xffffffffu / 1000)

struct ek_choice {
	__u32 server; /* EK_NO_SERVER: none is usable */
	__u32 flags;  /* EK_CONNECTION_CONTROLLED or 0, for ek_connection.flags */
	/* For the fields of the same name of ek_connection. */
	__u32 control_mark;
	__u16 control_port_be;
	__u8 control_bits;
	__u8 pad;
};

/* The `bits` highest of 32 bits, in network order. */
static __always_inline __u32 ek_mask_be(__u32 bits)
{
	return bits == 0 ? 0 : bpf_htonl(bits >= 32 ? 0xffffffff : ~(0xffffffffu >> bits));
}

/* Makes of a connection's key that of its template. */
static __always_inline void ek_template_key(union ek_connection_key *key, __u32 mark, __u16 port_be, __u32 bits,
					    const __u32 family)
{
	if (family == EK_IPV4) {
		key->four.client_be &= ek_mask_be(bits);
		key->four.client_port_be = 0;
		key->four.virtual_port_be = port_be;
		if (mark) {
			key->four.virtual_be = bpf_htonl(mark);
			key->four.protocol = 0;
		}
		return;
	}
	for (__u32 word = 0; word < 4; word++)
		key->six.client.word_be[word] &= ek_mask_be(bits > word * 32 ? bits - word * 32 : 0);
	key->six.client_port_be = 0;
	key->six.virtual_port_be = port_be;
	if (mark) {
		__builtin_memset(&key->six.virtual, 0, sizeof(key->six.virtual));
		key->six.virtual.word_be[0] = bpf_htonl(mark);
		key->six.protocol = 0;
	}
}

static __always_inline struct ek_connection *ek_template_of(const union ek_connection_key *of,
							    const struct ek_connection *connection, const __u32 family)
{
	union ek_connection_key key;

	if (family == EK_IPV4)
		key.four = of->four;
	else
		key.six = of->six;
	ek_template_key(&key, connection->control_mark, connection->control_port_be, connection->control_bits, family);
	return ek_connection_find(&key, family);
}

/* A connection that a template controls ends: once for each choice with EK_CONNECTION_CONTROLLED. */
static __attribute__((noinline)) int ek_template_let_go(const union ek_connection_key *key,
							const struct ek_connection *connection, __u32 family)
{
	struct ek_connection *template = family == EK_IPV4 ? ek_template_of(key, connection, EK_IPV4)
							   : ek_template_of(key, connection, EK_IPV6);

	if (template && template->flags & EK_CONNECTION_TEMPLATE)
		__sync_fetch_and_add(&template->controlled, -1);
	return 0;
}

/* A connection that it controls was established. */
static __attribute__((noinline)) int ek_template_assure(const union ek_connection_key *key,
							const struct ek_connection *connection, __u32 family)
{
	struct ek_connection *template = family == EK_IPV4 ? ek_template_of(key, connection, EK_IPV4)
							   : ek_template_of(key, connection, EK_IPV6);

	if (template && template->flags & EK_CONNECTION_TEMPLATE)
		__sync_fetch_and_or(&template->flags, EK_CONNECTION_ASSURED);
	return 0;
}

/* When a template's time is up: does it live on? Then for 60 s at a time, however long it had. */
static __always_inline int ek_template_stays(struct ek_connection *template)
{
	if ((__s32)template->controlled <= 0)
		return 0;
	template->timeout_ms = EK_TEMPLATE_STAY_MS;
	return 1;
}

/* May persistent clients go there? A weight of 0 and thresholds do not count. */
static __always_inline int ek_takes_persistent(const struct ek_service *service, __u32 number)
{
	struct ek_server *server = bpf_map_lookup_elem(&servers, &number);

	return server && server->flags & EK_SERVER_LIVE && !(server->flags & EK_SERVER_DRAINING) &&
	       server->service == service->number;
}

static __always_inline __u32 ek_template_timeout_ms(const struct ek_service *service)
{
	__u32 seconds = service->persistence_seconds;

	return (seconds < EK_LONGEST_SECONDS ? seconds : EK_LONGEST_SECONDS) * 1000;
}

/* Ties an existing template to `choice`, or `choice` to what it is tied to by now. The choice is then controlled. */
static __always_inline void ek_template_tie(struct ek_connection *template, const struct ek_service *service,
					    struct ek_choice *choice)
{
	__u32 before = template->server;

	if (before == EK_NO_SERVER) /* its time has just been up */
		return;
	if (!ek_takes_persistent(service, before)) {
		if (__sync_val_compare_and_swap(&template->server, before, choice->server) == before) {
			ek_template_count(before, -1);
			ek_template_count(choice->server, 1);
			__sync_fetch_and_and(&template->flags, ~EK_CONNECTION_ASSURED);
			template->service = service->number;
			template->timeout_ms = ek_template_timeout_ms(service);
		}
		before = template->server;
		if (before == EK_NO_SERVER)
			return;
	}
	choice->server = before;
	choice->flags = EK_CONNECTION_CONTROLLED;
	template->last_ns = bpf_ktime_get_coarse_ns();
	__sync_fetch_and_add(&template->controlled, 1);
}

static __always_inline struct ek_connection *ek_template_find(union ek_connection_key *key,
							      const struct ek_packet *packet,
							      const struct ek_choice *choice, const __u32 family)
{
	ek_connection_key(key, packet, family);
	ek_template_key(key, choice->control_mark, choice->control_port_be, choice->control_bits, family);
	return ek_connection_find(key, family);
}

/* 1: the client has a template, and the choice is what it says. */
static __attribute__((noinline)) int ek_template_follow(struct ek_service *service, const struct ek_packet *packet,
							 struct ek_choice *choice)
{
	struct ek_connection *template;
	union ek_connection_key key;

	if (packet->family == EK_IPV4)
		template = ek_template_find(&key, packet, choice, EK_IPV4);
	else
		template = ek_template_find(&key, packet, choice, EK_IPV6);
	if (!template || template->state == EK_EXPIRED || !ek_takes_persistent(service, template->server))
		return 0;
	ek_template_tie(template, service, choice);
	return 1;
}

#define EK_EEXIST 17

/* Makes a template of the choice, or gives it to the one that is there. Without room the connection stands alone. */
static __attribute__((noinline)) int ek_template_begin(struct ek_service *service, const struct ek_packet *packet,
							struct ek_choice *choice)
{
	__u32 timeout_ms = ek_template_timeout_ms(service);
	struct ek_connection *template;
	union ek_connection_key key;
	long error = -1;

	if (packet->family == EK_IPV4) {
		template = ek_template_find(&key, packet, choice, EK_IPV4);
		if (!template) {
			error = ek_template_add4(&key.four, choice->server, service->number, timeout_ms);
		} else if (template->state != EK_EXPIRED) {
			ek_template_tie(template, service, choice);
			ek_due(&key, template, template->last_ns + ek_timeout_ns(template, EK_NONE), EK_IPV4);
		}
	} else {
		template = ek_template_find(&key, packet, choice, EK_IPV6);
		if (!template) {
			error = ek_template_add6(&key.six, choice->server, service->number, timeout_ms);
		} else if (template->state != EK_EXPIRED) {
			ek_template_tie(template, service, choice);
			ek_due(&key, template, template->last_ns + ek_timeout_ns(template, EK_NONE), EK_IPV6);
		}
	}
	if (!error)
		choice->flags = EK_CONNECTION_CONTROLLED;
	else if (error == -EK_EEXIST) /* another processor was faster */
		ek_template_follow(service, packet, choice);
	return 0;
}

/*
 * The server for the connection that `packet` opens. `scheduler` is a constant.
 *
 * With EK_CONNECTION_CONTROLLED in `choice->flags` its template counts the connection already: whoever makes none of it
 * calls ek_template_let_go at once, else when it ends.
 */
static __always_inline void ek_schedule(struct ek_service *service, const struct ek_packet *packet,
					const __u32 scheduler, struct ek_choice *choice)
{
	const __u32 persistent = service->flags & EK_SERVICE_PERSISTENT;

	__builtin_memset(choice, 0, sizeof(*choice));
	if (persistent) {
		choice->control_mark = packet->service_mark;
		choice->control_port_be = packet->service_port_be == bpf_htons(EK_FTP_PORT) ? 0 : packet->service_port_be;
		choice->control_bits = service->netmask_bits;
		if (ek_template_follow(service, packet, choice))
			return;
	}
	choice->server = ek_choose(service, packet, scheduler);
	if (persistent && choice->server != EK_NO_SERVER)
		ek_template_begin(service, packet, choice);
}

#endif
