import PlatformHarness

/// The one program in the test images: static, no libc at run time, one mode per need.
enum TestProgram {
  static let source = #"""
    #define _GNU_SOURCE
    #include <arpa/inet.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <netinet/in.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <sys/resource.h>
    #include <sys/socket.h>
    #include <sys/stat.h>
    #include <sys/wait.h>
    #include <unistd.h>

    static void leave(int signal) { (void)signal; printf("leaving\n"); fflush(stdout); _exit(0); }

    static void answer(int fd, int code, const char *body, size_t length) {
      char head[200];
      int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", code, length);
      if (write(fd, head, n) < 0 || write(fd, body, length) < 0) perror("write");
    }

    static char block[1 << 20];

    /* Takes as much as it gets of something: what, how much, where. Answers how much it got. */
    static long take(const char *what, long number, const char *where) {
      long got = 0;
      if (!strcmp(what, "processes")) {
        for (; got < number; got++) { int id = fork(); if (id < 0) break; if (!id) for (;;) pause(); }
      } else if (!strcmp(what, "files-open")) {
        while (got < number && open("/dev/null", O_RDONLY) >= 0) got++;
      } else if (!strcmp(what, "bytes")) {
        int file = open(where, O_WRONLY | O_CREAT | O_APPEND, 0644);
        for (ssize_t n; got < number << 20; got += n) if ((n = write(file, block, sizeof block)) <= 0) break;
        close(file);
      } else if (!strcmp(what, "allocated")) {
        int file = open(where, O_WRONLY | O_CREAT, 0644);
        got = fallocate(file, FALLOC_FL_KEEP_SIZE, 0, number << 20) ? -errno : number << 20;
        close(file);
      } else if (!strcmp(what, "hole")) {
        int file = open(where, O_WRONLY | O_CREAT, 0644);
        got = ftruncate(file, number << 20) ? -errno : number << 20;
        close(file);
      } else if (!strcmp(what, "inodes")) {
        char name[300];
        for (mkdir(where, 0755); got < number; got++) {
          snprintf(name, sizeof name, "%s/%ld", where, got);
          int file = open(name, O_WRONLY | O_CREAT, 0644);
          if (file < 0) break;
          close(file);
        }
      } else if (!strcmp(what, "depth")) {
        for (mkdir(where, 0755), chdir(where); got < number; got++) if (mkdir("d", 0755) || chdir("d")) break;
        chdir("/");
      } else if (!strcmp(what, "memory")) {
        for (; got < number; got++) {
          char *page = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          if (page == MAP_FAILED) break;
          memset(page, 1, 1 << 20);
        }
      } else if (!strcmp(what, "eaters")) {
        for (int child = 0; child < number; child++)
          if (!fork()) { char *page = malloc(4 << 20); memset(page, 1, 4 << 20); for (;;) pause(); }
      } else if (!strcmp(what, "log")) {
        memset(block, 'x', sizeof block);
        for (ssize_t n; got < number << 20; got += n) if ((n = write(1, block, sizeof block)) <= 0) break;
        memset(block, 0, sizeof block);
      } else if (!strcmp(what, "flood")) {
        if (!fork()) { memset(block, 'y', sizeof block); for (int i = 99; i < 1 << 20; i += 100) block[i] = '\n';
          for (;;) if (write(1, block, sizeof block) < 0) _exit(1); }
      } else return -ENOSYS;
      return got;
    }

    static void serve(int port) {
      int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
      struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64)) { perror("bind"); exit(3); }
      printf("serving on %d\n", port); fflush(stdout);
      for (;;) {
        int client = accept(fd, 0, 0);
        char request[4096], path[2048] = "", body[65536];
        if (client < 0) continue;
        ssize_t n = read(client, request, sizeof request - 1);
        request[n > 0 ? n : 0] = 0;
        sscanf(request, "GET %2000s", path);
        if (strncmp(path, "/take/", 6)) { printf("%s\n", path); fflush(stdout); }
        if (!strncmp(path, "/take/", 6)) {
          char what[32] = "", where[1000] = "/"; long number = 0;
          sscanf(path + 6, "%31[^/]/%ld/%998s", what, &number, where + 1);
          n = snprintf(body, sizeof body, "%ld", take(what, number, where));
          answer(client, 200, body, n);
        } else if (!strncmp(path, "/env/", 5)) {
          const char *value = getenv(path + 5);
          answer(client, value ? 200 : 404, value ? value : "", value ? strlen(value) : 0);
        } else if (!strncmp(path, "/file/", 6)) {
          int file = open(path + 5, O_RDONLY);
          n = file < 0 ? -1 : read(file, body, sizeof body);
          answer(client, n < 0 ? 404 : 200, body, n < 0 ? 0 : n);
          if (file >= 0) close(file);
        } else if (!strncmp(path, "/write/", 7)) {
          int file = open(path + 6, O_WRONLY | O_CREAT | O_TRUNC, 0644);
          int ok = file >= 0 && write(file, "ok", 2) == 2;
          answer(client, ok ? 200 : 500, ok ? "" : strerror(errno), ok ? 0 : strlen(strerror(errno)));
          if (file >= 0) close(file);
        } else if (!strcmp(path, "/quit")) {
          answer(client, 200, "", 0); close(client); exit(7);
        } else answer(client, 200, "hello", 5);
        close(client);
      }
    }

    int main(int count, char **arguments) {
      const char *mode = count > 1 ? arguments[1] : "serve";
      int number = count > 2 ? atoi(arguments[2]) : 0;
      if (!strcmp(mode, "stubborn")) signal(SIGTERM, SIG_IGN); else { signal(SIGTERM, leave); signal(SIGINT, leave); }
      if (!strcmp(mode, "serve")) serve(number ? number : 8080);
      if (!strcmp(mode, "exit")) { printf("exiting with %d\n", number); return number; }
      if (!strcmp(mode, "exists")) return access(arguments[2], F_OK) ? 1 : 0;
      if (!strcmp(mode, "touch")) { int f = open(arguments[2], O_WRONLY | O_CREAT, 0644); return f < 0; }
      // Exchanges DIRECTORY/x with a symbolic link to a second place for ever.
      if (!strcmp(mode, "exchange")) {
        if (chdir(arguments[2]) || mkdir("x", 0755) || symlink(arguments[3], "y")) { perror("exchange"); return 1; }
        printf("exchanging\n"); fflush(stdout);
        for (;;) if (renameat2(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_EXCHANGE)) { perror("renameat2"); return 1; }
      }
      if (!strcmp(mode, "lines")) for (int i = 1; i <= number; i++) printf("line %d\n", i);
      if (!strcmp(mode, "whoami")) printf("uid %d gid %d\n", getuid(), getgid());
      if (!strcmp(mode, "tick")) for (int i = 1;; i++) { printf("tick %d\n", i); fflush(stdout); usleep(100000); }
      fflush(stdout);
      if (!strcmp(mode, "whoami") || (!strcmp(mode, "lines") && count > 3)) return 0;
      for (;;) { while (waitpid(-1, 0, WNOHANG) > 0) {} pause(); }
    }
    """#

  /// See `ImageArchiveScript`.
  static var packer: String { ImageArchiveScript.text }
}
