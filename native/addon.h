/*
 * What the addon's files share: reading arguments, throwing, registering.
 *
 * The addon makes system calls and decides nothing. A function called with arguments of the wrong shape throws TypeError;
 * a system call that fails throws Error with `syscall`, `errno` and `code`. Nothing aborts the process.
 */
#ifndef EVENKEEL_ADDON_H
#define EVENKEEL_ADDON_H

#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arguments of the running call. After a failed read an exception is pending and the call returns NULL. */
struct call {
  napi_env env;
  size_t count;
  napi_value arguments[8];
};

bool begin_call(napi_env env, napi_callback_info info, struct call *call);

/* `name` is for the message: "fd must be an integer". */
bool int_argument(struct call *call, size_t index, const char *name, int *value);
/* 0 to 2^32-1. */
bool id_argument(struct call *call, size_t index, const char *name, uint32_t *value);
bool bool_argument(struct call *call, size_t index, const char *name, bool *value);
/* A Uint8Array; points into it, valid until JavaScript runs again. */
bool bytes_argument(struct call *call, size_t index, const char *name, const uint8_t **bytes, size_t *length);
bool bytes_value(napi_env env, napi_value value, const char *name, const uint8_t **bytes, size_t *length);
bool int_value(napi_env env, napi_value value, const char *name, int *result);
enum { PATH_BYTES = 4096 };
/* A string without NUL of less than `size` bytes in UTF-8, copied with its NUL. */
bool text_argument(struct call *call, size_t index, const char *name, char *text, size_t size);
/* True for undefined, null, and an argument that was not given. */
bool argument_missing(struct call *call, size_t index);
/* An array of at most `most` elements; its length. */
bool array_argument(struct call *call, size_t index, const char *name, uint32_t most, uint32_t *length);

/* Both return NULL so that a caller can return them. */
napi_value throw_type_error(napi_env env, const char *message);
napi_value throw_errno(napi_env env, const char *syscall, int number);
/* Undefined; throws `errno` when the system call's result is negative. */
napi_value check(napi_env env, const char *syscall, int result);

/* "ENOBUFS"; writes into `buffer` only for a number without a name. */
const char *errno_name(int number, char *buffer, size_t size);

napi_value make_int(napi_env env, int64_t value);
napi_value undefined_value(napi_env env);

/* True when a watch uses the descriptor. */
bool is_watched(napi_env env, int fd);

struct function {
  const char *name;
  napi_callback call;
};

/* One table a file, ended by a NULL name. */
extern const struct function socket_functions[];
extern const struct function watch_functions[];
extern const struct function process_functions[];
extern const struct function pidfd_functions[];
extern const struct function signal_functions[];
extern const struct function timer_functions[];
extern const struct function namespace_functions[];
extern const struct function file_system_functions[];
extern const struct function bpf_map_functions[];
extern const struct function bpf_program_functions[];
extern const struct function bpf_object_functions[];

napi_value make_constants(napi_env env);
/* Prepares the list of watches of this environment. */
bool watches_begin(napi_env env);

#endif
