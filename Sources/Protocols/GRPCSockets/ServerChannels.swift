import HTTP2Connections
import Locking
import NIOCore

/// The channels of a server: its listener, and the connections that it accepted.
///
/// The transport drops a connection that it still sets up when its listener closes, or when its task is cancelled, and
/// a dropped one ends the process ("Deinited NIOAsyncWriter without calling finish()"). So a server's end goes in
/// steps: no more is accepted, what was accepted is handed over, the listener closes, and then connections do.
final class ServerChannels: Sendable {
  private struct State {
    var listener: (any Channel)?
    var connections: [ObjectIdentifier: any Channel] = [:]
    /// Accepted, and not yet with the transport.
    var settingUp: Set<ObjectIdentifier> = []
    var waiting: [CheckedContinuation<Void, Never>] = []
    var isCut = false
  }
  private let state = Mutex(State())

  /// Connections that are open.
  var count: Int { state.withLock { $0.connections.count } }

  /// For a listener that is not bound yet.
  @Sendable func note(listener: any Channel) -> EventLoopFuture<Void> {
    state.withLock { $0.listener = listener }
    return listener.eventLoop.makeCompletedFuture {
      try listener.pipeline.syncOperations.addHandler(AcceptedConnections(self), position: .first)
    }
  }

  /// A connection was accepted; on the listener's loop.
  fileprivate func begin(_ channel: any Channel, of listener: any EventLoop) {
    let identifier = ObjectIdentifier(channel)
    state.withLock { state in
      state.connections[identifier] = channel
      state.settingUp.insert(identifier)
    }
    channel.closeFuture.whenComplete { [self] _ in
      state.withLock { _ = $0.connections.removeValue(forKey: identifier) }
      settled(channel, listener)
    }
  }

  /// Puts before a connection's HTTP/2 handler what the peers of this machine need: the last step of its set-up.
  @Sendable func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
    let (listener, isCut) = state.withLock { ($0.listener, $0.isCut) }
    if isCut { channel.close(promise: nil) }
    if let listener { settled(channel, listener.eventLoop) }
    return channel.eventLoop.makeCompletedFuture {
      // Bytes pass the answerer first.
      try channel.pipeline.syncOperations.addHandler(EarlySettings(), position: .first)
      try channel.pipeline.syncOperations.addHandler(PingAnswerer(), position: .first)
    }
  }

  /// Called on the connection's loop. The transport hands it from there to the listener's loop, in this turn; what is
  /// put there in the next turn comes behind that.
  private func settled(_ channel: any Channel, _ listener: any EventLoop) {
    let identifier = ObjectIdentifier(channel)
    channel.eventLoop.execute {
      listener.execute { [self] in
        let waiting = state.withLock { state in
          state.settingUp.remove(identifier)
          guard state.settingUp.isEmpty else { return [CheckedContinuation<Void, Never>]() }
          defer { state.waiting = [] }
          return state.waiting
        }
        for one in waiting { one.resume() }
      }
    }
  }

  /// Accepts no more connections, and waits until those that were accepted are with the transport.
  func stopAccepting() async {
    guard let listener = state.withLock({ $0.listener }) else { return }
    try? await listener.setOption(.autoRead, value: false).get()
    await withCheckedContinuation { continuation in
      let isSettled = state.withLock { state in
        if !state.settingUp.isEmpty { state.waiting.append(continuation) }
        return state.settingUp.isEmpty
      }
      if isSettled { continuation.resume() }
    }
  }

  /// Closes all connections, and those that come, and waits until they are.
  func cut() async {
    state.withLock { $0.isCut = true }
    while let channel = state.withLock({ $0.connections.values.first }) {
      channel.close(promise: nil)
      try? await channel.closeFuture.get()
      state.withLock { _ = $0.connections.removeValue(forKey: ObjectIdentifier(channel)) }
    }
  }
}

/// Sees connections when they are accepted, before anybody sets them up.
private final class AcceptedConnections: ChannelInboundHandler {
  typealias InboundIn = any Channel

  private let channels: ServerChannels

  init(_ channels: ServerChannels) { self.channels = channels }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    channels.begin(unwrapInboundIn(data), of: context.eventLoop)
    context.fireChannelRead(data)
  }
}
