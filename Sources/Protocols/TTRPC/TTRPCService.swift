public import SwiftProtobuf

/// What a caller said of a call beside its message.
public struct TTRPCCall: Sendable {
  public let service: String
  public let method: String
  /// In the order in which it was sent; a key may be there more than once.
  public let metadata: [(key: String, value: String)]
  /// When the caller stops to wait; `nil`: never.
  public let deadline: ContinuousClock.Instant?
}

/// How a method is served. What it throws is told to the caller: a `TTRPCError` as it is, anything else as `unknown`.
public enum TTRPCMethod: Sendable {
  /// One message in, one out. Must heed cancellation: it comes with the deadline.
  case unary(@Sendable (TTRPCCall, [UInt8]) async throws -> [UInt8])
  /// Messages in, messages out. What it returns ends the stream as its answer; `nil`: it ends without one, as streams of
  /// answers do.
  case streaming(@Sendable (TTRPCCall, TTRPCServerStream) async throws -> [UInt8]?)

  /// A method of generated messages.
  public static func unary<Request: Message, Response: Message>(
    _ body: @escaping @Sendable (Request) async throws -> Response
  ) -> TTRPCMethod {
    .unary { call, bytes in
      let request: Request
      do { request = try Request(serializedBytes: bytes) } catch {
        throw TTRPCError(.invalidArgument, "the message of \(call.method) is no \(Request.protoMessageName): \(error)")
      }
      return try await body(request).serializedBytes()
    }
  }
}

/// Methods by their names.
public struct TTRPCService: Sendable {
  /// With its package: `nri.pkg.api.v1alpha1.Plugin`.
  public let name: String
  public let methods: [String: TTRPCMethod]

  public init(_ name: String, _ methods: [String: TTRPCMethod]) {
    self.name = name
    self.methods = methods
  }
}

/// A call whose messages are streams, as the one who serves it sees it.
public struct TTRPCServerStream: Sendable {
  let number: UInt32
  let inbound: BoundedQueue<[UInt8]>
  let connection: any DuplexConnection

  /// The caller's next message; `nil` when it sends no more. One caller at a time.
  public func next() async throws -> [UInt8]? { try await inbound.next() }

  public func send(_ message: [UInt8]) async throws {
    try await connection.write(TTRPCFrame(stream: number, kind: .data, payload: message).encoded())
  }
}
