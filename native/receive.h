/*
 * A batch of received messages as one ArrayBuffer. src/sys/receive.ts reads it.
 *
 *   uint32 count
 *   struct record × count
 *   for each record: its descriptors (int32 each), its payload, padding to 4
 */
#ifndef EVENKEEL_RECEIVE_H
#define EVENKEEL_RECEIVE_H

#include "addon.h"

#define NO_TTL 0xffffffffu

struct record {
  uint32_t payload_at;
  uint32_t payload_length;
  uint32_t wire_length; /* more than payload_length when the slot was too small */
  uint32_t family;      /* of the sender's address; 0 when there is none */
  uint32_t interface_index;
  uint32_t packet_type_or_port; /* sll_pkttype, sin_port, nl_pid */
  uint32_t protocol;            /* sll_protocol in host order, nl_groups */
  uint32_t ttl;
  uint8_t source[16];
  uint8_t destination[16]; /* for AF_PACKET the last word is the length of the hardware address */
  uint32_t seconds;
  uint32_t nanoseconds;
  uint32_t descriptors_at;
  uint32_t descriptors;
};

struct slots; /* memory for one recvmmsg call on one descriptor */

enum { SLOT_BYTES_MOST = 1 << 20, SLOTS_MOST = 256, SLAB_BYTES_MOST = 16 << 20 };

/* NULL when there is no memory. The sizes have been checked against the limits above. */
struct slots *make_slots(int fd, size_t slot_bytes, unsigned slots);
void free_slots(struct slots *slots);

/*
 * Receives what waits, at most one message a slot. The errno, 0 for success; with EAGAIN `*batch` is NULL.
 * -1: an exception is pending (no memory for the batch).
 */
int receive_batch(napi_env env, int fd, struct slots *slots, napi_value *batch);

/* fd, slotBytes, slots as arguments 0 to 2. */
bool slot_arguments(struct call *call, int *fd, int *slot_bytes, int *slots);

#endif
