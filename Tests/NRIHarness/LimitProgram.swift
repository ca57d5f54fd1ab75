/// The program of these tests' containers: prints its limits, a variable and a file, then waits.
enum LimitProgram {
  static let source = #"""
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/resource.h>
    #include <time.h>
    #include <unistd.h>

    static char block[1 << 20] __attribute__((aligned(4096)));

    /* Writes past the page cache, and tells how fast. */
    static void writeTo(const char *path) {
      struct timespec start, end;
      int file = open(path, O_WRONLY | O_CREAT | O_DIRECT, 0644);
      if (file < 0) return;
      clock_gettime(CLOCK_MONOTONIC, &start);
      for (int i = 0; i < 32; i++) if (write(file, block, sizeof block) != sizeof block) { perror("write"); return; }
      clock_gettime(CLOCK_MONOTONIC, &end);
      long micros = (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;
      printf("wrote %.0f KiB/s\n", 32.0 * 1024 * 1000000 / micros);
    }

    static void leave(int number) { (void)number; _exit(0); }

    int main(int count, char **arguments) {
      signal(SIGTERM, leave);
      if (count > 1 && !strcmp(arguments[1], "wait")) for (;;) pause();
      static const struct { const char *name; int type; } kinds[] = {
        {"NOFILE", RLIMIT_NOFILE}, {"CORE", RLIMIT_CORE}, {"NPROC", RLIMIT_NPROC}, {"STACK", RLIMIT_STACK}};
      for (int i = 0; i < 4; i++) {
        struct rlimit limit;
        getrlimit(kinds[i].type, &limit);
        printf("%s %llu:%llu\n", kinds[i].name, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
      }
      if (getenv("GREETING")) printf("GREETING %s\n", getenv("GREETING"));
      FILE *file = fopen("/injected/word", "r");
      char word[64];
      if (file && fgets(word, sizeof word, file)) printf("injected %s\n", word);
      writeTo("/volume/written");
      printf("done\n");
      fflush(stdout);
      /* Whoever wants to know how fast it is later, says so by a file. */
      for (struct timespec pause = {0, 50000000};; nanosleep(&pause, NULL)) {
        if (unlink("/volume/again")) continue;
        writeTo("/volume/written");
        fflush(stdout);
      }
    }
    """#
}
