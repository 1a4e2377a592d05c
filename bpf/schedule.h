/*
 * Which real server takes a new connection: the schedulers of IPVS, in its order and with its ties (l4.md §1.2).
 *
 * Lists, tables and weights are user space's; this only reads them, ActiveConn and InActConn, and remembers what rr, wrr,
 * lblc and lblcr must. Knows nothing of persistence (persistence.h) and makes no connection.
 */
#ifndef EVENKEEL_SCHEDULE_H
#define EVENKEEL_SCHEDULE_H

#include "schedule-locality.h"
#include "schedule-tables.h"
#include "schedule-turns.h"

/* A server's number, or EK_NO_SERVER. `scheduler` is a constant, so that each program holds only its own. */
static __always_inline __u32 ek_choose(struct ek_service *service, const struct ek_packet *packet, const __u32 scheduler)
{
	switch (scheduler) {
	case EK_RR:
	case EK_WRR:
		return ek_choose_by_turn(service, scheduler);
	case EK_SH:
	case EK_DH:
	case EK_MH:
		return ek_choose_by_table(service, ek_hashed_value(service, packet, scheduler), scheduler);
	case EK_LBLC:
	case EK_LBLCR:
		return ek_choose_by_locality(service, packet, scheduler);
	case EK_TWOS:
		return ek_choose_of_two(service);
	default:
		return ek_choose_by_load(service, scheduler);
	}
}

#endif
