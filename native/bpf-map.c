/*
 * Maps and pins: bpf(2), linux/bpf.h.
 *
 * The kernel reads and writes as many bytes as the map says and is told no length, so each call first asks for the map's
 * sizes and compares: a wrong descriptor must not become a wild write.
 */
#include "bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { POSITION_BYTES_MOST = 512 };

int bpf_call(int command, void *attributes, size_t size) {
  return (int)syscall(SYS_bpf, command, attributes, size);
}

napi_value bpf_descriptor(napi_env env, int fd) {
  return fd < 0 ? throw_errno(env, "bpf", errno) : make_int(env, fd);
}

bool set_property(napi_env env, napi_value object, const char *name, napi_value value) {
  return value != NULL && napi_set_named_property(env, object, name, value) == napi_ok;
}

/* Processors that may ever be there: what a per-processor value is for. "0-3,8-11" ends in the highest number. */
static uint32_t possible_processors(void) {
  static _Atomic uint32_t known;
  if (known != 0) return known;
  char text[256];
  int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (length <= 0) return 0;
  text[length] = '\0';
  char *last = text;
  for (char *at = text; *at != '\0'; at++) {
    if (*at == '-' || *at == ',') last = at + 1;
  }
  return known = (uint32_t)strtoul(last, NULL, 10) + 1;
}

/* A map and how many bytes a lookup of it writes. False with errno set. */
static bool map_information(int fd, struct bpf_map_info *map, size_t *value_bytes) {
  memset(map, 0, sizeof *map);
  union bpf_attr attributes = {.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof *map, .info = (uintptr_t)map}};
  if (bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof attributes) < 0) return false;
  *value_bytes = map->value_size;
  if (map->type == BPF_MAP_TYPE_PERCPU_HASH || map->type == BPF_MAP_TYPE_PERCPU_ARRAY ||
      map->type == BPF_MAP_TYPE_LRU_PERCPU_HASH) {
    uint32_t processors = possible_processors();
    if (processors == 0) {
      errno = ENOENT;
      return false;
    }
    *value_bytes = ((size_t)map->value_size + 7) / 8 * 8 * processors;
  }
  return true;
}

static napi_value ask(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct bpf_map_info map;
  size_t value_bytes;
  napi_value result, name;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd)) return NULL;
  if (!map_information(fd, &map, &value_bytes)) return throw_errno(env, "bpf", errno);
  if (napi_create_object(env, &result) != napi_ok ||
      napi_create_string_utf8(env, map.name, strnlen(map.name, sizeof map.name), &name) != napi_ok ||
      !set_property(env, result, "name", name) || !set_property(env, result, "type", make_int(env, map.type)) ||
      !set_property(env, result, "id", make_int(env, map.id)) ||
      !set_property(env, result, "keyBytes", make_int(env, map.key_size)) ||
      !set_property(env, result, "valueBytes", make_int(env, (int64_t)value_bytes)) ||
      !set_property(env, result, "maxEntries", make_int(env, map.max_entries))) {
    return NULL;
  }
  return result;
}

/* Bytes of one key or value, or of `count` of them. */
struct piece {
  const uint8_t *bytes;
  size_t length;
};

static bool fits(napi_env env, const char *name, struct piece piece, size_t expected) {
  if (piece.length == expected) return true;
  char message[96];
  snprintf(message, sizeof message, "%s must have %zu bytes, not %zu", name, expected, piece.length);
  throw_type_error(env, message);
  return false;
}

/* fd, key and perhaps a value, all of the right length. */
static bool element_arguments(struct call *call, int *fd, struct piece *key, struct piece *value) {
  struct bpf_map_info map;
  size_t value_bytes;
  if (!int_argument(call, 0, "fd", fd) || !bytes_argument(call, 1, "key", &key->bytes, &key->length) ||
      (value != NULL && !bytes_argument(call, 2, "value", &value->bytes, &value->length))) {
    return false;
  }
  if (!map_information(*fd, &map, &value_bytes)) {
    throw_errno(call->env, "bpf", errno);
    return false;
  }
  return fits(call->env, "key", *key, map.key_size) && (value == NULL || fits(call->env, "value", *value, value_bytes));
}

