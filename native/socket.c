/* Sockets: opening, binding, options, sending. socket(2), setsockopt(2), sendmsg(2), unix(7). */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OPTION_BYTES_MOST = 4096, CONTROLS_MOST = 8, CONTROL_BYTES_MOST = 256, DESCRIPTORS_MOST = 253 };

static napi_value open_socket(napi_env env, napi_callback_info info) {
  struct call call;
  int domain, type, protocol;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "domain", &domain) ||
      !int_argument(&call, 1, "type", &type) || !int_argument(&call, 2, "protocol", &protocol)) {
    return NULL;
  }
  int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  return fd < 0 ? throw_errno(env, "socket", errno) : make_int(env, fd);
}

static napi_value open_pair(napi_env env, napi_callback_info info) {
  struct call call;
  int domain, type, protocol, ends[2];
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "domain", &domain) ||
      !int_argument(&call, 1, "type", &type) || !int_argument(&call, 2, "protocol", &protocol)) {
    return NULL;
  }
  if (socketpair(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol, ends) < 0) {
    return throw_errno(env, "socketpair", errno);
  }
  napi_value pair;
  if (napi_create_array_with_length(env, 2, &pair) != napi_ok ||
      napi_set_element(env, pair, 0, make_int(env, ends[0])) != napi_ok ||
      napi_set_element(env, pair, 1, make_int(env, ends[1])) != napi_ok) {
    close(ends[0]);
    close(ends[1]);
    return NULL;
  }
  return pair;
}

/* fd and a socket address, which is copied: the kernel wants it aligned and of a length that fits. */
static bool address_arguments(struct call *call, int *fd, struct sockaddr_storage *address, socklen_t *length) {
  const uint8_t *bytes;
  size_t given;
  if (!int_argument(call, 0, "fd", fd) || !bytes_argument(call, 1, "address", &bytes, &given)) return false;
  if (given > sizeof *address) {
    throw_type_error(call->env, "address must have at most 128 bytes");
    return false;
  }
  memcpy(address, bytes, given);
  *length = (socklen_t)given;
  return true;
}

static napi_value bind_socket(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct sockaddr_storage address;
  socklen_t length;
  if (!begin_call(env, info, &call) || !address_arguments(&call, &fd, &address, &length)) return NULL;
  return check(env, "bind", bind(fd, (struct sockaddr *)&address, length));
}

static napi_value listen_socket(napi_env env, napi_callback_info info) {
  struct call call;
  int fd, backlog;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) ||
      !int_argument(&call, 1, "backlog", &backlog)) {
    return NULL;
  }
  return check(env, "listen", listen(fd, backlog));
}

static napi_value set_option(napi_env env, napi_callback_info info) {
  struct call call;
  int fd, level, name, number;
  const uint8_t *bytes;
  size_t length;
  napi_valuetype type;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) || !int_argument(&call, 1, "level", &level) ||
      !int_argument(&call, 2, "name", &name)) {
    return NULL;
  }
  if (call.count > 3 && napi_typeof(env, call.arguments[3], &type) == napi_ok && type == napi_number) {
    if (!int_argument(&call, 3, "value", &number)) return NULL;
    return check(env, "setsockopt", setsockopt(fd, level, name, &number, sizeof number));
  }
  if (!bytes_argument(&call, 3, "value", &bytes, &length)) return NULL;
  if (length > OPTION_BYTES_MOST) return throw_type_error(env, "value must have at most 4096 bytes");
  return check(env, "setsockopt", setsockopt(fd, level, name, bytes, (socklen_t)length));
}

/* The bytes that the kernel gives, at most `length` of them. */
static napi_value get_option(napi_env env, napi_callback_info info) {
  struct call call;
  int fd, level, name;
  uint32_t most;
  uint8_t bytes[OPTION_BYTES_MOST];
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) || !int_argument(&call, 1, "level", &level) ||
      !int_argument(&call, 2, "name", &name) || !id_argument(&call, 3, "length", &most)) {
    return NULL;
  }
  if (most > sizeof bytes) return throw_type_error(env, "length must be at most 4096");
  socklen_t length = most;
  if (getsockopt(fd, level, name, bytes, &length) < 0) return throw_errno(env, "getsockopt", errno);
  void *data;
  napi_value buffer, result;
  if (napi_create_arraybuffer(env, length, &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &result) != napi_ok) {
    return NULL;
  }
  if (length > 0) memcpy(data, bytes, length);
  return result;
}

