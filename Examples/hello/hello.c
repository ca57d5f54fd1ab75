/* hello: the sample app. One process, one poll loop, HTTP/1.1 with keep-alive.
 *   GET /         Hello from <NAGAYA_NAMESPACE>/<NAGAYA_APP>; one more visit, if there is a volume at /data
 *   GET /visits   how many visits /data/visits counts
 *   GET /healthz  ok
 * PORT (8080) is where it listens. SIGTERM: takes no more connections, answers what has begun, ends.
 * --exit=N as argument: ends at once with that code, to try what the platform does about it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256, MAX_REQUEST = 8192, IDLE_SECONDS = 60, DRAIN_SECONDS = 5 };

struct connection {
  int fd;
  size_t used;          /* bytes of the request so far */
  time_t since;         /* of the last request's end, or of the connection */
  char peer[INET6_ADDRSTRLEN];
  char request[MAX_REQUEST + 1];
};

static struct connection connections[MAX_CONNECTIONS];
static volatile sig_atomic_t stopping;

static void on_signal(int number) { (void)number; stopping = 1; }

static time_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec;
}

static const char *environment(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

/* Adds `step` to the count on the volume and returns it; -1 without a volume. The lock is for replicas that share it. */
static long visits(long step) {
  char text[24] = "";
  long count = -1;
  int fd = access("/data", F_OK) == 0 ? open("/data/visits", O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
  if (fd < 0) return -1;
  if (flock(fd, LOCK_EX) == 0 && pread(fd, text, sizeof text - 1, 0) >= 0) {
    count = strtol(text, NULL, 10) + step;
    int length = snprintf(text, sizeof text, "%020ld\n", count);
    if (step && pwrite(fd, text, (size_t)length, 0) != length) count = -1;
  }
  close(fd);
  return count;
}

static int reply(struct connection *c, int status, const char *reason, const char *body, const char *what, int is_head,
                 int keep) {
  char out[1024];
  int length = snprintf(out, sizeof out,
                        "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                        "Connection: %s\r\n\r\n%s",
                        status, reason, strlen(body), keep ? "keep-alive" : "close", is_head ? "" : body);
  printf("%s %s %d\n", c->peer, what, status);
  /* A reply is far smaller than a socket's buffer: what does not fit at once goes to a client that does not read. */
  return length < (int)sizeof out && send(c->fd, out, (size_t)length, MSG_NOSIGNAL) == length && keep;
}

/* Answers the request of `length` bytes at the buffer's start. Returns whether the connection stays open. */
static int answer(struct connection *c, size_t length) {
  char method[8], path[256], version[12], body[600], what[280];
  c->request[length - 1] = 0;
  if (sscanf(c->request, "%7s %255s HTTP/%11[0-9.]", method, path, version) != 3 || path[0] != '/')
    return reply(c, 400, "Bad Request", "not a request\n", "?", 0, 0);
  for (char *p = path; *p; p++)
    if ((unsigned char)*p < 0x21 || *p == 0x7f || *p == '?') { *p = 0; break; }
  int is_head = strcmp(method, "HEAD") == 0;
  /* A body is not read, so nothing may follow it on this connection. */
  int keep = !stopping && strcmp(version, "1.1") == 0 && !strcasestr(c->request, "\nconnection: close") &&
             !strcasestr(c->request, "\ncontent-length:") && !strcasestr(c->request, "\ntransfer-encoding:");
  snprintf(what, sizeof what, "%s %s", method, path);
  if (!is_head && strcmp(method, "GET") != 0)
    return reply(c, 405, "Method Not Allowed", "GET or HEAD, please\n", what, 0, 0);
  if (strcmp(path, "/healthz") == 0) return reply(c, 200, "OK", "ok\n", what, is_head, keep);
  if (strcmp(path, "/visits") == 0) {
    long count = visits(0);
    if (count < 0) return reply(c, 404, "Not Found", "no volume at /data: nothing is counted\n", what, is_head, keep);
    snprintf(body, sizeof body, "%ld\n", count);
    return reply(c, 200, "OK", body, what, is_head, keep);
  }
  if (strcmp(path, "/") != 0) return reply(c, 404, "Not Found", "try / or /visits\n", what, is_head, keep);
  visits(1);
  snprintf(body, sizeof body, "Hello from %.255s/%.255s\n", environment("NAGAYA_NAMESPACE", "nowhere"),
           environment("NAGAYA_APP", "hello"));
  return reply(c, 200, "OK", body, what, is_head, keep);
}

/* Reads what came and answers every whole request. Returns whether the connection stays open. */
static int serve(struct connection *c) {
  ssize_t count = recv(c->fd, c->request + c->used, MAX_REQUEST - c->used, MSG_DONTWAIT);
  if (count <= 0) return count < 0 && (errno == EAGAIN || errno == EINTR);
  c->used += (size_t)count;
  char *end;
  while ((end = memmem(c->request, c->used, "\r\n\r\n", 4))) {
    size_t length = (size_t)(end - c->request) + 4;
    if (!answer(c, length)) return 0;
    memmove(c->request, c->request + length, c->used -= length);
    c->since = now();
  }
  if (c->used == MAX_REQUEST) return reply(c, 431, "Request Header Fields Too Large", "too long\n", "?", 0, 0);
  return 1;
}

static void welcome(int listener) {
  union { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; } address;
  socklen_t size = sizeof address;
  int fd = accept4(listener, &address.any, &size, SOCK_CLOEXEC);
  if (fd < 0) return;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *c = &connections[i];
    if (c->fd >= 0) continue;
    c->fd = fd, c->used = 0, c->since = now();
    int is_six = address.any.sa_family == AF_INET6;
    const void *from = is_six ? (void *)&address.six.sin6_addr : (void *)&address.four.sin_addr;
    if (!inet_ntop(address.any.sa_family, from, c->peer, sizeof c->peer)) strcpy(c->peer, "?");
    if (strncmp(c->peer, "::ffff:", 7) == 0) memmove(c->peer, c->peer + 7, strlen(c->peer + 7) + 1);
    return;
  }
  close(fd); /* full: the client tries again */
}

/* Listens on every address; on IPv4 alone where the machine has no IPv6. */
static int start_listening(int port) {
  int one = 1, zero = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), is_six = fd >= 0;
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any, .sin6_port = htons((uint16_t)port)};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (is_six) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  else fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
      bind(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four, is_six ? sizeof six : sizeof four) == 0 &&
      listen(fd, 128) == 0)
    return fd;
  fprintf(stderr, "hello: cannot listen on port %d: %s\n", port, strerror(errno));
  exit(1);
}

