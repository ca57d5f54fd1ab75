import HTTP2Connections
import NIOCore
import Synchronization

/// The channels of a server: its listener, and the connections that it accepted.
final class ServerChannels: Sendable {
  private struct State {
    var listener: (any Channel)?
    var connections: [ObjectIdentifier: any Channel] = [:]
    var isEnded = false
  }
  private let state = Mutex(State())

  @Sendable func note(listener: any Channel) -> EventLoopFuture<Void> {
    let isEnded = state.withLock { state in
      state.listener = listener
      return state.isEnded
    }
    if isEnded { listener.close(promise: nil) }
    return listener.eventLoop.makeSucceededVoidFuture()
  }

  /// Notes a connection, and puts before its HTTP/2 handler what the peers of this machine need.
  @Sendable func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
    let identifier = ObjectIdentifier(channel)
    let isEnded = state.withLock { state in
      state.connections[identifier] = channel
      return state.isEnded
    }
    channel.closeFuture.whenComplete { [self] _ in
      state.withLock { _ = $0.connections.removeValue(forKey: identifier) }
    }
    if isEnded { channel.close(promise: nil) }
    return channel.eventLoop.makeCompletedFuture {
      // Bytes pass the answerer first.
      try channel.pipeline.syncOperations.addHandler(EarlySettings(), position: .first)
      try channel.pipeline.syncOperations.addHandler(PingAnswerer(), position: .first)
    }
  }

  /// Closes all channels, and those that come, and waits until they are.
  func end() async {
    let listener = state.withLock { state in
      state.isEnded = true
      return state.listener
    }
    try? await listener?.close()
    while let channel = state.withLock({ $0.connections.values.first }) { try? await channel.close() }
  }
}
