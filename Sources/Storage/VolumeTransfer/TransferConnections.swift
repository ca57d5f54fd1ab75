import Locking
import NIOCore

/// Who is at the other end of a connection, as it showed itself.
final class TransferPeer: Sendable {
  private let shown = Mutex<String?>(nil)

  func show(_ fingerprint: String) { shown.withLock { $0 = fingerprint } }

  var fingerprint: String? { shown.withLock { $0 } }
}

/// The connections of a listener. Each has a task from its first moment on: one that nobody runs would end the process
/// (`NIOAsyncWriter`), and connections wait in a listener when it ends.
final class TransferConnections: Sendable {
  private struct State {
    var isClosed = false
    var running: [Int: (channel: any Channel, task: Task<Void, Never>)] = [:]
    var next = 0
  }

  private let state = Mutex(State())

  /// Connections at once; those beyond are closed unread.
  private static let limit = 64
  /// How long a stranger may take to show who it is.
  private static let patience: TimeAmount = .seconds(10)

  /// Dresses a new connection and runs it; called on its event loop.
  /// - Throws: if there are too many, or the listener has ended; the connection is then closed as it is.
  func run(
    _ channel: any Channel, _ peer: TransferPeer, _ dress: () throws -> TransferChannel,
    _ body: @escaping @Sendable (TransferChannel) async -> Void
  ) throws {
    try state.withLock { state in
      guard !state.isClosed, state.running.count < Self.limit else {
        throw TransferError.failed("no more connections are taken")
      }
      let number = state.next
      state.next += 1
      let connection = try dress()
      let task = Task {
        await body(connection)
        self.ended(number)
      }
      state.running[number] = (channel, task)
    }
    channel.eventLoop.scheduleTask(in: Self.patience) {
      if peer.fingerprint == nil { channel.close(promise: nil) }
    }
  }

  private func ended(_ number: Int) { state.withLock { _ = $0.running.removeValue(forKey: number) } }

  /// Ends all, and all that come late.
  func close() async {
    let running = state.withLock { state in
      state.isClosed = true
      return Array(state.running.values)
    }
    for (channel, _) in running { channel.close(promise: nil) }
    for (_, task) in running { await task.value }
  }
}
