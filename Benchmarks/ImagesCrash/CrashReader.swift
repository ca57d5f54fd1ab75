/// The program in the images of the crash test: reads files in any order and way, and compares them with the truth.
enum CrashReader {
  /// What it found.
  struct Result {
    var passes = 0
    var bytes = 0
    /// Bytes that were 0 and should not be.
    var zeros = 0
    /// Other wrong bytes, and files of a wrong size.
    var mismatches = 0
    /// Reads that failed with an I/O error: allowed while nobody is there to fill.
    var failures = 0

    static func + (left: Result, right: Result) -> Result {
      Result(
        passes: left.passes + right.passes, bytes: left.bytes + right.bytes, zeros: left.zeros + right.zeros,
        mismatches: left.mismatches + right.mismatches, failures: left.failures + right.failures)
    }

    init(passes: Int = 0, bytes: Int = 0, zeros: Int = 0, mismatches: Int = 0, failures: Int = 0) {
      (self.passes, self.bytes, self.zeros, self.mismatches, self.failures) = (
        passes, bytes, zeros, mismatches, failures
      )
    }

    /// Reads the line that the program writes at its end.
    init?(_ line: String) {
      let numbers = line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
      guard numbers.count == 5 else { return nil }
      self.init(
        passes: numbers[0], bytes: numbers[1], zeros: numbers[2], mismatches: numbers[3], failures: numbers[4])
    }
  }

  /// `reader NAME SEED`: reads all of `/data` again and again, until the file `/control/stop` is there; then writes what it
  /// found to `/control/NAME`. `/truth/data` has the same files.
  ///
  /// A file is read in order, in random places, or mapped; half of the time its pages are dropped afterwards.
  static let source = #"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <ftw.h>
    #include <setjmp.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <sys/stat.h>
    #include <unistd.h>

    enum { most = 1000, piece = 65536 };
    static char *names[most];
    static int count;
    static long passes, bytes, zeros, mismatches, failures;
    static unsigned char got[piece], want[piece];
    static sigjmp_buf back;

    static int note(const char *path, const struct stat *status, int kind, struct FTW *place) {
      (void)status; (void)place;
      if (kind == FTW_F && count < most) names[count++] = strdup(path + strlen("/truth"));
      return 0;
    }

    static void compare(const unsigned char *found, const unsigned char *truth, long length) {
      bytes += length;
      if (!memcmp(found, truth, length)) return;
      for (long i = 0; i < length; i++)
        if (found[i] != truth[i]) { if (found[i]) mismatches++; else zeros++; }
    }

    static void read_at(int file, int truth, long offset, long length) {
      long expected = pread(truth, want, length, offset);
      long found = pread(file, got, length, offset);
      if (found < 0) { if (errno == EIO) failures++; else mismatches++; return; }
      // The kernel ends a read before a place that it cannot get.
      if (found > expected) { mismatches++; return; }
      compare(got, want, found);
      if (found == expected) return;
      long rest = pread(file, got, expected - found, offset + found);
      if (rest < 0 && errno == EIO) failures++;
      else if (rest == expected - found) compare(got, want + found, rest);
      else mismatches++;
    }

    static void bus(int number) { (void)number; siglongjmp(back, 1); }

    static void read_mapped(int file, int truth, long size) {
      unsigned char *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
      if (map == MAP_FAILED) { mismatches++; return; }
      volatile long offset = 0;
      while (offset < size) {
        long length = size - offset < 4096 ? size - offset : 4096;
        pread(truth, want, length, offset);
        if (sigsetjmp(back, 1)) failures++;
        else { memcpy(got, map + offset, length); compare(got, want, length); }
        offset += 4096 * (1 + random() % 8);
      }
      munmap(map, size);
    }

    int main(int arguments, char **words) {
      if (arguments < 3) return 64;
      char path[300];
      srandom(atoi(words[2]));
      mlockall(MCL_CURRENT);
      signal(SIGBUS, bus);
      nftw("/truth/data", note, 16, FTW_PHYS);
      if (!count) return 65;
      snprintf(path, sizeof path, "/control/%s.runs", words[1]);
      close(open(path, O_CREAT | O_WRONLY, 0600));
      do {
        for (int i = count - 1; i > 0; i--) {
          int j = random() % (i + 1);
          char *name = names[i]; names[i] = names[j]; names[j] = name;
        }
        for (int i = 0; i < count; i++) {
          snprintf(path, sizeof path, "/truth%s", names[i]);
          int truth = open(path, O_RDONLY), file = open(names[i], O_RDONLY);
          struct stat status, wanted;
          if (truth < 0) return 66;
          if (file < 0) { if (errno == EIO) failures++; else mismatches++; close(truth); continue; }
          fstat(truth, &wanted); fstat(file, &status);
          if (status.st_size != wanted.st_size) mismatches++;
          long size = wanted.st_size;
          // The last pass reads every byte.
          int way = access("/control/stop", F_OK) ? random() % 3 : 0;
          if (way == 0) for (long at = 0; at < size; at += piece) read_at(file, truth, at, piece);
          else if (way == 1) for (int n = 0; n < 20; n++) read_at(file, truth, random() % size, 1 + random() % 5000);
          else read_mapped(file, truth, size);
          if (random() % 2) posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
          close(file); close(truth);
        }
        passes++;
      } while (access("/control/stop", F_OK));
      snprintf(path, sizeof path, "/control/%s.new", words[1]);
      FILE *out = fopen(path, "w");
      if (!out) return 67;
      fprintf(out, "%ld %ld %ld %ld %ld\n", passes, bytes, zeros, mismatches, failures);
      if (fclose(out)) return 68;
      char final[300];
      snprintf(final, sizeof final, "/control/%s", words[1]);
      return rename(path, final) ? 69 : 0;
    }
    """#
}
