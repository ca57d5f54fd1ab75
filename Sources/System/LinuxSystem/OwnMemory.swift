import CLinux
import Glibc

/// Keeps a long-lived process small.
public enum OwnMemory {
  /// Sets the heap up for a process that needs much memory for moments only; call it before threads begin.
  public static func keepSmall() { _ = nagaya_heap_keep_small() }

  /// Gives back what is free of the heap; takes milliseconds, for which who allocates waits.
  public static func trimHeap() { _ = nagaya_heap_trim() }

  /// Gives back what is free of the heap, and lets go of the pages of the program's code: most were needed once, at the
  /// start. The kernel keeps them as cache as long as it likes, and maps those that are used again.
  public static func giveBack() {
    _ = nagaya_heap_trim()
    for range in codeOfFiles(SmallFile.text("/proc/self/smaps") ?? "") {
      // Nothing is lost if it fails.
      _ = madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
    }
  }

  /// Mappings of code from files of which no page was changed (proc_pid_smaps(5)): only these can be read again.
  static func codeOfFiles(_ smaps: String) -> [Range<UInt>] {
    var found: [Range<UInt>] = []
    var candidate: Range<UInt>?
    for line in smaps.split(separator: "\n") {
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      if fields.count >= 2, fields[0] == "Anonymous:" {
        if let candidate, fields[1] == "0" { found.append(candidate) }
        candidate = nil
      } else if let first = fields.first, !first.hasSuffix(":") {
        candidate = nil
        let bounds = first.split(separator: "-").compactMap { UInt($0, radix: 16) }
        if fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/"), bounds.count == 2, bounds[0] < bounds[1] {
          candidate = bounds[0]..<bounds[1]
        }
      }
    }
    return found
  }
}
