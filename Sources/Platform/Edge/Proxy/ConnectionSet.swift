import NIOCore
import Synchronization

/// The open connections of clients: counted against a limit, and closed together at the end.
final class ConnectionSet: Sendable {
  private let connections = Mutex<[ObjectIdentifier: any Channel]>([:])
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  var count: Int { connections.withLock { $0.count } }

  /// Adds a connection until it closes; `false` if there are too many.
  func add(_ channel: any Channel) -> Bool {
    let key = ObjectIdentifier(channel)
    let isAdded = connections.withLock { connections in
      guard connections.count < limit else { return false }
      connections[key] = channel
      return true
    }
    if isAdded {
      channel.closeFuture.whenComplete { [weak self] _ in
        self?.connections.withLock { _ = $0.removeValue(forKey: key) }
      }
    }
    return isAdded
  }

  func closeAll() async {
    let all = connections.withLock { Array($0.values) }
    for channel in all { channel.close(promise: nil) }
    for channel in all { try? await channel.closeFuture.get() }
  }
}
