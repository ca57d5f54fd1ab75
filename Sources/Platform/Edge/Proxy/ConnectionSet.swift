import Locking
import NIOCore

import struct Synchronization.Atomic

/// A client's connection as the edge counts it: how many requests are under way on it, and since when it does nothing.
final class ClientConnection: Sendable {
  let client: String
  let channel: any Channel
  private let underway = Atomic<Int>(0)
  private let lastUse = Atomic<UInt64>(NIODeadline.now().uptimeNanoseconds)

  fileprivate init(client: String, channel: any Channel) {
    self.client = client
    self.channel = channel
  }

  /// A request that is under way, as long as somebody refers to it.
  final class Activity: Sendable {
    private let connection: ClientConnection
    fileprivate init(_ connection: ClientConnection) {
      self.connection = connection
      connection.underway.wrappingAdd(1, ordering: .relaxed)
    }
    deinit {
      connection.lastUse.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
      connection.underway.wrappingSubtract(1, ordering: .relaxed)
    }
  }

  func beginRequest() -> Activity { Activity(self) }

  /// Nothing is asked of it: it was opened, or its last request is over.
  var isIdle: Bool { underway.load(ordering: .relaxed) == 0 }
  /// When it was opened, or its last request ended.
  var idleSince: NIODeadline { .uptimeNanoseconds(lastUse.load(ordering: .relaxed)) }
}

/// The open connections of clients: limited for each client and in all, and closed together at the end.
///
/// Who is at a limit loses old connections for new ones, so that nobody can shut others out by holding connections:
/// the one that has been idle longest goes, of the client that has most of them.
final class ConnectionSet: Sendable {
  private struct State {
    var clients: [String: [ObjectIdentifier: ClientConnection]] = [:]
    var count = 0
  }

  private let state = Mutex(State())
  private let limit: Int
  private let limitPerClient: Int

  init(limit: Int, limitPerClient: Int) {
    self.limit = limit
    self.limitPerClient = limitPerClient
  }

  var count: Int { state.withLock { $0.count } }

  /// Adds a connection until it closes, in the place of another one if there are too many.
  /// - Returns: `nil` if there is no room: everybody works on requests, and nobody has much more than this client.
  func add(_ channel: any Channel) -> ClientConnection? {
    let client = Self.client(of: channel.remoteAddress)
    let connection = ClientConnection(client: client, channel: channel)
    let (isAdded, evicted) = state.withLock { state -> (Bool, ClientConnection?) in
      var evicted: ClientConnection?
      let own = state.clients[client]?.count ?? 0
      if own >= limitPerClient {
        evicted = Self.oldestIdle(of: client, in: state)
      } else if state.count >= limit {
        evicted = Self.toEvict(for: client, in: state)
      }
      if let evicted { Self.remove(evicted, from: &state) }
      guard evicted != nil || (own < limitPerClient && state.count < limit) else { return (false, nil) }
      state.clients[client, default: [:]][ObjectIdentifier(channel)] = connection
      state.count += 1
      return (true, evicted)
    }
    evicted?.channel.close(promise: nil)
    guard isAdded else { return nil }
    channel.closeFuture.whenComplete { [weak self] _ in self?.state.withLock { Self.remove(connection, from: &$0) } }
    return connection
  }

  func closeAll() async {
    let all = state.withLock { $0.clients.values.flatMap(\.values) }
    for connection in all { connection.channel.close(promise: nil) }
    for connection in all { try? await connection.channel.closeFuture.get() }
  }

  /// From the client with most connections on: its oldest idle one. If nobody has an idle one, the oldest at all of a
  /// client that has many times more than the newcomer.
  private static func toEvict(for newcomer: String, in state: State) -> ClientConnection? {
    let byCount = state.clients.sorted { $0.value.count > $1.value.count }
    // Nobody gives way to a client that has more than they.
    let own = state.clients[newcomer]?.count ?? 0
    for (client, connections) in byCount where connections.count >= own || client == newcomer {
      if let idle = oldestIdle(of: client, in: state) { return idle }
    }
    guard let (busiest, connections) = byCount.first, connections.count > 2 * (own + 1), busiest != newcomer else {
      return nil
    }
    return connections.values.min { $0.idleSince < $1.idleSince }
  }

  private static func oldestIdle(of client: String, in state: State) -> ClientConnection? {
    state.clients[client]?.values.filter(\.isIdle).min { $0.idleSince < $1.idleSince }
  }

  private static func remove(_ connection: ClientConnection, from state: inout State) {
    let key = ObjectIdentifier(connection.channel)
    guard state.clients[connection.client]?[key] === connection else { return }
    state.clients[connection.client]?[key] = nil
    if state.clients[connection.client]?.isEmpty == true { state.clients[connection.client] = nil }
    state.count -= 1
  }

  /// Who a connection is of: an IPv4 address, or the /64 of an IPv6 address, which one customer has whole.
  static func client(of address: SocketAddress?) -> String {
    guard case .v6(let address) = address else { return address?.ipAddress ?? "unknown" }
    let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
    if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
      return bytes[12...].map(String.init).joined(separator: ".")  // IPv4 on a socket of both
    }
    return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
  }
}
