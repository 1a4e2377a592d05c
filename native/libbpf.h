/*
 * The calls of libbpf that loading a program takes, declared here: its headers are then not needed to build the addon.
 *
 * The library (libbpf.so.1, which iproute2 uses too) is opened when it is first needed, so that processes without BPF do
 * not carry it. Its structures begin with their own size and grow at the end, which keeps these declarations valid.
 */
#ifndef EVENKEEL_LIBBPF_H
#define EVENKEEL_LIBBPF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;
struct bpf_map;
struct bpf_program;

struct bpf_object_open_opts {
  size_t sz;
  const char *object_name;
};

struct bpf_tc_hook {
  size_t sz;
  int ifindex;
  int attach_point;
  uint32_t parent;
  uint32_t padding;
};

struct bpf_tc_opts {
  size_t sz;
  int prog_fd;
  uint32_t flags;
  uint32_t prog_id;
  uint32_t handle;
  uint32_t priority;
  uint32_t padding;
};

enum { BPF_TC_INGRESS = 1, BPF_TC_EGRESS = 2, BPF_TC_F_REPLACE = 1, LIBBPF_DEBUG = 2 };

typedef int (*libbpf_print_fn_t)(int level, const char *format, va_list arguments);

struct libbpf {
  libbpf_print_fn_t (*libbpf_set_print)(libbpf_print_fn_t print);
  struct bpf_object *(*bpf_object__open_mem)(const void *bytes, size_t size, const struct bpf_object_open_opts *options);
  int (*bpf_object__load)(struct bpf_object *object);
  void (*bpf_object__close)(struct bpf_object *object);
  struct bpf_map *(*bpf_object__next_map)(const struct bpf_object *object, const struct bpf_map *previous);
  struct bpf_map *(*bpf_object__find_map_by_name)(const struct bpf_object *object, const char *name);
  const char *(*bpf_map__name)(const struct bpf_map *map);
  int (*bpf_map__fd)(const struct bpf_map *map);
  _Bool (*bpf_map__is_internal)(const struct bpf_map *map);
  int (*bpf_map__set_max_entries)(struct bpf_map *map, uint32_t entries);
  int (*bpf_map__reuse_fd)(struct bpf_map *map, int fd);
  const void *(*bpf_map__initial_value)(struct bpf_map *map, size_t *size);
  struct bpf_program *(*bpf_object__next_program)(const struct bpf_object *object, struct bpf_program *previous);
  struct bpf_program *(*bpf_object__find_program_by_name)(const struct bpf_object *object, const char *name);
  const char *(*bpf_program__name)(const struct bpf_program *program);
  int (*bpf_program__fd)(const struct bpf_program *program);
  int (*bpf_program__set_autoload)(struct bpf_program *program, _Bool autoload);
  int (*bpf_tc_hook_create)(struct bpf_tc_hook *hook);
  int (*bpf_tc_hook_destroy)(struct bpf_tc_hook *hook);
  int (*bpf_tc_attach)(const struct bpf_tc_hook *hook, struct bpf_tc_opts *options);
  int (*bpf_tc_detach)(const struct bpf_tc_hook *hook, const struct bpf_tc_opts *options);
  int (*bpf_tc_query)(const struct bpf_tc_hook *hook, struct bpf_tc_opts *options);
  int (*libbpf_probe_bpf_helper)(int program_type, int helper, const void *options);
};

#endif
