import LinuxSystem

/// The threads that answer what is there: a few, as each may wait for the disk. They end with the last reference.
final class FUSEThreads: Sendable {
  private let threads: [EventThread]

  /// - Parameter waiting: gets reads whose bytes are not there.
  init(_ desk: FUSEDesk, count: Int = 4, waiting: @escaping @Sendable (WaitingRead) -> Void) throws {
    threads = try (0..<count).map { _ in try EventThread(desk, waiting: waiting) }
  }

  /// Begins to answer; not before what was mounted is shown.
  func start() throws { for thread in threads { try thread.start() } }

  deinit { stop() }

  func stop() { for thread in threads { thread.stop() } }

  /// Calls `gone` once when the other side of a connection is gone.
  func watch(_ connection: SharedDescriptor, gone: @escaping @Sendable () -> Void) {
    threads.first?.watch(connection, gone: gone)
  }
}
