import Glibc

import struct Synchronization.Atomic

/// Looks at something again and again, in time: on a thread of its own, so that it does not matter how busy Swift's few threads
/// are, and preferred by the kernel where this process may ask for that (CAP_SYS_NICE).
public enum WatchThread {
  /// Linux has priorities for threads, unlike POSIX (setpriority(2)).
  private static let niceness: Int32 = -10

  /// Until the task is cancelled.
  /// - Parameter look: must not wait for anybody; answers how long to pause, which bounds how long cancellation takes.
  public static func run(pause first: Duration, _ look: @escaping @Sendable () -> Duration) async throws {
    let flag = Flag()
    try await withTaskCancellationHandler {
      try await BlockingWork.run {
        // Without the right to it, it is a thread like others.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
        var pause = first
        while !flag.isRaised.load(ordering: .relaxed) {
          let nanoseconds = pause.components.attoseconds / 1_000_000_000
          var time = timespec(tv_sec: Int(clamping: pause.components.seconds), tv_nsec: Int(clamping: nanoseconds))
          nanosleep(&time, nil)
          if !flag.isRaised.load(ordering: .relaxed) { pause = look() }
        }
      }
    } onCancel: {
      flag.isRaised.store(true, ordering: .relaxed)
    }
  }

  /// Closures that escape can hold it.
  private final class Flag: Sendable {
    let isRaised = Atomic(false)
  }
}
