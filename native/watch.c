/*
 * Descriptors watched on the main loop with uv_poll: one call into JavaScript for each batch received.
 *
 * A watch is a number in JavaScript, never a pointer. `unwatch` may be called from within the call-back: the memory lives
 * until libuv has let go of the handle. One batch for each time that the loop finds the descriptor readable, so a flood on
 * one socket leaves time for the others.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>

#include "receive.h"
#include "uv-poll.h"

struct watches; /* of one environment */

struct watch {
  struct watch *next;
  struct watches *owner;
  uint32_t id;
  int fd;
  bool stopped;
  struct slots *slots;
  napi_ref callback;
  uv_poll_t *handle;
};

struct watches {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  bool ending;
  uint32_t last_id;
  struct watch *first; /* those that run or whose handle still closes */
};

static struct watches *watches_of(napi_env env) {
  void *data = NULL;
  return napi_get_instance_data(env, &data) == napi_ok ? data : NULL;
}

static void free_watches(struct watches *watches) {
  napi_async_destroy(watches->env, watches->context);
  napi_remove_async_cleanup_hook(watches->cleanup);
  free(watches);
}

static void free_watch(struct watch *watch) {
  free_slots(watch->slots);
  free(watch->handle);
  free(watch);
}

static void after_close(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  struct watches *owner = watch->owner;
  struct watch **link = &owner->first;
  while (*link != watch) link = &(*link)->next;
  *link = watch->next;
  free_watch(watch);
  if (owner->ending && owner->first == NULL) free_watches(owner);
}

static void stop(struct watch *watch) {
  watch->stopped = true;
  napi_delete_reference(watch->owner->env, watch->callback);
  uv_close(watch->handle, after_close);
}

/* An exception from the call-back goes where node's own go: uncaughtException. */
static void call_back(struct watch *watch, int error, napi_value batch) {
  struct watches *owner = watch->owner;
  napi_env env = owner->env;
  napi_value callback, receiver, result, exception;
  napi_value arguments[] = {make_int(env, error), batch == NULL ? undefined_value(env) : batch};
  if (napi_get_reference_value(env, watch->callback, &callback) != napi_ok || callback == NULL ||
      napi_get_global(env, &receiver) != napi_ok) {
    return;
  }
  if (napi_make_callback(env, owner->context, receiver, callback, 2, arguments, &result) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
    napi_fatal_exception(env, exception);
  }
}

/*
 * libuv stops a handle and reports an error when the kernel signals POLLERR, which is how a netlink socket announces lost
 * messages and a packet socket that its interface went down. Receiving fetches that error; then watching goes on, except
 * when the descriptor itself is bad.
 */
static void on_readable(uv_poll_t *handle, int status, int events) {
  (void)events;
  struct watch *watch = handle->data;
  napi_env env = watch->owner->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value batch, exception;
  int error = receive_batch(env, watch->fd, watch->slots, &batch);
  if (status < 0 && error != EBADF && error != ENOTSOCK) uv_poll_start(handle, UV_READABLE, on_readable);
  if (error == -1) {
    if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
  } else if (error != EAGAIN) {
    call_back(watch, error, batch);
  }
  napi_close_handle_scope(env, scope);
}

bool is_watched(napi_env env, int fd) {
  struct watches *watches = watches_of(env);
  if (watches == NULL) return false;
  for (struct watch *watch = watches->first; watch != NULL; watch = watch->next) {
    if (watch->fd == fd && !watch->stopped) return true;
  }
  return false;
}

static napi_value start(napi_env env, napi_callback_info info) {
  struct call call;
  int fd, slot_bytes, slots;
  napi_valuetype type;
  if (!begin_call(env, info, &call) || !slot_arguments(&call, &fd, &slot_bytes, &slots)) return NULL;
  if (call.count < 4 || napi_typeof(env, call.arguments[3], &type) != napi_ok || type != napi_function) {
    return throw_type_error(env, "callback must be a function");
  }
  struct watches *owner = watches_of(env);
  if (owner == NULL || owner->ending) return throw_type_error(env, "the environment is ending");
  if (is_watched(env, fd)) return throw_type_error(env, "the descriptor is watched already");

  uv_loop_t *loop;
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok) {
    free(watch);
    return throw_errno(env, "watch", ENOMEM);
  }
  watch->owner = owner;
  watch->id = ++owner->last_id;
  watch->fd = fd;
  watch->slots = make_slots(fd, (size_t)slot_bytes, (unsigned)slots);
  watch->handle = calloc(1, uv_handle_size(UV_POLL));
  if (watch->slots == NULL || watch->handle == NULL) {
    free_watch(watch);
    return throw_errno(env, "watch", ENOMEM);
  }
  int error = uv_poll_init(loop, watch->handle, fd); /* libuv's error numbers are negative errno */
  if (error != 0) {
    free_watch(watch);
    return throw_errno(env, "epoll_ctl", -error);
  }
  watch->handle->data = watch;
  watch->next = owner->first;
  owner->first = watch;
  if (napi_create_reference(env, call.arguments[3], 1, &watch->callback) != napi_ok) {
    stop(watch);
    return NULL;
  }
  error = uv_poll_start(watch->handle, UV_READABLE, on_readable);
  if (error != 0) {
    stop(watch);
    return throw_errno(env, "epoll_ctl", -error);
  }
  return make_int(env, watch->id);
}

static napi_value unwatch(napi_env env, napi_callback_info info) {
  struct call call;
  uint32_t id;
  if (!begin_call(env, info, &call) || !id_argument(&call, 0, "watch", &id)) return NULL;
  struct watches *watches = watches_of(env);
  struct watch *watch = watches == NULL ? NULL : watches->first;
  while (watch != NULL && (watch->id != id || watch->stopped)) watch = watch->next;
  if (watch == NULL) return throw_type_error(env, "there is no such watch");
  stop(watch);
  return NULL;
}

static napi_value receive(napi_env env, napi_callback_info info) {
  struct call call;
  int fd, slot_bytes, count;
  if (!begin_call(env, info, &call) || !slot_arguments(&call, &fd, &slot_bytes, &count)) return NULL;
  struct slots *slots = make_slots(fd, (size_t)slot_bytes, (unsigned)count);
  if (slots == NULL) return throw_errno(env, "recvmmsg", ENOMEM);
  napi_value batch;
  int error = receive_batch(env, fd, slots, &batch);
  free_slots(slots);
  if (error == EAGAIN || error == -1) return NULL;
  return error == 0 ? batch : throw_errno(env, "recvmmsg", error);
}

/* The environment ends (process exit, worker thread): handles have to be closed before the loop is. */
static void end_watches(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct watches *watches = data;
  watches->ending = true;
  for (struct watch *watch = watches->first; watch != NULL; watch = watch->next) {
    if (!watch->stopped) stop(watch);
  }
  if (watches->first == NULL) free_watches(watches);
}

bool watches_begin(napi_env env) {
  struct watches *watches = calloc(1, sizeof *watches);
  napi_value name;
  if (watches == NULL) return false;
  watches->env = env;
  return napi_create_string_utf8(env, "evenkeel", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_async_init(env, NULL, name, &watches->context) == napi_ok &&
         napi_set_instance_data(env, watches, NULL, NULL) == napi_ok &&
         napi_add_async_cleanup_hook(env, end_watches, watches, &watches->cleanup) == napi_ok;
}

const struct function watch_functions[] = {
    {"watch", start},
    {"unwatch", unwatch},
    {"receive", receive},
    {NULL, NULL},
};