/* True, false for ENOENT, or an exception. */
static napi_value found(napi_env env, int result) {
  if (result < 0 && errno != ENOENT) return throw_errno(env, "bpf", errno);
  napi_value value;
  return napi_get_boolean(env, result >= 0, &value) == napi_ok ? value : NULL;
}

static napi_value read_element(napi_env env, napi_callback_info info, int command) {
  struct call call;
  int fd;
  struct piece key, value;
  if (!begin_call(env, info, &call) || !element_arguments(&call, &fd, &key, &value)) return NULL;
  union bpf_attr attributes = {
      .map_fd = (uint32_t)fd, .key = (uintptr_t)key.bytes, .value = (uintptr_t)value.bytes, .flags = 0};
  return found(env, bpf_call(command, &attributes, sizeof attributes));
}

static napi_value lookup(napi_env env, napi_callback_info info) {
  return read_element(env, info, BPF_MAP_LOOKUP_ELEM);
}

static napi_value take(napi_env env, napi_callback_info info) {
  return read_element(env, info, BPF_MAP_LOOKUP_AND_DELETE_ELEM);
}

static napi_value update(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  uint32_t flags;
  struct piece key, value;
  if (!begin_call(env, info, &call) || !id_argument(&call, 3, "flags", &flags) ||
      !element_arguments(&call, &fd, &key, &value)) {
    return NULL;
  }
  union bpf_attr attributes = {
      .map_fd = (uint32_t)fd, .key = (uintptr_t)key.bytes, .value = (uintptr_t)value.bytes, .flags = flags};
  return check(env, "bpf", bpf_call(BPF_MAP_UPDATE_ELEM, &attributes, sizeof attributes));
}

static napi_value delete_element(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct piece key;
  if (!begin_call(env, info, &call) || !element_arguments(&call, &fd, &key, NULL)) return NULL;
  union bpf_attr attributes = {.map_fd = (uint32_t)fd, .key = (uintptr_t)key.bytes};
  return found(env, bpf_call(BPF_MAP_DELETE_ELEM, &attributes, sizeof attributes));
}

static napi_value next_key(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct piece key = {NULL, 0}, next;
  struct bpf_map_info map;
  size_t value_bytes;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) ||
      (!argument_missing(&call, 1) && !bytes_argument(&call, 1, "key", &key.bytes, &key.length)) ||
      !bytes_argument(&call, 2, "next", &next.bytes, &next.length)) {
    return NULL;
  }
  if (!map_information(fd, &map, &value_bytes)) return throw_errno(env, "bpf", errno);
  if ((key.bytes != NULL && !fits(env, "key", key, map.key_size)) || !fits(env, "next", next, map.key_size)) return NULL;
  union bpf_attr attributes = {
      .map_fd = (uint32_t)fd, .key = (uintptr_t)key.bytes, .next_key = (uintptr_t)next.bytes};
  return found(env, bpf_call(BPF_MAP_GET_NEXT_KEY, &attributes, sizeof attributes));
}

/* keys, values and count from argument `first` on: as many keys and values as are counted, at least. */
static bool batch_arguments(struct call *call, size_t first, int fd, struct bpf_map_info *map, struct piece *keys,
                            struct piece *values, uint32_t *count) {
  size_t value_bytes;
  if (!bytes_argument(call, first, "keys", &keys->bytes, &keys->length) ||
      !bytes_argument(call, first + 1, "values", &values->bytes, &values->length) ||
      !id_argument(call, first + 2, "count", count)) {
    return false;
  }
  if (!map_information(fd, map, &value_bytes)) {
    throw_errno(call->env, "bpf", errno);
    return false;
  }
  if (*count > keys->length / (map->key_size > 0 ? map->key_size : 1) ||
      *count > values->length / (value_bytes > 0 ? value_bytes : 1)) {
    throw_type_error(call->env, "count must be at most that of keys and values");
    return false;
  }
  return true;
}

