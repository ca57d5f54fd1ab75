import Foundation

/// A program for a pod that tries ways out and says how each ended, a line a try: `NUMBER through WHAT` or `NUMBER held WHY`.
public enum NetworkProbe {
  public static let image = "nagaya.test/probe:1"

  /// Compiles the program and packs it as an OCI archive.
  /// - Parameter directory: where the archive and what it is made of lie.
  /// - Returns: the archive's path.
  public static func pack(in directory: String, with shell: Shell) async throws -> String {
    try FileManager.default.createDirectory(atPath: "\(directory)/probe-root", withIntermediateDirectories: true)
    try Data(source.utf8).write(to: URL(fileURLWithPath: "\(directory)/probe.c"))
    try await shell.succeed(
      """
      cc -static -O1 -Wall -Wextra -Werror -o '\(directory)/probe-root/probe' '\(directory)/probe.c'
      nagaya image pack '\(directory)/probe-root' --name \(image) --cmd /probe --output '\(directory)/probe.tar'
      """, seconds: 120)
    return "\(directory)/probe.tar"
  }

  static let source = #"""
    /* Arguments: tries, each KIND:ADDRESS:PORT; afterwards it waits to be ended. */
    #define _GNU_SOURCE
    #include <arpa/inet.h>
    #include <errno.h>
    #include <linux/if_packet.h>
    #include <net/if.h>
    #include <netinet/in.h>
    #include <sched.h>
    #include <stddef.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/ioctl.h>
    #include <sys/socket.h>
    #include <sys/un.h>
    #include <unistd.h>

    static char said[400];

    /* 1: through, 0: held; `said` tells how. */
    static int held(const char *what) { snprintf(said, sizeof said, "%s: %s", what, strerror(errno)); return 0; }
    static int through(const char *what) { snprintf(said, sizeof said, "%s", what); return 1; }

    static int reach(int family, int kind, int protocol, const struct sockaddr *to, socklen_t size, const void *send_this,
                     size_t length) {
      int fd = socket(family, kind, protocol);
      if (fd < 0) return held("socket");
      int flags = 1;
      setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &flags, sizeof flags);
      struct timeval limit = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      int ok;
      char answer[200];
      if (connect(fd, to, size)) ok = held("connect");
      else if (!send_this) ok = through("connected");
      else if (send(fd, send_this, length, 0) < 0) ok = held("send");
      else ok = recv(fd, answer, sizeof answer, 0) < 0 ? held("recv") : through("answered");
      close(fd);
      return ok;
    }

    static int as_somebody(const char *address, int port, const char *mine) {
      /* No privilege is needed to bind what is not ours yet (ip(7), IP_FREEBIND). */
      int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
      struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
      inet_pton(AF_INET, mine, &from.sin_addr);
      inet_pton(AF_INET, address, &to.sin_addr);
      struct timeval limit = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one)) return held("IP_FREEBIND");
      if (bind(fd, (struct sockaddr *)&from, sizeof from)) return held("bind");
      return connect(fd, (struct sockaddr *)&to, sizeof to) ? held("connect") : through("connected");
    }

    static int source_routed(const char *address, int port, const char *hop) {
      int fd = socket(AF_INET, SOCK_STREAM, 0);
      unsigned char options[8] = {1, 0x83, 7, 4};
      struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
      inet_pton(AF_INET, hop, options + 4);
      inet_pton(AF_INET, address, &to.sin_addr);
      struct timeval limit = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, sizeof options)) return held("IP_OPTIONS");
      return connect(fd, (struct sockaddr *)&to, sizeof to) ? held("connect") : through("connected");
    }

    static int change(unsigned long request, const char *what) {
      struct ifreq wanted = {0};
      strcpy(wanted.ifr_name, "eth0");
      struct sockaddr_in *address = (struct sockaddr_in *)&wanted.ifr_addr;
      if (request == SIOCSIFHWADDR) {
        wanted.ifr_hwaddr.sa_family = 1;
        memcpy(wanted.ifr_hwaddr.sa_data, "\2\1\2\3\4\5", 6);
      } else {
        address->sin_family = AF_INET;
        inet_pton(AF_INET, what, &address->sin_addr);
      }
      int fd = socket(AF_INET, SOCK_DGRAM, 0);
      return ioctl(fd, request, &wanted) ? held("ioctl") : through("changed");
    }

    static int abstract_sockets(void) {
      char line[512];
      FILE *file = fopen("/proc/net/unix", "r");
      if (!file) return held("/proc/net/unix");
      while (fgets(line, sizeof line, file)) {
        if (strchr(line, '@')) { fclose(file); return through(line); }
      }
      fclose(file);
      snprintf(said, sizeof said, "none");
      return 0;
    }

    static int abstract_socket(const char *name) {
      struct sockaddr_un to = {.sun_family = AF_UNIX};
      strncpy(to.sun_path + 1, name, sizeof to.sun_path - 2);
      return reach(AF_UNIX, SOCK_STREAM, 0, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name), 0, 0);
    }

    static int attempt(char *text) {
      char *kind = strsep(&text, ":"), *address = strsep(&text, ":"), *number = strsep(&text, ":"), *more = text;
      int port = number ? atoi(number) : 0;
      static const unsigned char echo[8] = {8, 0, 0, 0, 0, 0, 0, 1};
      struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
      if (address) inet_pton(AF_INET, address, &to.sin_addr);
      struct sockaddr *at = (struct sockaddr *)&to;
      if (!strcmp(kind, "tcp")) return reach(AF_INET, SOCK_STREAM, 0, at, sizeof to, 0, 0);
      if (!strcmp(kind, "ping")) return reach(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, at, sizeof to, echo, sizeof echo);
      if (!strcmp(kind, "raw")) return socket(AF_INET, SOCK_RAW, IPPROTO_RAW) < 0 ? held("socket") : through("a raw socket");
      if (!strcmp(kind, "packet")) return socket(AF_PACKET, SOCK_RAW, htons(3)) < 0 ? held("socket") : through("a packet socket");
      if (!strcmp(kind, "packet-dgram")) return socket(AF_PACKET, SOCK_DGRAM, htons(3)) < 0 ? held("socket") : through("a packet socket");
      if (!strcmp(kind, "namespace")) return unshare(CLONE_NEWUSER | CLONE_NEWNET) ? held("unshare") : through("its own namespaces");
      if (!strcmp(kind, "newnet")) return unshare(CLONE_NEWNET) ? held("unshare") : through("its own network");
      if (!strcmp(kind, "address")) return change(SIOCSIFADDR, address);
      if (!strcmp(kind, "hardware")) return change(SIOCSIFHWADDR, 0);
      if (!strcmp(kind, "as")) return as_somebody(address, port, more);
      if (!strcmp(kind, "routed")) return source_routed(address, port, more);
      if (!strcmp(kind, "sockets")) return abstract_sockets();
      if (!strcmp(kind, "abstract")) return abstract_socket(address);
      errno = EINVAL;
      return held(kind);
    }

    int main(int count, char **arguments) {
      for (int i = 1; i < count; i++) {
        int ok = attempt(arguments[i]);
        printf("%d %s %s\n", i, ok ? "through" : "held", said);
        fflush(stdout);
      }
      printf("done\n");
      fflush(stdout);
      for (;;) pause();
    }
    """#
}
