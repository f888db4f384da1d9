/* Loaded before libc: connections over IPv4 to one of the ports in REDIRECT_FROM, as `80 81`, go to the port in REDIRECT_TO on
 * the same host, and the program does not notice. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int is_redirected(int port) {
  const char *from = getenv("REDIRECT_FROM");
  while (from != NULL && *from != '\0') {
    char *end;
    if (strtol(from, &end, 10) == port) return 1;
    if (end == from) break;
    from = end;
  }
  return 0;
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
  const char *to = getenv("REDIRECT_TO");
  struct sockaddr_in changed;
  if (to == NULL || address->sa_family != AF_INET || length < sizeof changed) return next(fd, address, length);
  memcpy(&changed, address, sizeof changed);
  if (!is_redirected(ntohs(changed.sin_port))) return next(fd, address, length);
  changed.sin_port = htons(atoi(to));
  return next(fd, (const struct sockaddr *)&changed, sizeof changed);
}
