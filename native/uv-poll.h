/*
 * The few calls of libuv that the addon makes, declared here so that building needs no headers of the machine's Node.
 *
 * libuv 1.x keeps these stable (its ABI promise); Node exports them. A handle's size is asked for at run time
 * (uv_handle_size), and its first member is the user's `data` pointer. http://docs.libuv.org/en/v1.x/poll.html
 */
#ifndef EVENKEEL_UV_POLL_H
#define EVENKEEL_UV_POLL_H

#include <stddef.h>

typedef struct uv_loop_s uv_loop_t;
typedef struct {
  void *data;
} uv_handle_t;
typedef uv_handle_t uv_poll_t;

typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);
typedef void (*uv_close_cb)(uv_handle_t *handle);

enum { UV_POLL = 8 };     /* in enum uv_handle_type */
enum { UV_READABLE = 1 }; /* in enum uv_poll_event */

size_t uv_handle_size(int type);
int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb cb);
void uv_close(uv_handle_t *handle, uv_close_cb cb);

#endif
