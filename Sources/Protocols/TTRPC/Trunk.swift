import Locking
import NIOCore

/// Several logical connections over one (NRI's pkg/net/multiplex): each piece of bytes is preceded by the number of its
/// connection and its length, both as 32 bits in network order.
///
/// The reader never waits for a slow connection, as a call on one may be what another waits for. So each has a queue with an
/// end; whoever fills it ends the trunk, as both sides must agree on what was said.
public final class Trunk: Sendable {
  /// Pieces that may wait for one connection: as many as the runtime's own side keeps.
  public static let queueFrames = 256
  static let queueBytes = 4 * (TTRPCFrame.payloadLimit + TTRPCFrame.headerBytes)

  private let connection: any DuplexConnection
  private let queues: Mutex<[UInt32: BoundedQueue<ByteBuffer>]>

  /// - Parameter numbers: of the logical connections. Pieces for others are passed over.
  public init(_ connection: any DuplexConnection, numbers: [UInt32]) {
    self.connection = connection
    let queues = numbers.map { ($0, BoundedQueue<ByteBuffer>(items: Self.queueFrames, bytes: Self.queueBytes)) }
    self.queues = Mutex(Dictionary(queues, uniquingKeysWith: { first, _ in first }))
  }

  /// One of the logical connections; one that is not there has ended.
  public func connection(_ number: UInt32) -> any DuplexConnection {
    TrunkConnection(trunk: self, number: number, queue: queues.withLock { $0[number] })
  }

  /// Hands out what comes until the peer sends no more or `close` is called.
  /// - Throws: `TTRPCError` for a piece that is too long, or a queue that is full; the trunk is closed then.
  public func run() async throws {
    var pieces = TrunkPieces()
    do {
      while let bytes = try await connection.read() {
        pieces.append(bytes)
        while let piece = try pieces.next() { try deliver(piece.bytes, to: piece.number) }
      }
      finish(nil)
    } catch {
      finish(error)
      throw error
    }
  }

  /// Ends it and all its connections.
  public func close() { finish(nil) }

  private func deliver(_ piece: ByteBuffer, to number: UInt32) throws {
    guard piece.readableBytes > 0, let queue = queues.withLock({ $0[number] }) else { return }
    guard queue.push(piece, bytes: piece.readableBytes) else {
      throw TTRPCError(.resourceExhausted, "the queue of connection \(number) on the trunk is full")
    }
  }

  private func finish(_ error: (any Error)?) {
    for queue in queues.withLock({ Array($0.values) }) { queue.finish(throwing: error) }
    connection.close()
  }

  /// Frames of ttrpc fit into one piece each.
  fileprivate func send(_ bytes: ByteBuffer, from number: UInt32) -> EventLoopFuture<Void> {
    var bytes = bytes
    var buffer = ByteBuffer()
    buffer.reserveCapacity(TrunkPieces.headerBytes + bytes.readableBytes)
    buffer.writeInteger(number)
    buffer.writeInteger(UInt32(clamping: bytes.readableBytes))
    buffer.writeBuffer(&bytes)
    return connection.send(buffer)
  }

  fileprivate func end(_ number: UInt32) {
    queues.withLock { $0.removeValue(forKey: number) }?.finish()
  }
}

private struct TrunkConnection: DuplexConnection {
  let trunk: Trunk
  let number: UInt32
  let queue: BoundedQueue<ByteBuffer>?

  func read() async throws -> ByteBuffer? { try await queue?.next() }
  func send(_ bytes: ByteBuffer) -> EventLoopFuture<Void> { trunk.send(bytes, from: number) }
  func close() { trunk.end(number) }
}