static napi_value attach_filter(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  const uint8_t *bytes;
  size_t length;
  struct sock_filter instructions[BPF_MAXINSNS];
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) ||
      !bytes_argument(&call, 1, "program", &bytes, &length)) {
    return NULL;
  }
  if (length == 0 || length > sizeof instructions || length % sizeof *instructions != 0) {
    return throw_type_error(env, "program must have 1 to 4096 instructions of 8 bytes");
  }
  memcpy(instructions, bytes, length);
  struct sock_fprog program = {(unsigned short)(length / sizeof *instructions), instructions};
  return check(env, "setsockopt", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

/* Room for what one send may carry along. */
struct outgoing_control {
  _Alignas(struct cmsghdr) uint8_t
      bytes[CONTROLS_MOST * CMSG_SPACE(CONTROL_BYTES_MOST) + CMSG_SPACE(DESCRIPTORS_MOST * sizeof(int))];
  size_t length;
};

static void add_control(struct outgoing_control *control, int level, int type, const void *data, size_t length) {
  struct cmsghdr header = {.cmsg_len = CMSG_LEN(length), .cmsg_level = level, .cmsg_type = type};
  uint8_t *at = control->bytes + control->length;
  memset(at, 0, CMSG_SPACE(length));
  memcpy(at, &header, sizeof header);
  memcpy(at + CMSG_LEN(0), data, length);
  control->length += CMSG_SPACE(length);
}

static bool named_property(napi_env env, napi_value object, const char *name, napi_value *value) {
  napi_valuetype type;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object) {
    throw_type_error(env, "control must hold objects");
    return false;
  }
  return napi_get_named_property(env, object, name, value) == napi_ok;
}

static bool control_argument(struct call *call, size_t index, struct outgoing_control *control) {
  napi_env env = call->env;
  uint32_t count;
  if (argument_missing(call, index)) return true;
  if (!array_argument(call, index, "control", CONTROLS_MOST, &count)) return false;
  for (uint32_t i = 0; i < count; i++) {
    napi_value element, value;
    int level, type;
    const uint8_t *bytes;
    size_t length;
    if (napi_get_element(env, call->arguments[index], i, &element) != napi_ok ||
        !named_property(env, element, "level", &value) || !int_value(env, value, "level", &level) ||
        !named_property(env, element, "type", &value) || !int_value(env, value, "type", &type) ||
        !named_property(env, element, "data", &value) || !bytes_value(env, value, "data", &bytes, &length)) {
      return false;
    }
    if (length > CONTROL_BYTES_MOST) {
      throw_type_error(env, "data must have at most 256 bytes");
      return false;
    }
    add_control(control, level, type, bytes, length);
  }
  return true;
}

static bool descriptors_argument(struct call *call, size_t index, struct outgoing_control *control) {
  uint32_t count;
  int descriptors[DESCRIPTORS_MOST];
  if (argument_missing(call, index)) return true;
  if (!array_argument(call, index, "descriptors", DESCRIPTORS_MOST, &count)) return false;
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    if (napi_get_element(call->env, call->arguments[index], i, &element) != napi_ok ||
        !int_value(call->env, element, "descriptor", &descriptors[i])) {
      return false;
    }
  }
  if (count > 0) add_control(control, SOL_SOCKET, SCM_RIGHTS, descriptors, count * sizeof *descriptors);
  return true;
}

/*
 * fd, bytes, address?, control?, descriptors?. Control and descriptors come first, as reading them may run JavaScript
 * (getters), which could move or detach the bytes.
 */
static napi_value send_message(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  const uint8_t *bytes, *given_address;
  size_t length, address_length = 0;
  struct sockaddr_storage address;
  struct outgoing_control control;
  control.length = 0;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) || !control_argument(&call, 3, &control) ||
      !descriptors_argument(&call, 4, &control)) {
    return NULL;
  }
  if (!argument_missing(&call, 2)) {
    if (!bytes_argument(&call, 2, "address", &given_address, &address_length)) return NULL;
    if (address_length > sizeof address) return throw_type_error(env, "address must have at most 128 bytes");
    memcpy(&address, given_address, address_length);
  }
  if (!bytes_argument(&call, 1, "bytes", &bytes, &length)) return NULL;
  struct iovec vector = {(void *)bytes, length};
  struct msghdr message = {
      .msg_name = address_length == 0 ? NULL : &address,
      .msg_namelen = (socklen_t)address_length,
      .msg_iov = &vector,
      .msg_iovlen = 1,
      .msg_control = control.length == 0 ? NULL : control.bytes,
      .msg_controllen = control.length,
  };
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? throw_errno(env, "sendmsg", errno) : make_int(env, sent);
}

static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd)) return NULL;
  if (is_watched(env, fd)) return throw_type_error(env, "the descriptor is watched: unwatch it first");
  /* Linux has closed it whatever close returns; EINTR must not be tried again. close(2) */
  return close(fd) < 0 && errno != EINTR ? throw_errno(env, "close", errno) : NULL;
}

static napi_value set_close_on_exec(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  bool on;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) || !bool_argument(&call, 1, "on", &on)) {
    return NULL;
  }
  int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return throw_errno(env, "fcntl", errno);
  return check(env, "fcntl", fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC));
}

const struct function socket_functions[] = {
    {"socket", open_socket},
    {"socketpair", open_pair},
    {"bind", bind_socket},
    {"listen", listen_socket},
    {"setsockopt", set_option},
    {"getsockopt", get_option},
    {"attachFilter", attach_filter},
    {"send", send_message},
    {"close", close_descriptor},
    {"setCloseOnExec", set_close_on_exec},
    {NULL, NULL},
};
