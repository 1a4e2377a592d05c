/* What the files about BPF share. */
#ifndef EVENKEEL_BPF_H
#define EVENKEEL_BPF_H

#include "addon.h"

#include <linux/bpf.h>

/* bpf(2), which the C library does not wrap. */
int bpf_call(int command, void *attributes, size_t size);
/* The new descriptor or, with a pending exception, NULL. */
napi_value bpf_descriptor(napi_env env, int fd);
bool set_property(napi_env env, napi_value object, const char *name, napi_value value);

#endif
