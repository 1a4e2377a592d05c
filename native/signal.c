/*
 * Signals that Node has no name for, sigaction(2): real-time signals. Each one that arrives becomes one byte, its number,
 * written to a descriptor; a full socket loses it, as the kernel does with signals that are pending already.
 */
#include "addon.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static int written_to[NSIG];

static void on_signal(int number) {
  int before = errno;
  unsigned char byte = (unsigned char)number;
  ssize_t written = write(written_to[number], &byte, 1);
  (void)written;
  errno = before;
}

static napi_value catch_signal(napi_env env, napi_callback_info info) {
  struct call call;
  int number, fd;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "signal", &number) ||
      !int_argument(&call, 1, "fd", &fd)) {
    return NULL;
  }
  if (number <= 0 || number >= NSIG) return throw_type_error(env, "signal must be a signal's number");
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  written_to[number] = fd;
  return check(env, "sigaction", sigaction(number, &action, NULL));
}

const struct function signal_functions[] = {
    {"catchSignal", catch_signal},
    {NULL, NULL},
};
