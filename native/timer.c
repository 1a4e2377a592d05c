/* A descriptor that becomes readable at a given time, timerfd_create(2). libuv's own timers count in milliseconds. */
#include "addon.h"

#include <sys/timerfd.h>
#include <time.h>

static napi_value timerfd_create_call(napi_env env, napi_callback_info info) {
  struct call call;
  if (!begin_call(env, info, &call)) return NULL;
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  return fd < 0 ? check(env, "timerfd_create", -1) : make_int(env, fd);
}

static napi_value timerfd_set(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  uint32_t seconds, nanoseconds;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) ||
      !id_argument(&call, 1, "seconds", &seconds) || !id_argument(&call, 2, "nanoseconds", &nanoseconds)) {
    return NULL;
  }
  struct itimerspec at = {.it_value = {.tv_sec = seconds, .tv_nsec = nanoseconds}};
  return check(env, "timerfd_settime", timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL));
}

const struct function timer_functions[] = {
    {"timerfdCreate", timerfd_create_call},
    {"timerfdSet", timerfd_set},
    {NULL, NULL},
};
