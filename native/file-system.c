/* What Node has no call for: mount(2), umount2(2), flock(2), locks of open files (fcntl(2)). */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

static napi_value mount_type(napi_env env, napi_callback_info info) {
  struct call call;
  char type[32], path[PATH_BYTES], options[256];
  if (!begin_call(env, info, &call) || !text_argument(&call, 0, "type", type, sizeof type) ||
      !text_argument(&call, 1, "path", path, sizeof path) ||
      !text_argument(&call, 2, "options", options, sizeof options)) {
    return NULL;
  }
  return check(env, "mount", mount(type, path, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, options));
}

static napi_value unmount(napi_env env, napi_callback_info info) {
  struct call call;
  char path[PATH_BYTES];
  if (!begin_call(env, info, &call) || !text_argument(&call, 0, "path", path, sizeof path)) return NULL;
  return check(env, "umount2", umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
}

/* False: somebody else has it, and `wait` is false. */
static napi_value lock(napi_env env, napi_callback_info info) {
  struct call call;
  int fd, result;
  bool wait;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd) || !bool_argument(&call, 1, "wait", &wait)) {
    return NULL;
  }
  do {
    result = flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
  } while (result < 0 && errno == EINTR);
  if (result < 0 && errno != EWOULDBLOCK) return throw_errno(env, "flock", errno);
  napi_value mine;
  return napi_get_boolean(env, result == 0, &mine) == napi_ok ? mine : NULL;
}

/* The whole file, F_OFD_SETLK: what flock does not see. False: somebody else has it. */
static napi_value lock_file(napi_env env, napi_callback_info info) {
  struct call call;
  int fd;
  if (!begin_call(env, info, &call) || !int_argument(&call, 0, "fd", &fd)) return NULL;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int result = fcntl(fd, F_OFD_SETLK, &lock);
  if (result < 0 && errno != EAGAIN && errno != EACCES) return throw_errno(env, "fcntl", errno);
  napi_value mine;
  return napi_get_boolean(env, result == 0, &mine) == napi_ok ? mine : NULL;
}

const struct function file_system_functions[] = {
    {"mount", mount_type},
    {"umount", unmount},
    {"flock", lock},
    {"ofdLock", lock_file},
    {NULL, NULL},
};
