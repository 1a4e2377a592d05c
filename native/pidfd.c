/* A descriptor that stands for a process, pidfd_open(2): it becomes readable when the process ends. */
#include "addon.h"

#include <sys/syscall.h>
#include <unistd.h>

static napi_value pidfd_open_call(napi_env env, napi_callback_info info) {
  struct call call;
  int pid;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "pid", &pid)) return NULL;
  long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
  return fd < 0 ? check(env, "pidfd_open", -1) : make_int(env, fd);
}

const struct function pidfd_functions[] = {
    {"pidfdOpen", pidfd_open_call},
    {NULL, NULL},
};
