/* Notes whom a process tries to reach and which files it makes, in the file $WATCHED_NOTES; see watched.py. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(const char *kind, const char *what) {
  const char *file = getenv("WATCHED_NOTES");
  char line[PATH_MAX + 64];
  int before = errno, length, fd;
  if (file == NULL || what == NULL) return;
  fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  length = snprintf(line, sizeof line, "%s %s\n", kind, what);
  if (fd >= 0) {
    if (length > 0) (void)!write(fd, line, (size_t)length);
    close(fd);
  }
  errno = before;
}

static void make(int folder, const char *path) {
  char whole[2 * PATH_MAX], link[64], held[PATH_MAX];
  ssize_t length;
  if (path == NULL || path[0] == '/') {
    note("make", path);
    return;
  }
  if (folder == AT_FDCWD) {
    if (getcwd(held, sizeof held) == NULL) return;
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    length = readlink(link, held, sizeof held - 1);
    if (length < 0) return;
    held[length] = 0;
  }
  snprintf(whole, sizeof whole, "%s/%s", held, path);
  note("make", whole);
}

static void reach(const struct sockaddr *address) {
  char host[INET6_ADDRSTRLEN] = "?", whole[INET6_ADDRSTRLEN + 16];
  int port = 0;
  if (address == NULL) return;
  if (address->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    port = ntohs(in->sin_port);
  } else if (address->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
    inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
    port = ntohs(in->sin6_port);
  } else {
    return;
  }
  snprintf(whole, sizeof whole, "%s port %d", host, port);
  note("reach", whole);
}

int connect(int fd, const struct sockaddr *address, socklen_t size) {
  reach(address);
  return REAL(connect)(fd, address, size);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
  reach(to);
  return REAL(sendto)(fd, data, size, flags, to, length);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  unsigned char numeric[16];
  if (node != NULL && inet_pton(AF_INET, node, numeric) != 1 && inet_pton(AF_INET6, node, numeric) != 1)
    note("reach", node);
  return REAL(getaddrinfo)(node, service, hints, found);
}

struct hostent *gethostbyname(const char *name) {
  note("reach", name);
  return REAL(gethostbyname)(name);
}

#define OPEN(name)                                                \
  int name(const char *path, int flags, ...) {                    \
    va_list rest;                                                 \
    mode_t mode;                                                  \
    va_start(rest, flags);                                        \
    mode = va_arg(rest, mode_t);                                  \
    va_end(rest);                                                 \
    if (flags & O_CREAT) make(AT_FDCWD, path);                    \
    return REAL(name)(path, flags, mode);                         \
  }
OPEN(open)
OPEN(open64)

#define CREAT(name)                                               \
  int name(const char *path, mode_t mode) {                       \
    make(AT_FDCWD, path);                                         \
    return REAL(name)(path, mode);                                \
  }
CREAT(creat)
CREAT(creat64)

#define OPENAT(name)                                              \
  int name(int folder, const char *path, int flags, ...) {        \
    va_list rest;                                                 \
    mode_t mode;                                                  \
    va_start(rest, flags);                                        \
    mode = va_arg(rest, mode_t);                                  \
    va_end(rest);                                                 \
    if (flags & O_CREAT) make(folder, path);                      \
    return REAL(name)(folder, path, flags, mode);                 \
  }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                               \
  FILE *name(const char *path, const char *mode) {                \
    if (mode[0] == 'w' || mode[0] == 'a') make(AT_FDCWD, path);   \
    return REAL(name)(path, mode);                                \
  }
FOPEN(fopen)
FOPEN(fopen64)

int mkdir(const char *path, mode_t mode) {
  int done = REAL(mkdir)(path, mode);
  if (done == 0 || errno != EEXIST) make(AT_FDCWD, path);
  return done;
}

int mkdirat(int folder, const char *path, mode_t mode) {
  int done = REAL(mkdirat)(folder, path, mode);
  if (done == 0 || errno != EEXIST) make(folder, path);
  return done;
}

int rename(const char *from, const char *to) {
  make(AT_FDCWD, to);
  return REAL(rename)(from, to);
}

int symlink(const char *from, const char *to) {
  make(AT_FDCWD, to);
  return REAL(symlink)(from, to);
}

int link(const char *from, const char *to) {
  make(AT_FDCWD, to);
  return REAL(link)(from, to);
}
