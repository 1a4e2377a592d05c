/*
 * Programs and tcx links: bpf(2), linux/bpf.h.
 *
 * Debian 12's headers are older than tcx (Linux 6.6): its numbers and layouts are written down here.
 */
#include "bpf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { INSTRUCTIONS_MOST = 4096, PACKET_BYTES_MOST = 1 << 20, CONTEXT_BYTES_MOST = 4096 };
/* What the kernel may add in front of a packet in a test run: more than any tunnel. */
enum { ROOM_BYTES = 1024 };
/* A signal that waits ends the verifier with EAGAIN. It has been taken when the call is made again. */
enum { ATTEMPTS_MOST = 100 };

static napi_value load(napi_env env, napi_callback_info info) {
  struct call call;
  int type;
  const uint8_t *bytes;
  size_t length;
  struct bpf_insn instructions[INSTRUCTIONS_MOST];
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "type", &type) ||
      !bytes_argument(&call, 1, "program", &bytes, &length)) {
    return NULL;
  }
  if (length == 0 || length > sizeof instructions || length % sizeof *instructions != 0) {
    return throw_type_error(env, "program must have 1 to 4096 instructions of 8 bytes");
  }
  memcpy(instructions, bytes, length);
  union bpf_attr attributes = {.prog_type = (uint32_t)type,
                               .insn_cnt = (uint32_t)(length / sizeof *instructions),
                               .insns = (uintptr_t)instructions,
                               .license = (uintptr_t) "GPL"};
  int fd;
  int attempts = 0;
  do {
    fd = bpf_call(BPF_PROG_LOAD, &attributes, sizeof attributes);
  } while (fd < 0 && errno == EAGAIN && ++attempts < ATTEMPTS_MOST);
  return bpf_descriptor(env, fd);
}

static napi_value program_id(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct bpf_prog_info program;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd)) return NULL;
  memset(&program, 0, sizeof program);
  union bpf_attr attributes = {
      .info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof program, .info = (uintptr_t)&program}};
  if (bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof attributes) < 0) return throw_errno(env, "bpf", errno);
  return make_int(env, program.id);
}

/* union bpf_attr for BPF_LINK_CREATE of tcx. */
struct link_create {
  uint32_t program, interface, attach_type, flags, relative, padding;
  uint64_t expected_revision;
};

static napi_value link_create(napi_env env, napi_callback_info info) {
  struct call call;
  int program, interface, type;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "program", &program) ||
      !int_argument(&call, 1, "interface", &interface) || !int_argument(&call, 2, "type", &type)) {
    return NULL;
  }
  struct link_create attributes = {
      .program = (uint32_t)program, .interface = (uint32_t)interface, .attach_type = (uint32_t)type};
  return bpf_descriptor(env, bpf_call(BPF_LINK_CREATE, &attributes, sizeof attributes));
}

static napi_value link_update(napi_env env, napi_callback_info info) {
  struct call call;
  int link, program;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "link", &link) ||
      !int_argument(&call, 1, "program", &program)) {
    return NULL;
  }
  union bpf_attr attributes = {.link_update = {.link_fd = (uint32_t)link, .new_prog_fd = (uint32_t)program}};
  return check(env, "bpf", bpf_call(BPF_LINK_UPDATE, &attributes, sizeof attributes));
}

static napi_value link_detach(napi_env env, napi_callback_info info) {
  struct call call;
  int link;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "link", &link)) return NULL;
  union bpf_attr attributes = {.link_detach = {.link_fd = (uint32_t)link}};
  return check(env, "bpf", bpf_call(BPF_LINK_DETACH, &attributes, sizeof attributes));
}

/* struct bpf_link_info for tcx. */
struct link_information {
  uint32_t type, id, program, padding;
  uint32_t interface, attach_type;
  uint64_t rest[8];
};

static napi_value link_ask(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct link_information link;
  napi_value result;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "link", &fd)) return NULL;
  memset(&link, 0, sizeof link);
  /* Not more than an older kernel knows: it refuses what it does not know. */
  union bpf_attr attributes = {.info = {
                                   .bpf_fd = (uint32_t)fd,
                                   .info_len = offsetof(struct link_information, rest),
                                   .info = (uintptr_t)&link,
                               }};
  if (bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof attributes) < 0) return throw_errno(env, "bpf", errno);
  if (napi_create_object(env, &result) != napi_ok ||
      !set_property(env, result, "program", make_int(env, link.program)) ||
      !set_property(env, result, "interface", make_int(env, link.interface)) ||
      !set_property(env, result, "type", make_int(env, link.attach_type))) {
    return NULL;
  }
  return result;
}