int main(int count, char **arguments) {
  if (count > 1 && strncmp(arguments[1], "--exit=", 7) == 0) {
    printf("ending with code %s, as told\n", arguments[1] + 7);
    return atoi(arguments[1] + 7);
  }
  struct sigaction action = {.sa_handler = on_signal};
  sigset_t blocked, usual;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  /* Signals arrive only within ppoll, so none is missed between the check and the wait. */
  sigprocmask(SIG_BLOCK, &blocked, &usual);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < MAX_CONNECTIONS; i++) connections[i].fd = -1;
  int port = atoi(environment("PORT", "8080")), listener = start_listening(port);
  time_t stop_at = 0;
  printf("listening on port %d\n", port);

  for (;;) {
    struct pollfd waits[MAX_CONNECTIONS + 1] = {{.fd = listener, .events = POLLIN}};
    int open_connections = 0;
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
      waits[i + 1] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
      open_connections += connections[i].fd >= 0;
    }
    if (stopping && (open_connections == 0 || now() > stop_at)) break;
    struct timespec second = {.tv_sec = 1};
    int ready = ppoll(waits, MAX_CONNECTIONS + 1, &second, &usual);
    if (stopping && listener >= 0) {
      close(listener);
      listener = -1;
      stop_at = now() + DRAIN_SECONDS;
    }
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
      struct connection *c = &connections[i];
      if (c->fd < 0) continue;
      int keep = ready > 0 && waits[i + 1].revents ? serve(c) : 1;
      if (!keep || now() - c->since > IDLE_SECONDS || (stopping && c->used == 0)) {
        close(c->fd);
        c->fd = -1;
      }
    }
    if (ready > 0 && listener >= 0 && waits[0].revents) welcome(listener);
  }
  printf("stopped\n");
  return 0;
}
