/*
 * Loading an object and the clsact filter, through libbpf.
 *
 * The library prints; what it says in one call is gathered and given back, as it holds the verifier's reasons.
 */
#include "bpf.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libbpf.h"

enum { LOG_BYTES_MOST = 16 << 20, NAME_BYTES = 128, MAPS_MOST = 256, PROGRAMS_MOST = 256 };

/* What the library has said in the running call. It calls back on the calling thread. */
static _Thread_local struct {
  char *text;
  size_t length;
} said;

static int gather(int level, const char *format, va_list arguments) {
  if (level >= LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length <= 0 || said.length + (size_t)length + 1 > LOG_BYTES_MOST) return 0;
  char *larger = realloc(said.text, said.length + (size_t)length + 1);
  if (larger == NULL) return 0;
  vsnprintf(larger + said.length, (size_t)length + 1, format, arguments);
  said.text = larger;
  said.length += (size_t)length;
  return 0;
}

static void forget(void) {
  free(said.text);
  said.text = NULL;
  said.length = 0;
}

/* The library, opened on the first call; NULL, with an exception pending, where there is none. */
static const struct libbpf *library(napi_env env) {
  static struct libbpf calls;
  static bool ready;
  if (ready) return &calls;
  void *handle = dlopen("libbpf.so.1", RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    napi_throw_error(env, "ENOLIBBPF", dlerror());
    return NULL;
  }
#define CALL(name)                                       \
  if ((*(void **)&calls.name = dlsym(handle, #name)) == NULL) { \
    napi_throw_error(env, "ENOLIBBPF", dlerror());       \
    return NULL;                                         \
  }
  CALL(libbpf_set_print)
  CALL(bpf_object__open_mem)
  CALL(bpf_object__load)
  CALL(bpf_object__close)
  CALL(bpf_object__next_map)
  CALL(bpf_object__find_map_by_name)
  CALL(bpf_map__name)
  CALL(bpf_map__fd)
  CALL(bpf_map__is_internal)
  CALL(bpf_map__set_max_entries)
  CALL(bpf_map__reuse_fd)
  CALL(bpf_map__initial_value)
  CALL(bpf_object__next_program)
  CALL(bpf_object__find_program_by_name)
  CALL(bpf_program__name)
  CALL(bpf_program__fd)
  CALL(bpf_program__set_autoload)
  CALL(bpf_tc_hook_create)
  CALL(bpf_tc_hook_destroy)
  CALL(bpf_tc_attach)
  CALL(bpf_tc_detach)
  CALL(bpf_tc_query)
  CALL(libbpf_probe_bpf_helper)
#undef CALL
  calls.libbpf_set_print(gather);
  ready = true;
  return &calls;
}

/* Arguments of bpfLoad, and the object that they have opened. */
struct loading {
  napi_env env;
  const struct libbpf *library;
  struct bpf_object *object;
};

/* The contents of .rodata: as many bytes as the object has there. */
static bool set_constants(struct loading *loading, const uint8_t *bytes, size_t length) {
  const struct libbpf *library = loading->library;
  for (struct bpf_map *map = NULL; (map = library->bpf_object__next_map(loading->object, map)) != NULL;) {
    const char *suffix = strrchr(library->bpf_map__name(map), '.');
    if (!library->bpf_map__is_internal(map) || suffix == NULL || strcmp(suffix, ".rodata") != 0) continue;
    size_t size;
    /* Before loading it is the library's own memory, and meant to be written. */
    void *value = (void *)library->bpf_map__initial_value(map, &size);
    if (value == NULL || size != length) break;
    memcpy(value, bytes, length);
    return true;
  }
  throw_type_error(loading->env, "constants must have the length of .rodata");
  return false;
}

/* { name, fd, maxEntries }: a map to use instead of a new one, or its size. */
static bool choose_map(struct loading *loading, napi_value choice) {
  const struct libbpf *library = loading->library;
  napi_env env = loading->env;
  struct call call = {.env = env, .count = 3};
  char name[NAME_BYTES];
  int fd;
  uint32_t entries;
  if (napi_get_named_property(env, choice, "name", &call.arguments[0]) != napi_ok ||
      napi_get_named_property(env, choice, "fd", &call.arguments[1]) != napi_ok ||
      napi_get_named_property(env, choice, "maxEntries", &call.arguments[2]) != napi_ok) {
    throw_type_error(env, "maps must be { name, fd, maxEntries }");
    return false;
  }
  if (!text_argument(&call, 0, "name", name, sizeof name) || !int_argument(&call, 1, "fd", &fd) ||
      !id_argument(&call, 2, "maxEntries", &entries)) {
    return false;
  }
  struct bpf_map *map = library->bpf_object__find_map_by_name(loading->object, name);
  int result = map == NULL ? -ENOENT : 0;
  if (result == 0 && entries > 0) result = library->bpf_map__set_max_entries(map, entries);
  if (result == 0 && fd >= 0) result = library->bpf_map__reuse_fd(map, fd);
  if (result < 0) throw_errno(env, "bpf", -result);
  return result == 0;
}

/* Only those that are named. */
static bool choose_programs(struct loading *loading, struct call *call, size_t index) {
  const struct libbpf *library = loading->library;
  uint32_t count;
  if (!array_argument(call, index, "programs", PROGRAMS_MOST, &count)) return false;
  for (struct bpf_program *each = NULL; (each = library->bpf_object__next_program(loading->object, each)) != NULL;) {
    library->bpf_program__set_autoload(each, false);
  }
  for (uint32_t i = 0; i < count; i++) {
    struct call element = {.env = call->env, .count = 1};
    char name[NAME_BYTES];
    if (napi_get_element(call->env, call->arguments[index], i, &element.arguments[0]) != napi_ok ||
        !text_argument(&element, 0, "program", name, sizeof name)) {
      return false;
    }
    struct bpf_program *program = library->bpf_object__find_program_by_name(loading->object, name);
    if (program == NULL) {
      throw_errno(call->env, "bpf", ENOENT);
      return false;
    }
    library->bpf_program__set_autoload(program, true);
  }
  return true;
}

/* A descriptor of our own, as the object's are closed with it. */
static bool add_descriptor(napi_env env, napi_value object, const char *name, int fd) {
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0) {
    throw_errno(env, "fcntl", errno);
    return false;
  }
  if (set_property(env, object, name, make_int(env, own))) return true;
  close(own);
  return false;
}

/* { errno, log, maps: { name: fd }, programs: { name: fd } }; errno 0 when it was loaded. */
static napi_value outcome(struct loading *loading, int number) {
  const struct libbpf *library = loading->library;
  napi_env env = loading->env;
  napi_value result, log, maps, programs;
  if (napi_create_object(env, &result) != napi_ok || napi_create_object(env, &maps) != napi_ok ||
      napi_create_object(env, &programs) != napi_ok ||
      napi_create_string_utf8(env, said.length > 0 ? said.text : "", said.length, &log) != napi_ok ||
      !set_property(env, result, "errno", make_int(env, number)) || !set_property(env, result, "log", log) ||
      !set_property(env, result, "maps", maps) || !set_property(env, result, "programs", programs)) {
    return NULL;
  }
  if (number != 0) return result;
  for (struct bpf_map *each = NULL; (each = library->bpf_object__next_map(loading->object, each)) != NULL;) {
    if (library->bpf_map__is_internal(each)) continue;
    if (!add_descriptor(env, maps, library->bpf_map__name(each), library->bpf_map__fd(each))) return NULL;
  }
  for (struct bpf_program *each = NULL; (each = library->bpf_object__next_program(loading->object, each)) != NULL;) {
    int fd = library->bpf_program__fd(each);
    if (fd >= 0 && !add_descriptor(env, programs, library->bpf_program__name(each), fd)) return NULL;
  }
  return result;
}

static napi_value load_opened(struct loading *loading, struct call *call) {
  const uint8_t *constants;
  size_t length;
  uint32_t choices;
  if (!argument_missing(call, 2) &&
      (!bytes_argument(call, 2, "constants", &constants, &length) || !set_constants(loading, constants, length))) {
    return NULL;
  }
  if (!array_argument(call, 3, "maps", MAPS_MOST, &choices)) return NULL;
  for (uint32_t i = 0; i < choices; i++) {
    napi_value choice;
    if (napi_get_element(call->env, call->arguments[3], i, &choice) != napi_ok || !choose_map(loading, choice)) {
      return NULL;
    }
  }
  if (!argument_missing(call, 4) && !choose_programs(loading, call, 4)) return NULL;
  int result = loading->library->bpf_object__load(loading->object);
  return outcome(loading, -result);
}

/* object, name, constants or undefined, maps, programs or undefined */
static napi_value load(napi_env env, napi_callback_info info) {
  struct call call;
  const uint8_t *bytes;
  size_t length;
  char name[NAME_BYTES];
  if (!begin_call(env, info, &call) || !bytes_argument(&call, 0, "object", &bytes, &length) ||
      !text_argument(&call, 1, "name", name, sizeof name)) {
    return NULL;
  }
  struct loading loading = {.env = env, .library = library(env)};
  if (loading.library == NULL) return NULL;
  forget();
  struct bpf_object_open_opts options = {.sz = sizeof options, .object_name = name};
  errno = 0;
  loading.object = loading.library->bpf_object__open_mem(bytes, length, &options);
  napi_value result;
  if (loading.object == NULL) {
    result = outcome(&loading, errno == 0 ? EINVAL : errno);
  } else {
    result = load_opened(&loading, &call);
    loading.library->bpf_object__close(loading.object);
  }
  forget();
  return result;
}

/* interface, whether egress */
static bool hook_arguments(struct call *call, struct bpf_tc_hook *hook) {
  bool egress;
  *hook = (struct bpf_tc_hook){.sz = sizeof *hook};
  if (!int_argument(call, 0, "interface", &hook->ifindex) || !bool_argument(call, 1, "egress", &egress)) return false;
  hook->attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
  return true;
}

/* False: there was one. */
static napi_value qdisc_create(napi_env env, napi_callback_info info) {
  struct call call;
  struct bpf_tc_hook hook;
  const struct libbpf *bpf;
  if (!begin_call(env, info, &call) || !hook_arguments(&call, &hook) || (bpf = library(env)) == NULL) return NULL;
  int result = bpf->bpf_tc_hook_create(&hook);
  forget();
  if (result < 0 && result != -EEXIST) return throw_errno(env, "netlink", -result);
  napi_value created;
  return napi_get_boolean(env, result == 0, &created) == napi_ok ? created : NULL;
}

/* The whole qdisc, with all that hangs on it. */
static napi_value qdisc_destroy(napi_env env, napi_callback_info info) {
  struct call call;
  struct bpf_tc_hook hook;
  const struct libbpf *bpf;
  if (!begin_call(env, info, &call) || !hook_arguments(&call, &hook) || (bpf = library(env)) == NULL) return NULL;
  hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
  int result = bpf->bpf_tc_hook_destroy(&hook);
  forget();
  return result < 0 ? throw_errno(env, "netlink", -result) : NULL;
}

static bool filter_arguments(struct call *call, struct bpf_tc_hook *hook, struct bpf_tc_opts *options) {
  *options = (struct bpf_tc_opts){.sz = sizeof *options};
  return hook_arguments(call, hook) && id_argument(call, 2, "priority", &options->priority) &&
         id_argument(call, 3, "handle", &options->handle);
}

static napi_value filter_replace(napi_env env, napi_callback_info info) {
  struct call call;
  struct bpf_tc_hook hook;
  struct bpf_tc_opts options;
  const struct libbpf *bpf;
  if (!begin_call(env, info, &call) || !filter_arguments(&call, &hook, &options) ||
      !int_argument(&call, 4, "program", &options.prog_fd) || (bpf = library(env)) == NULL) {
    return NULL;
  }
  options.flags = BPF_TC_F_REPLACE;
  int result = bpf->bpf_tc_attach(&hook, &options);
  forget();
  return result < 0 ? throw_errno(env, "netlink", -result) : NULL;
}

/* The program's number; undefined where there is no such filter, qdisc or interface. */
static napi_value filter_query(napi_env env, napi_callback_info info) {
  struct call call;
  struct bpf_tc_hook hook;
  struct bpf_tc_opts options;
  const struct libbpf *bpf;
  if (!begin_call(env, info, &call) || !filter_arguments(&call, &hook, &options) || (bpf = library(env)) == NULL) {
    return NULL;
  }
  int result = bpf->bpf_tc_query(&hook, &options);
  forget();
  /* EINVAL: no clsact qdisc. */
  if (result == -ENOENT || result == -EINVAL || result == -ENODEV) return undefined_value(env);
  return result < 0 ? throw_errno(env, "netlink", -result) : make_int(env, options.prog_id);
}

static napi_value filter_delete(napi_env env, napi_callback_info info) {
  struct call call;
  struct bpf_tc_hook hook;
  struct bpf_tc_opts options;
  const struct libbpf *bpf;
  if (!begin_call(env, info, &call) || !filter_arguments(&call, &hook, &options) || (bpf = library(env)) == NULL) {
    return NULL;
  }
  int result = bpf->bpf_tc_detach(&hook, &options);
  forget();
  return result < 0 ? throw_errno(env, "netlink", -result) : NULL;
}

static napi_value probe_helper(napi_env env, napi_callback_info info) {
  struct call call;
  int type, helper;
  const struct libbpf *bpf;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "type", &type) ||
      !int_argument(&call, 1, "helper", &helper) || (bpf = library(env)) == NULL) {
    return NULL;
  }
  int result = bpf->libbpf_probe_bpf_helper(type, helper, NULL);
  forget();
  if (result < 0) return throw_errno(env, "bpf", -result);
  napi_value known;
  return napi_get_boolean(env, result > 0, &known) == napi_ok ? known : NULL;
}

const struct function bpf_object_functions[] = {
    {"bpfLoad", load},
    {"clsactCreate", qdisc_create},
    {"clsactDestroy", qdisc_destroy},
    {"clsactReplace", filter_replace},
    {"clsactQuery", filter_query},
    {"clsactDelete", filter_delete},
    {"bpfProbeHelper", probe_helper},
    {NULL, NULL},
};
