import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

extension NodeLimits {
  /// Takes the control groups away in which containers and the engine were: for machines on which nothing of the node is left.
  /// Processes that were killed a moment ago are waited for, 5 s at most; a group with others stays, and so do those above it.
  public func removeControlGroups() async {
    let group = ControlGroup(path: controlGroup)
    for _ in 0..<100 {
      do throws(SystemError) { return try group.remove() } catch {
        guard error.errno == EBUSY else { return }
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
  }
}
