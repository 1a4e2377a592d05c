/* The addon's start: one object with all functions and constants. */
#include "addon.h"

#include <stdio.h>

static napi_value error_name(napi_env env, napi_callback_info info) {
  struct call call;
  int number;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "errno", &number)) return NULL;
  char buffer[16];
  napi_value name;
  if (napi_create_string_utf8(env, errno_name(number, buffer, sizeof buffer), NAPI_AUTO_LENGTH, &name) != napi_ok) {
    return NULL;
  }
  return name;
}

static const struct function own_functions[] = {{"errorName", error_name}, {NULL, NULL}};

static bool add_functions(napi_env env, napi_value exports, const struct function *functions) {
  for (; functions->name != NULL; functions++) {
    napi_value function;
    if (napi_create_function(env, functions->name, NAPI_AUTO_LENGTH, functions->call, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, functions->name, function) != napi_ok) {
      return false;
    }
  }
  return true;
}

NAPI_MODULE_INIT() {
  const struct function *const tables[] = {own_functions, socket_functions, watch_functions, process_functions,
                                           pidfd_functions, signal_functions, timer_functions,
                                           namespace_functions, file_system_functions, bpf_map_functions,
                                           bpf_program_functions, bpf_object_functions};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (!add_functions(env, exports, tables[i])) return NULL;
  }
  napi_value constants = make_constants(env);
  if (constants == NULL || napi_set_named_property(env, exports, "constants", constants) != napi_ok) return NULL;
  if (!watches_begin(env)) return NULL;
  return exports;
}
