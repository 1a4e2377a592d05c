/* Batched receiving: recvmmsg(2) with the sender's address and the control messages cmsg(3) that say where it came in. */
#include "receive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  DESCRIPTORS_MOST = 253, /* the kernel's SCM_MAX_FD */
  CONTROL_BYTES = 256 + CMSG_SPACE(DESCRIPTORS_MOST * sizeof(int)),
};

struct slots {
  int flags;
  size_t slot_bytes;
  unsigned count;
  struct mmsghdr *headers;
  struct iovec *vectors;
  struct sockaddr_storage *senders;
  uint8_t *control;
  uint8_t *payloads;
};

/* Packet sockets refuse MSG_CMSG_CLOEXEC; only unix sockets bring descriptors. */
static int receive_flags(int fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  const bool is_unix = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
  /* MSG_TRUNC: the length on the wire, also of what did not fit. */
  return MSG_DONTWAIT | MSG_TRUNC | (is_unix ? MSG_CMSG_CLOEXEC : 0);
}

struct slots *make_slots(int fd, size_t slot_bytes, unsigned count) {
  struct slots *slots = calloc(1, sizeof *slots);
  if (slots == NULL) return NULL;
  slots->flags = receive_flags(fd);
  slots->slot_bytes = slot_bytes;
  slots->count = count;
  slots->headers = calloc(count, sizeof *slots->headers);
  slots->vectors = calloc(count, sizeof *slots->vectors);
  slots->senders = calloc(count, sizeof *slots->senders);
  slots->control = calloc(count, CONTROL_BYTES);
  slots->payloads = malloc(count * slot_bytes);
  if (slots->headers == NULL || slots->vectors == NULL || slots->senders == NULL || slots->control == NULL ||
      slots->payloads == NULL) {
    free_slots(slots);
    return NULL;
  }
  return slots;
}

void free_slots(struct slots *slots) {
  if (slots == NULL) return;
  free(slots->headers);
  free(slots->vectors);
  free(slots->senders);
  free(slots->control);
  free(slots->payloads);
  free(slots);
}

static void reset(struct slots *slots) {
  for (unsigned i = 0; i < slots->count; i++) {
    slots->vectors[i] = (struct iovec){slots->payloads + i * slots->slot_bytes, slots->slot_bytes};
    slots->headers[i].msg_hdr = (struct msghdr){
        .msg_name = &slots->senders[i],
        .msg_namelen = sizeof slots->senders[i],
        .msg_iov = &slots->vectors[i],
        .msg_iovlen = 1,
        .msg_control = slots->control + (size_t)i * CONTROL_BYTES,
        .msg_controllen = CONTROL_BYTES,
    };
  }
}

static void note_sender(struct record *record, const struct msghdr *header) {
  if (header->msg_namelen < sizeof(sa_family_t)) return;
  const struct sockaddr_storage *sender = header->msg_name;
  switch (sender->ss_family) {
    case AF_INET: {
      const struct sockaddr_in *inet = header->msg_name;
      memcpy(record->source, &inet->sin_addr, 4);
      record->packet_type_or_port = ntohs(inet->sin_port);
      break;
    }
    case AF_INET6: {
      const struct sockaddr_in6 *inet6 = header->msg_name;
      memcpy(record->source, &inet6->sin6_addr, 16);
      record->packet_type_or_port = ntohs(inet6->sin6_port);
      break;
    }
    case AF_PACKET: {
      const struct sockaddr_ll *link = header->msg_name;
      const uint32_t hardware_length = link->sll_halen;
      memcpy(record->source, link->sll_addr, sizeof link->sll_addr);
      memcpy(record->destination + 12, &hardware_length, sizeof hardware_length);
      record->interface_index = (uint32_t)link->sll_ifindex;
      record->packet_type_or_port = link->sll_pkttype;
      record->protocol = ntohs(link->sll_protocol);
      break;
    }
    case AF_NETLINK: {
      const struct sockaddr_nl *netlink = header->msg_name;
      record->packet_type_or_port = netlink->nl_pid;
      record->protocol = netlink->nl_groups;
      break;
    }
    default:
      break;
  }
  record->family = sender->ss_family;
}

