import KubernetesAPI
import Locking
import Logging
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#endif

/// The pods' way to the API: listens at their gateway and hands bytes on to the API server, which itself listens where no pod
/// gets. TLS goes from the pod to the server; nothing is read here.
///
/// The firewall lets only those pods come that ask for a token (`FirewallRules`). What a pod may hold is bounded, and what all
/// hold together, of which whoever has most gives way: the API server has room for others besides.
final class APIEntrance: Sendable {
  /// Where the API is for pods and for who is on the node's own network.
  struct Addresses: Sendable {
    let entrance: (host: String, port: Int)
    let server: (host: String, port: Int)
  }

  /// Connections at once, of one pod and of all.
  static let connectionsPerPod = 64
  static let connections = 1024

  let addresses: Addresses
  private let logger: Logger
  private let table: RelayTable

  /// - Returns: `nil` if pods have no way to the API.
  init?(
    _ network: PodNetwork, server: (host: String, port: Int)?, perPod: Int = connectionsPerPod,
    inAll: Int = connections, logger: Logger
  ) {
    table = RelayTable(perSource: perPod, inAll: inAll)
    guard let server, let port = network.apiPort else { return nil }
    addresses = Addresses(entrance: (network.gateway, port), server: server)
    self.logger = logger
  }

  /// Connections that are handed on.
  var count: Int { table.count }

  /// Listens until it is cancelled; where it cannot, it tries again.
  func run() async {
    var backOff = BackOff(initial: .milliseconds(100), maximum: .seconds(10))
    while !Task.isCancelled {
      do {
        let channel = try await listen()
        backOff.reset()
        await withTaskCancellationHandler {
          try? await channel.closeFuture.get()
        } onCancel: {
          channel.close(promise: nil)
        }
      } catch {
        if Task.isCancelled { break }
        logger.warning(
          "pods cannot reach the API: nothing can listen at their gateway",
          metadata: ["address": "\(addresses.entrance.host):\(addresses.entrance.port)", "error": "\(error)"])
      }
      do { try await Task.sleep(for: backOff.next()) } catch { break }
    }
    table.closeAll()
  }

  private func listen() async throws -> any Channel {
    let (server, table) = (addresses.server, table)
    return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 128)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      // The gateway's address is the node's as long as there is a pod: it is listened to before.
      .serverChannelOption(ChannelOptions.Types.SocketOption(level: .ip, name: .init(rawValue: IP_FREEBIND)), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { pod in
        guard let source = pod.remoteAddress?.ipAddress, table.admit(pod, from: source) else {
          return pod.eventLoop.makeFailedFuture(ChannelError.eof)
        }
        return ClientBootstrap(group: pod.eventLoop)
          .channelOption(.allowRemoteHalfClosure, value: true)
          .channelOption(.autoRead, value: false)
          .connectTimeout(.seconds(5))
          .connect(host: server.host, port: server.port)
          .flatMapThrowing { api in
            let (near, far) = RelaySide.pair()
            try pod.pipeline.syncOperations.addHandler(near)
            try api.pipeline.syncOperations.addHandler(far)
            // Neither outlives the other, however it ends.
            pod.closeFuture.whenComplete { _ in RelaySide.finish(api, .all) }
            api.closeFuture.whenComplete { _ in RelaySide.finish(pod, .all) }
            _ = api.setOption(.autoRead, value: true)
            _ = pod.setOption(.autoRead, value: true)
          }
      }
      .bind(host: addresses.entrance.host, port: addresses.entrance.port).get()
  }
}

/// The connections that are open, by where they come from, the oldest of each first.
private final class RelayTable: Sendable {
  private struct State {
    var channels: [String: [any Channel]] = [:]
    var count = 0
    var isEnded = false
  }
  private let state = Mutex(State())
  private let perSource: Int
  private let inAll: Int

  init(perSource: Int, inAll: Int) {
    self.perSource = perSource
    self.inAll = inAll
  }

  var count: Int { state.withLock { $0.count } }

  /// When there is no room, whoever has most loses the oldest of theirs to who has less.
  /// - Returns: whether there is room for one more; it is given back when the channel is closed.
  func admit(_ channel: any Channel, from source: String) -> Bool {
    let (isAdmitted, evicted): (Bool, (any Channel)?) = state.withLock { state in
      let own = state.channels[source]?.count ?? 0
      guard !state.isEnded, own < perSource else { return (false, nil) }
      var evicted: (any Channel)?
      if state.count >= inAll {
        let most = state.channels.max { $0.value.count < $1.value.count }
        guard let most, most.value.count > own + 1 else { return (false, nil) }
        evicted = most.value.first
        evicted.map { Self.remove($0, from: most.key, &state) }
      }
      state.channels[source, default: []].append(channel)
      state.count += 1
      return (true, evicted)
    }
    evicted?.close(promise: nil)
    guard isAdmitted else { return false }
    channel.closeFuture.whenComplete { _ in self.state.withLock { Self.remove(channel, from: source, &$0) } }
    return true
  }

  private static func remove(_ channel: any Channel, from source: String, _ state: inout State) {
    guard let index = state.channels[source]?.firstIndex(where: { $0 === channel }) else { return }
    state.channels[source]?.remove(at: index)
    if state.channels[source]?.isEmpty == true { state.channels[source] = nil }
    state.count -= 1
  }

  func closeAll() {
    let open = state.withLock { state in
      state.isEnded = true
      return state.channels.values.flatMap(\.self)
    }
    for channel in open { channel.close(promise: nil) }
  }
}

/// One end of a connection that is handed on: what it reads goes out at the other end, and it reads while that one takes it.
/// Both ends are on one event loop.
private final class RelaySide: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var context: ChannelHandlerContext?
  private var partner: RelaySide?
  /// A read that waits until the other end takes more.
  private var isReadHeld = false

  static func pair() -> (RelaySide, RelaySide) {
    let (one, other) = (RelaySide(), RelaySide())
    (one.partner, other.partner) = (other, one)
    return (one, other)
  }

  /// Closes once everything that was written has gone out; whoever does not take it has a minute.
  static func finish(_ channel: any Channel, _ mode: CloseMode) {
    let timeout = channel.eventLoop.scheduleTask(in: .seconds(60)) { channel.close(promise: nil) }
    channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
      timeout.cancel()
      channel.close(mode: mode, promise: nil)
    }
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    partner = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let other = partner?.context else { return context.close(promise: nil) }
    other.write(wrapOutboundOut(unwrapInboundIn(data)), promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { partner?.context?.flush() }

  func read(context: ChannelHandlerContext) {
    if let other = partner?.context, !other.channel.isWritable {
      isReadHeld = true
    } else {
      context.read()
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable, let partner, partner.isReadHeld {
      partner.isReadHeld = false
      partner.context?.read()
    }
    context.fireChannelWritabilityChanged()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent, let channel = partner?.context?.channel {
      Self.finish(channel, .output)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
