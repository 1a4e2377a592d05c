/*
 * What a process may do: credentials(7), prctl(2).
 *
 * The C library applies users and groups to all threads; prctl concerns the calling thread (the main one) and what it
 * starts. mlockall(2) is absent on purpose: V8 gives pages back with madvise(MADV_DONTNEED), which the
 * kernel refuses on locked memory, and V8 takes that for a fatal error.
 */
#include "addon.h"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { GROUPS_MOST = 1024 };

static napi_value set_groups(napi_env env, napi_callback_info info) {
  struct call call;
  uint32_t count;
  gid_t groups[GROUPS_MOST];
  if (!begin_call(env, info, &call) || !array_argument(&call, 0, "groups", GROUPS_MOST, &count)) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    struct call element = {.env = env, .count = 1};
    if (napi_get_element(env, call.arguments[0], i, &element.arguments[0]) != napi_ok ||
        !id_argument(&element, 0, "group", &groups[i])) {
      return NULL;
    }
  }
  return check(env, "setgroups", setgroups(count, groups));
}

static napi_value set_gids(napi_env env, napi_callback_info info) {
  struct call call;
  uint32_t real, effective, saved;
  if (!begin_call(env, info, &call) || !id_argument(&call, 0, "real", &real) ||
      !id_argument(&call, 1, "effective", &effective) || !id_argument(&call, 2, "saved", &saved)) {
    return NULL;
  }
  return check(env, "setresgid", setresgid(real, effective, saved));
}

static napi_value set_uids(napi_env env, napi_callback_info info) {
  struct call call;
  uint32_t real, effective, saved;
  if (!begin_call(env, info, &call) || !id_argument(&call, 0, "real", &real) ||
      !id_argument(&call, 1, "effective", &effective) || !id_argument(&call, 2, "saved", &saved)) {
    return NULL;
  }
  return check(env, "setresuid", setresuid(real, effective, saved));
}

static napi_value no_new_privileges(napi_env env, napi_callback_info info) {
  (void)info;
  return check(env, "prctl", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static napi_value parent_death_signal(napi_env env, napi_callback_info info) {
  struct call call;
  int signal;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "signal", &signal)) return NULL;
  return check(env, "prctl", prctl(PR_SET_PDEATHSIG, (unsigned long)signal));
}

const struct function process_functions[] = {
    {"setgroups", set_groups},
    {"setresgid", set_gids},
    {"setresuid", set_uids},
    {"setNoNewPrivileges", no_new_privileges},
    {"setParentDeathSignal", parent_death_signal},
    {NULL, NULL},
};
