import Glibc

/// Parts of an instance whose supervisor is gone. The kernel kills them with it, a moment after its lock is free.
struct LeftoverParts {
  private let layout: Layout

  init(_ layout: Layout) { self.layout = layout }

  /// Ends them and waits until they have ended.
  /// - Throws: `CommandFailure` if one does not.
  func end() async throws {
    for part in PartKind.allCases {
      let deadline = ContinuousClock.now + .seconds(20)
      while let pid = try InstanceLock.holder(layout, part: part.rawValue) {
        guard ContinuousClock.now < deadline else {
          throw CommandFailure(
            "process \(pid) is the part \(part.rawValue) of an earlier start, and does not end",
            remedy: "see what it waits for: cat /proc/\(pid)/wchan /proc/\(pid)/status")
        }
        kill(pid, SIGKILL)
        try await Task.sleep(for: .milliseconds(10))
      }
    }
  }
}
