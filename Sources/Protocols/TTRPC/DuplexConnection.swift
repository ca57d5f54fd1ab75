public import NIOCore

/// Bytes from and to a peer: a socket, or one of the logical connections of a trunk.
public protocol DuplexConnection: Sendable {
  /// The next bytes; `nil` when the peer sends no more. One caller at a time.
  func read() async throws -> ByteBuffer?
  /// Writes all bytes, in one piece and behind everything that was sent before; the future is of the moment when the kernel has
  /// them.
  func send(_ bytes: ByteBuffer) -> EventLoopFuture<Void>
  /// Ends both directions; who reads then gets the end.
  func close()
}

extension DuplexConnection {
  /// Writes all bytes; returns when the kernel has them.
  /// - Throws: `TTRPCError`: the connection has ended.
  public func write(_ bytes: ByteBuffer) async throws {
    do { try await send(bytes).get() } catch { throw TTRPCError.connectionEnded }
  }
}