static napi_value make_bytes(napi_env env, const void *bytes, size_t length) {
  void *to;
  napi_value buffer, array;
  if (napi_create_arraybuffer(env, length, &to, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array) != napi_ok) {
    return NULL;
  }
  if (length > 0) memcpy(to, bytes, length);
  return array;
}

static napi_value test_run(napi_env env, napi_callback_info info) {
  struct call call;
  int program;
  uint32_t repeat;
  const uint8_t *packet, *context;
  size_t packet_length, context_length;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "program", &program) ||
      !bytes_argument(&call, 1, "packet", &packet, &packet_length) ||
      !bytes_argument(&call, 2, "context", &context, &context_length) || !id_argument(&call, 3, "repeat", &repeat)) {
    return NULL;
  }
  if (packet_length > PACKET_BYTES_MOST || context_length > CONTEXT_BYTES_MOST) {
    return throw_type_error(env, "packet must have at most 1048576 bytes, context at most 4096");
  }
  uint8_t *packet_after = malloc(packet_length + ROOM_BYTES);
  uint8_t context_after[CONTEXT_BYTES_MOST];
  if (packet_after == NULL) return throw_errno(env, "malloc", ENOMEM);
  union bpf_attr attributes = {.test = {.prog_fd = (uint32_t)program,
                                        .data_size_in = (uint32_t)packet_length,
                                        .data_size_out = (uint32_t)(packet_length + ROOM_BYTES),
                                        .data_in = (uintptr_t)packet,
                                        .data_out = (uintptr_t)packet_after,
                                        .repeat = repeat,
                                        .ctx_size_in = (uint32_t)context_length,
                                        .ctx_size_out = sizeof context_after,
                                        .ctx_in = (uintptr_t)context,
                                        .ctx_out = (uintptr_t)context_after}};
  napi_value result = NULL, object;
  if (bpf_call(BPF_PROG_TEST_RUN, &attributes, sizeof attributes) < 0) {
    throw_errno(env, "bpf", errno);
  } else if (napi_create_object(env, &object) == napi_ok &&
             set_property(env, object, "verdict", make_int(env, (int32_t)attributes.test.retval)) &&
             set_property(env, object, "nanoseconds", make_int(env, attributes.test.duration)) &&
             set_property(env, object, "packet", make_bytes(env, packet_after, attributes.test.data_size_out)) &&
             set_property(env, object, "context", make_bytes(env, context_after, attributes.test.ctx_size_out))) {
    result = object;
  }
  free(packet_after);
  return result;
}

/* Documentation/bpf/bpf_prog_run.rst, "live packet mode": what passes goes into the stack as if the interface had received
 * it. The program sees the frame with the 24 bytes of struct xdp_md; nothing comes back. */
static napi_value run_live(napi_env env, napi_callback_info info) {
  struct call call;
  int program;
  uint32_t interface, repeat, batch;
  const uint8_t *frame;
  size_t length;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "program", &program) ||
      !bytes_argument(&call, 1, "frame", &frame, &length) || !id_argument(&call, 2, "interface", &interface) ||
      !id_argument(&call, 3, "repeat", &repeat) || !id_argument(&call, 4, "batch", &batch)) {
    return NULL;
  }
  struct xdp_md context = {.data_end = (uint32_t)length, .ingress_ifindex = interface};
  union bpf_attr attributes = {.test = {.prog_fd = (uint32_t)program,
                                        .data_size_in = (uint32_t)length,
                                        .data_in = (uintptr_t)frame,
                                        .repeat = repeat,
                                        .ctx_size_in = sizeof context,
                                        .ctx_in = (uintptr_t)&context,
                                        .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                                        .batch_size = batch}};
  if (bpf_call(BPF_PROG_TEST_RUN, &attributes, sizeof attributes) < 0) return throw_errno(env, "bpf", errno);
  return make_int(env, 0);
}

const struct function bpf_program_functions[] = {
    {"bpfProgramLoad", load},
    {"bpfProgramId", program_id},
    {"bpfLinkCreate", link_create},
    {"bpfLinkUpdate", link_update},
    {"bpfLinkDetach", link_detach},
    {"bpfLinkInformation", link_ask},
    {"bpfTestRun", test_run},
    {"bpfRunLive", run_live},
    {NULL, NULL},
};
