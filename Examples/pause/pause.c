/* pause: holds a pod's namespaces open. It does nothing but wait, and as process 1 of a shared PID namespace it collects
 * the children that lose their parents. SIGINT and SIGTERM end it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGCHLD);
  /* Blocked signals stay pending for sigwaitinfo, even for process 1, for which the kernel has no default action. */
  if (sigprocmask(SIG_BLOCK, &awaited, NULL) != 0) {
    fprintf(stderr, "pause: sigprocmask: %s\n", strerror(errno));
    return 1;
  }
  for (;;) {
    int received = sigwaitinfo(&awaited, NULL);
    if (received == SIGINT || received == SIGTERM) return 0;
    if (received < 0 && errno != EINTR) {
      fprintf(stderr, "pause: sigwaitinfo: %s\n", strerror(errno));
      return 1;
    }
    /* One SIGCHLD may stand for several children. */
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
