import Foundation
import Locking
import Logging
import TestSupport
import Testing

@testable import nagaya

/// A runtime that lets the hooks in no more is ended, and nobody else.
@Suite struct StuckRuntimeTests {
  /// A program that listens and lets nobody in, as containerd's NRI does while it is stuck.
  private final class Listener: Sendable {
    let process: Mutex<Process>
    var pid: pid_t { process.withLock { $0.processIdentifier } }
    var isRunning: Bool { process.withLock { $0.isRunning } }

    init(_ socket: String, mark: String) throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
      let script = """
        import os, socket, sys, time
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1] + ".new")
        listener.listen(8)
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(3600)
        """
      process.arguments = ["-c", script, socket, "--config", mark]
      try process.run()
      self.process = Mutex(process)
    }

    func end() { kill(pid, SIGKILL) }
  }

  @Test func `a runtime that is stuck is ended, and neither one that lets the hooks in nor somebody else's`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let socket = "\(directory)/nri.sock"
      let listener = try Listener(socket, mark: "\(directory)/own.toml")
      defer { listener.end() }
      try await eventually("it listens") { FileManager.default.fileExists(atPath: socket) }
      let isConnected = Mutex(true)
      func watch(_ mark: String) -> Task<Void, any Error> {
        let watch = StuckRuntime(
          socket: socket, mark: "\(directory)/\(mark)", isConnected: { isConnected.withLock { $0 } },
          logger: Logger(label: "stuck") { _ in SwiftLogNoOpLogHandler() }, patience: .seconds(1))
        return Task { try await watch.run() }
      }
      let (own, other) = (watch("own.toml"), watch("other.toml"))
      // Several looks each.
      try await Task.sleep(for: .seconds(4))
      #expect(listener.isRunning, "the hooks are let in")
      own.cancel()
      _ = await own.result
      isConnected.withLock { $0 = false }
      try await Task.sleep(for: .seconds(4))
      #expect(listener.isRunning, "it is somebody else's")
      let again = watch("own.toml")
      try await eventually("it is ended") { !listener.isRunning }
      for task in [other, again] {
        task.cancel()
        _ = await task.result
      }
    }
  }
}