/* The descriptors of the message, if it brought some. */
static const int *note_control(struct record *record, struct msghdr *header) {
  const int *descriptors = NULL;
  for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
    const void *data = CMSG_DATA(control);
    const size_t length = control->cmsg_len - CMSG_LEN(0);
    const int type = control->cmsg_type;
    if (control->cmsg_level == SOL_SOCKET && type == SCM_RIGHTS) {
      descriptors = data;
      record->descriptors = length / sizeof(int);
    } else if (control->cmsg_level == SOL_SOCKET && type == SCM_TIMESTAMPNS && length >= sizeof(struct timespec)) {
      struct timespec time;
      memcpy(&time, data, sizeof time);
      record->seconds = (uint32_t)time.tv_sec;
      record->nanoseconds = (uint32_t)time.tv_nsec;
    } else if (control->cmsg_level == IPPROTO_IP && type == IP_PKTINFO && length >= sizeof(struct in_pktinfo)) {
      struct in_pktinfo information;
      memcpy(&information, data, sizeof information);
      record->interface_index = (uint32_t)information.ipi_ifindex;
      memcpy(record->destination, &information.ipi_addr, 4);
    } else if (control->cmsg_level == IPPROTO_IPV6 && type == IPV6_PKTINFO && length >= sizeof(struct in6_pktinfo)) {
      struct in6_pktinfo information;
      memcpy(&information, data, sizeof information);
      record->interface_index = information.ipi6_ifindex;
      memcpy(record->destination, &information.ipi6_addr, 16);
    } else if (length >= sizeof(int) && ((control->cmsg_level == IPPROTO_IP && type == IP_TTL) ||
                                         (control->cmsg_level == IPPROTO_IPV6 && type == IPV6_HOPLIMIT))) {
      int ttl;
      memcpy(&ttl, data, sizeof ttl);
      record->ttl = (uint32_t)ttl;
    }
  }
  return descriptors;
}

static size_t align4(size_t length) { return (length + 3) & ~(size_t)3; }

static size_t payload_length(const struct slots *slots, unsigned index) {
  const size_t length = slots->headers[index].msg_len;
  return length < slots->slot_bytes ? length : slots->slot_bytes;
}

static void close_descriptors(struct slots *slots, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    struct record record = {0};
    const int *descriptors = note_control(&record, &slots->headers[i].msg_hdr);
    for (uint32_t j = 0; j < record.descriptors; j++) close(descriptors[j]);
  }
}

static napi_value pack(napi_env env, struct slots *slots, unsigned count) {
  size_t size = sizeof(uint32_t) + count * sizeof(struct record);
  for (unsigned i = 0; i < count; i++) {
    struct record record = {0};
    note_control(&record, &slots->headers[i].msg_hdr);
    size += record.descriptors * sizeof(int) + align4(payload_length(slots, i));
  }
  napi_value batch;
  void *memory;
  if (napi_create_arraybuffer(env, size, &memory, &batch) != napi_ok) {
    close_descriptors(slots, count);
    return NULL;
  }
  uint8_t *const start = memory;
  const uint32_t messages = count;
  memcpy(start, &messages, sizeof messages);
  size_t at = sizeof(uint32_t) + count * sizeof(struct record);
  for (unsigned i = 0; i < count; i++) {
    struct msghdr *header = &slots->headers[i].msg_hdr;
    struct record record = {.ttl = NO_TTL, .wire_length = slots->headers[i].msg_len};
    note_sender(&record, header);
    const int *descriptors = note_control(&record, header);
    record.descriptors_at = (uint32_t)at;
    if (record.descriptors > 0) memcpy(start + at, descriptors, record.descriptors * sizeof(int));
    at += record.descriptors * sizeof(int);
    record.payload_at = (uint32_t)at;
    record.payload_length = (uint32_t)payload_length(slots, i);
    memcpy(start + at, slots->vectors[i].iov_base, record.payload_length);
    at += align4(record.payload_length);
    memcpy(start + sizeof(uint32_t) + i * sizeof record, &record, sizeof record);
  }
  return batch;
}

int receive_batch(napi_env env, int fd, struct slots *slots, napi_value *batch) {
  *batch = NULL;
  reset(slots);
  int count;
  do {
    count = recvmmsg(fd, slots->headers, slots->count, slots->flags, NULL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return errno;
  *batch = pack(env, slots, (unsigned)count);
  return *batch == NULL ? -1 : 0;
}

bool slot_arguments(struct call *call, int *fd, int *slot_bytes, int *slots) {
  if (!int_argument(call, 0, "fd", fd) || !int_argument(call, 1, "slotBytes", slot_bytes) ||
      !int_argument(call, 2, "slots", slots)) {
    return false;
  }
  if (*slot_bytes < 1 || *slot_bytes > SLOT_BYTES_MOST || *slots < 1 || *slots > SLOTS_MOST ||
      (int64_t)*slot_bytes * *slots > SLAB_BYTES_MOST) {
    throw_type_error(call->env, "slotBytes and slots must be positive and at most 16 MiB together");
    return false;
  }
  return true;
}