/* The position is the kernel's own: 4 bytes of a hash, a key of others. */
static napi_value lookup_batch(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct piece from = {NULL, 0}, keys, values;
  uint32_t count;
  struct bpf_map_info map;
  uint8_t before[POSITION_BYTES_MOST], after[POSITION_BYTES_MOST];
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) ||
      (!argument_missing(&call, 1) && !bytes_argument(&call, 1, "position", &from.bytes, &from.length)) ||
      !batch_arguments(&call, 2, fd, &map, &keys, &values, &count)) {
    return NULL;
  }
  size_t position_bytes = map.key_size > 4 ? map.key_size : 4;
  if (position_bytes > sizeof after) return throw_errno(env, "bpf", E2BIG);
  if (from.bytes != NULL) {
    if (!fits(env, "position", from, position_bytes)) return NULL;
    memcpy(before, from.bytes, position_bytes);
  }
  union bpf_attr attributes = {.batch = {.in_batch = from.bytes == NULL ? 0 : (uintptr_t)before,
                                         .out_batch = (uintptr_t)after,
                                         .keys = (uintptr_t)keys.bytes,
                                         .values = (uintptr_t)values.bytes,
                                         .count = count,
                                         .map_fd = (uint32_t)fd}};
  memset(after, 0, sizeof after);
  bool ended = false;
  if (bpf_call(BPF_MAP_LOOKUP_BATCH, &attributes, sizeof attributes) < 0) {
    if (errno != ENOENT) return throw_errno(env, "bpf", errno);
    ended = true;
  }
  napi_value result, buffer, position;
  void *bytes;
  if (napi_create_object(env, &result) != napi_ok ||
      !set_property(env, result, "count", make_int(env, attributes.batch.count))) {
    return NULL;
  }
  if (ended) {
    position = undefined_value(env);
  } else {
    if (napi_create_arraybuffer(env, position_bytes, &bytes, &buffer) != napi_ok ||
        napi_create_typedarray(env, napi_uint8_array, position_bytes, buffer, 0, &position) != napi_ok) {
      return NULL;
    }
    memcpy(bytes, after, position_bytes);
  }
  return set_property(env, result, "position", position) ? result : NULL;
}

static napi_value update_batch(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  struct piece keys, values;
  uint32_t count;
  struct bpf_map_info map;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) ||
      !batch_arguments(&call, 1, fd, &map, &keys, &values, &count)) {
    return NULL;
  }
  union bpf_attr attributes = {.batch = {.keys = (uintptr_t)keys.bytes,
                                         .values = (uintptr_t)values.bytes,
                                         .count = count,
                                         .map_fd = (uint32_t)fd}};
  return check(env, "bpf", bpf_call(BPF_MAP_UPDATE_BATCH, &attributes, sizeof attributes));
}

static napi_value pin(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  char path[PATH_BYTES];
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) ||
      !text_argument(&call, 1, "path", path, sizeof path)) {
    return NULL;
  }
  union bpf_attr attributes = {.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)fd};
  return check(env, "bpf", bpf_call(BPF_OBJ_PIN, &attributes, sizeof attributes));
}

static napi_value open_pinned(napi_env env, napi_callback_info info) {
  struct call call;
  char path[PATH_BYTES];
  if (!begin_call(env, info, &call) || !text_argument(&call, 0, "path", path, sizeof path)) return NULL;
  union bpf_attr attributes = {.pathname = (uintptr_t)path};
  return bpf_descriptor(env, bpf_call(BPF_OBJ_GET, &attributes, sizeof attributes));
}

const struct function bpf_map_functions[] = {
    {"bpfMapInformation", ask},
    {"bpfMapLookup", lookup},
    {"bpfMapTake", take},
    {"bpfMapUpdate", update},
    {"bpfMapDelete", delete_element},
    {"bpfMapNextKey", next_key},
    {"bpfMapLookupBatch", lookup_batch},
    {"bpfMapUpdateBatch", update_batch},
    {"bpfPin", pin},
    {"bpfOpenPinned", open_pinned},
    {NULL, NULL},
};
