import Glibc

/// Programs that this process is starting hold its open files until they are executed, and with them file systems and
/// devices: what is busy for that long only is not in use.
enum StartingPrograms {
  /// Returns when `isHeld` is false, at the latest after 0.3 s.
  static func outwait(_ isHeld: () -> Bool) {
    for _ in 0..<30 {
      guard isHeld() else { return }
      usleep(10_000)  // callers are synchronous, and free at the first look unless a program starts beside them
    }
  }
}
