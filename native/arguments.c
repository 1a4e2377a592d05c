/* Reading arguments strictly, making results, throwing. */
#include "addon.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool begin_call(napi_env env, napi_callback_info info, struct call *call) {
  call->env = env;
  call->count = sizeof call->arguments / sizeof *call->arguments;
  return napi_get_cb_info(env, info, &call->count, call->arguments, NULL, NULL) == napi_ok;
}

static bool refuse(napi_env env, const char *name, const char *expected) {
  char message[128];
  snprintf(message, sizeof message, "%s must be %s", name, expected);
  throw_type_error(env, message);
  return false;
}

static bool number_between(napi_env env, napi_value value, double least, double most, double *result) {
  return value != NULL && napi_get_value_double(env, value, result) == napi_ok && *result >= least && *result <= most &&
         floor(*result) == *result;
}

static napi_value argument(struct call *call, size_t index) {
  return index < call->count ? call->arguments[index] : NULL;
}

bool int_value(napi_env env, napi_value value, const char *name, int *result) {
  double number;
  if (!number_between(env, value, INT32_MIN, INT32_MAX, &number)) return refuse(env, name, "a 32-bit integer");
  *result = (int)number;
  return true;
}

bool int_argument(struct call *call, size_t index, const char *name, int *value) {
  return int_value(call->env, argument(call, index), name, value);
}

bool id_argument(struct call *call, size_t index, const char *name, uint32_t *value) {
  double number;
  if (!number_between(call->env, argument(call, index), 0, UINT32_MAX, &number)) {
    return refuse(call->env, name, "an integer from 0 to 4294967295");
  }
  *value = (uint32_t)number;
  return true;
}

bool bool_argument(struct call *call, size_t index, const char *name, bool *value) {
  napi_value given = argument(call, index);
  if (given == NULL || napi_get_value_bool(call->env, given, value) != napi_ok) {
    return refuse(call->env, name, "a boolean");
  }
  return true;
}

bool bytes_value(napi_env env, napi_value value, const char *name, const uint8_t **bytes, size_t *length) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  void *data;
  if (value == NULL || napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    return refuse(env, name, "a Uint8Array");
  }
  /* An empty array may have no memory; the kernel is never given NULL with a meaning. */
  static const uint8_t nothing[1];
  *bytes = data == NULL ? nothing : data;
  return true;
}

bool bytes_argument(struct call *call, size_t index, const char *name, const uint8_t **bytes, size_t *length) {
  return bytes_value(call->env, argument(call, index), name, bytes, length);
}

bool text_argument(struct call *call, size_t index, const char *name, char *text, size_t size) {
  napi_value given = argument(call, index);
  size_t length, copied;
  if (given == NULL || napi_get_value_string_utf8(call->env, given, NULL, 0, &length) != napi_ok || length >= size ||
      napi_get_value_string_utf8(call->env, given, text, size, &copied) != napi_ok || strlen(text) != length) {
    return refuse(call->env, name, "a string that is not too long, without NUL");
  }
  return true;
}

bool argument_missing(struct call *call, size_t index) {
  napi_value value = argument(call, index);
  napi_valuetype type;
  return value == NULL || napi_typeof(call->env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

bool array_argument(struct call *call, size_t index, const char *name, uint32_t most, uint32_t *length) {
  napi_value value = argument(call, index);
  bool is_array = false;
  if (value == NULL || napi_is_array(call->env, value, &is_array) != napi_ok || !is_array ||
      napi_get_array_length(call->env, value, length) != napi_ok || *length > most) {
    char expected[48];
    snprintf(expected, sizeof expected, "an array of at most %u", most);
    return refuse(call->env, name, expected);
  }
  return true;
}

napi_value throw_type_error(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

const char *errno_name(int number, char *buffer, size_t size) {
  const char *name = strerrorname_np(number);
  if (name != NULL) return name;
  snprintf(buffer, size, "E%d", number);
  return buffer;
}

napi_value throw_errno(napi_env env, const char *syscall, int number) {
  char buffer[16];
  char text[160];
  const char *name = errno_name(number, buffer, sizeof buffer);
  snprintf(text, sizeof text, "%s: %s", syscall, name);
  napi_value code, message, call, error;
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code) == napi_ok &&
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) == napi_ok &&
      napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &call) == napi_ok &&
      napi_create_error(env, code, message, &error) == napi_ok &&
      napi_set_named_property(env, error, "syscall", call) == napi_ok &&
      napi_set_named_property(env, error, "errno", make_int(env, number)) == napi_ok) {
    napi_throw(env, error);
  }
  return NULL;
}

napi_value check(napi_env env, const char *syscall, int result) {
  return result < 0 ? throw_errno(env, syscall, errno) : NULL;
}

napi_value make_int(napi_env env, int64_t value) {
  napi_value result;
  return napi_create_int64(env, value, &result) == napi_ok ? result : NULL;
}

napi_value undefined_value(napi_env env) {
  napi_value result;
  return napi_get_undefined(env, &result) == napi_ok ? result : NULL;
}
