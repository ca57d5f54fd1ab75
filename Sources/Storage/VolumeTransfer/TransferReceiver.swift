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

  public nonisolated let identity: TransferIdentity
  private let host: String
  private let port: Int
  private let logger: Logger
  /// By the uid of the move.
  private var expected: [String: Expectation] = [:]
  /// The fingerprints of all, for the handshake.
  private let admitted = Admitted()
  private var listener: (server: any Channel, connections: TransferConnections, port: Int)?
  /// One connection at a time serves a move: a new one ends the one before.
  private var serving: [String: any Channel] = [:]
  /// By moves, and for the listener.
  private let gate = VolumeGate()
  private static let listening = "/"

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
    await closeIfIdle()
  }

  /// Lets nothing come any more at all.
  public func shutDown() async {
    for move in expected.keys.sorted() { await forget(move: move) }
  }

  private func admit() {
    admitted.set(Set(expected.values.map(\.fingerprint)))
  }

  /// Closes the listener if nothing is expected any more.
  private func closeIfIdle() async {
    await gate.enter(Self.listening)
    if expected.isEmpty, let (server, connections, _) = listener {
      listener = nil
      try? await server.close()
      await connections.close()
    }
    await gate.leave(Self.listening)
  }

  private func listen() async throws -> Int {
    await gate.enter(Self.listening)
    do {
      let port = try await listenAlone()
      await gate.leave(Self.listening)
      return port
    } catch {
      await gate.leave(Self.listening)
      throw error
    }
  }

  private func listenAlone() async throws -> Int {
    if let listener { return listener.port }
    let (context, admitted, connections) = (try identity.serverContext(), admitted, TransferConnections())
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.backlog, value: 128)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let peer = TransferPeer()
          let tls = NIOSSLServerHandler(
            context: context,
            customVerificationCallback: TransferIdentity.verification {
              peer.show($0)
              return admitted.contains($0)
            })
          try connections.run(channel, peer, { try TransferPipeline.dress(channel, tls) }) {
            await self.serve($0, peer)
          }
        }
      }
      .bind(host: host, port: port).get()
    let chosen = server.localAddress?.port ?? port
    listener = (server, connections, chosen)
    return chosen
  }

  private func serve(_ connection: TransferChannel, _ peer: TransferPeer) async {
    do {
      try await connection.executeThenClose { inbound, outbound in
        var talk = TransferConversation(inbound, outbound)
        guard case .hello(let greeting) = try await talk.receive() else {
          throw TransferError.protocolError("no greeting")
        }
        func expectation() -> Expectation? {
          expected[greeting.move].flatMap {
            $0.fingerprint == peer.fingerprint && $0.volume == greeting.volume ? $0 : nil
          }
        }
        if expectation() != nil {
          // A source that lost its connection comes again before that is noticed here.
          serving[greeting.move]?.close(promise: nil)
          await gate.enter(greeting.move)
          if let expectation = expectation() {
            serving[greeting.move] = connection.channel
            do {
              try await Self.receive(greeting, into: expectation.pool, &talk)
              return await leave(greeting.move)
            } catch {
              await leave(greeting.move)
              try? await talk.send(.refusal("\(error)"))
              throw error
            }
          }
          await gate.leave(greeting.move)
        }
        try await talk.send(.refusal("volume \(greeting.volume.prefix(128)) is not expected here"))
      }
    } catch { logger.debug("a transfer's connection ended", metadata: ["error": "\(error)"]) }
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
