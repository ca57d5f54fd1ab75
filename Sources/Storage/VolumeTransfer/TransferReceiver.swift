import LinuxSystem
import Locking
import Logging
import NIOCore
import NIOPosix
import NIOSSL
public import VolumePools

/// The target's side of copies. It listens only while something is expected.
public actor TransferReceiver {
  /// What may come.
  private struct Expectation: Sendable {
    let volume: String
    /// Of the source.
    let fingerprint: String
    let pool: any VolumeBackend
  }

  /// Whose handshakes are let through.
  private final class Admitted: Sendable {
    private let fingerprints = Mutex(Set<String>())

    func set(_ all: Set<String>) { fingerprints.withLock { $0 = all } }

    @Sendable func contains(_ fingerprint: String) -> Bool { fingerprints.withLock { $0.contains(fingerprint) } }
  }

  /// Who is at the other end of a connection.
  private final class Peer: Sendable {
    private let shown = Mutex<String?>(nil)

    func show(_ fingerprint: String) { shown.withLock { $0 = fingerprint } }

    var fingerprint: String? { shown.withLock { $0 } }
  }

  private struct Connection: Sendable {
    let channel: TransferChannel
    let peer: Peer
  }

  public nonisolated let identity: TransferIdentity
  private let host: String
  private let port: Int
  private let logger: Logger
  /// By the uid of the move.
  private var expected: [String: Expectation] = [:]
  /// The fingerprints of all, for the handshake.
  private let admitted = Admitted()
  private var listener: (task: Task<Void, Never>, port: Int)?
  /// One connection at a time serves a move: a new one ends the one before.
  private var serving: [String: any Channel] = [:]
  private let gate = VolumeGate()

  /// - Parameters:
  ///   - host: the address to listen at.
  ///   - port: 0: any that is free.
  public init(identity: TransferIdentity, host: String, port: Int, logger: Logger) {
    self.identity = identity
    self.host = host
    self.port = port
    self.logger = logger
  }

  /// Lets a source send a volume.
  /// - Parameter pool: in which the volume is being received.
  /// - Returns: the port at which it may.
  public func expect(move: String, volume: String, from fingerprint: String, into pool: any VolumeBackend) async throws
    -> Int
  {
    expected[move] = Expectation(volume: volume, fingerprint: fingerprint, pool: pool)
    admit()
    return try await listen()
  }

  /// Lets nothing come any more for a move; what is under way ends.
  public func forget(move: String) async {
    expected[move] = nil
    admit()
    serving[move]?.close(promise: nil)
    await gate.enter(move)
    await gate.leave(move)
    if expected.isEmpty { await close() }
  }

  /// Lets nothing come any more at all.
  public func shutDown() async {
    for move in expected.keys.sorted() { await forget(move: move) }
  }

  private func admit() {
    admitted.set(Set(expected.values.map(\.fingerprint)))
  }

  private func close() async {
    guard let (task, _) = listener else { return }
    listener = nil
    task.cancel()
    await task.value
  }

  private func listen() async throws -> Int {
    if let listener { return listener.port }
    let (context, admitted) = (try identity.serverContext(), admitted)
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.backlog, value: 16)
      .bind(host: host, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          let peer = Peer()
          let tls = NIOSSLServerHandler(
            context: context,
            customVerificationCallback: TransferIdentity.verification {
              peer.show($0)
              return admitted.contains($0)
            })
          return Connection(channel: try TransferPipeline.dress(channel, tls), peer: peer)
        }
      }
    // Somebody else may have begun to listen meanwhile.
    let chosen = server.channel.localAddress?.port ?? port
    let task = Task { await self.accept(server) }
    listener = (task, chosen)
    return chosen
  }

  private func accept(_ server: NIOAsyncChannel<Connection, Never>) async {
    do {
      try await server.executeThenClose { connections in
        try await withThrowingDiscardingTaskGroup { group in
          for try await connection in connections {
            group.addTask { [logger] in
              do { try await self.serve(connection) } catch {
                logger.debug("a transfer's connection ended", metadata: ["error": "\(error)"])
              }
            }
          }
        }
      }
    } catch {
      if !Task.isCancelled { logger.warning("cannot receive volumes", metadata: ["error": "\(error)"]) }
    }
  }

  private func serve(_ connection: Connection) async throws {
    try await connection.channel.executeThenClose { inbound, outbound in
      var talk = TransferConversation(inbound, outbound)
      guard case .hello(let greeting) = try await talk.receive() else {
        throw TransferError.protocolError("no greeting")
      }
      guard let expectation = expected[greeting.move], expectation.fingerprint == connection.peer.fingerprint,
        expectation.volume == greeting.volume
      else {
        return try await talk.send(.refusal("volume \(greeting.volume.prefix(128)) is not expected here"))
      }
      // A source that lost its connection comes again before that is noticed here.
      serving[greeting.move]?.close(promise: nil)
      await gate.enter(greeting.move)
      serving[greeting.move] = connection.channel.channel
      do {
        try await Self.receive(greeting, into: expectation.pool, &talk)
        await leave(greeting.move)
      } catch {
        await leave(greeting.move)
        try? await talk.send(.refusal("\(error)"))
        throw error
      }
    }
  }

  private func leave(_ move: String) async {
    serving[move] = nil
    await gate.leave(move)
  }

  private static func receive(
    _ greeting: TransferGreeting, into pool: any VolumeBackend, _ talk: inout TransferConversation
  ) async throws {
    // A source that did not hear that all was there asks again: then nothing is missing.
    let isWhole = try await pool.movingVolumes()[greeting.volume] == .sealed
    let sum: ChunkSum
    do {
      // Nothing holds them longer than the call: a device that is open is not let go.
      sum = try await receive(
        greeting, try await pool.lendContents(of: greeting.volume, writing: !isWhole), isWhole: isWhole, &talk)
      await pool.returnContents(of: greeting.volume)
    } catch {
      await pool.returnContents(of: greeting.volume)
      throw error
    }
    if greeting.isLast { try await pool.completeReceiving(greeting.volume, greeting.traits) }
    try await talk.send(.done(sum))
  }

  private static func receive(
    _ greeting: TransferGreeting, _ contents: VolumeContents, isWhole: Bool, _ talk: inout TransferConversation
  ) async throws -> ChunkSum {
    guard contents.bytes >= greeting.traits.bytes else {
      throw TransferError.failed("there is room for \(contents.bytes) bytes, and \(greeting.traits.bytes) come")
    }
    try await talk.send(.welcome(bytes: contents.bytes))
    let writer = TransferWriter(contents, isWhole: isWhole, proves: greeting.isLast)
    while true {
      switch try await talk.receive() {
      case .sums(let first, let sums):
        let lacking = try await BlockingWork.run { try writer.compare(first, sums) }
        try await talk.send(.wants(first: first, lacking))
      case .data(let chunk, let bytes): try await BlockingWork.run { try writer.write(chunk, bytes) }
      case .end(let theirs):
        let ours = try await BlockingWork.run { try writer.finish() }
        guard ours == theirs else { throw TransferError.failed("the copy's checksum is another one") }
        return ours
      case .hello, .welcome, .wants, .done, .refusal:
        throw TransferError.protocolError("what only the target says")
      }
    }
  }
}
