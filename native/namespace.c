/* Namespaces of the calling thread: setns(2), unshare(2). */
#include "addon.h"

#include <sched.h>

static napi_value enter(napi_env env, napi_callback_info info) {
  struct call call;
  int fd, type;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) || !int_argument(&call, 1, "type", &type)) {
    return NULL;
  }
  return check(env, "setns", setns(fd, type));
}

static napi_value leave(napi_env env, napi_callback_info info) {
  struct call call;
  int flags;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "flags", &flags)) return NULL;
  return check(env, "unshare", unshare(flags));
}

const struct function namespace_functions[] = {
    {"setns", enter},
    {"unshare", leave},
    {NULL, NULL},
};
