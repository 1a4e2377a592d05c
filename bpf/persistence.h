/*
 * Persistence (l4.md §1.5): a template ties the clients of a network to a server. It lies among the connections, with
 * client port 0, and is kept while it controls connections.
 *
 * Used by the schedulers' programs:
 *   struct ek_choice choice;
 *   ek_schedule(&packet->service, packet, EK_WLC, &choice);
 *   if (choice.server == EK_NO_SERVER) port unreachable
 *   put the connection in the table with choice.flags and the choice.control_* fields
 *   where that fails, or when the connection ends: ek_template_release (fails: with the same fields)
 *
 * Asks of connection.h, which owns the table:
 *   long ek_template_add4(const struct ek_connection_key4 *key, __u32 server, __u32 service, __u32 timeout_ms)
 *     puts in an entry with EK_CONNECTION_TEMPLATE | EK_CONNECTION_UNCOUNTED in state EK_NONE that controls one
 *     connection, arms its timer, counts it in `persistent` of its server and in `totals`; 0, -EEXIST or another error
 *   long ek_template_add6(const struct ek_connection_key6 *key, …) likewise
 *   when a template's time is up: ek_template_stays tells whether it lives on
 */
#ifndef EVENKEEL_PERSISTENCE_H
#define EVENKEEL_PERSISTENCE_H

#include "schedule.h"

struct ek_choice {
	__u32 server; /* EK_NO_SERVER: none is usable */
	__u32 flags;  /* EK_CONNECTION_CONTROLLED or 0, for ek_connection.flags */
	/* For the fields of the same name of ek_connection. */
	__u32 control_mark;
	__u16 control_port_be;
	__u8 control_bits;
	__u8 pad;
};

#endif
