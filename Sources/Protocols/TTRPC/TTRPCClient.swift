import Locking
import NIOCore
public import SwiftProtobuf

/// Calls methods over a connection; many at once.
///
/// `run` must be running for calls to be answered.
public final class TTRPCClient: Sendable {
  fileprivate enum Item: Sendable {
    case response([UInt8])
    case data([UInt8])
  }

  private struct State {
    var next: UInt32 = 1
    var waiting: [UInt32: BoundedQueue<Item>] = [:]
    var isEnded = false
  }

  private let connection: any DuplexConnection
  private let state = Mutex(State())
  /// Messages of a stream of answers that nobody has taken yet.
  private static let streamMessages = 1024

  public init(_ connection: any DuplexConnection) { self.connection = connection }

  /// Hands out answers until the connection ends; calls that wait then fail with `unavailable`.
  public func run() async throws {
    defer { end() }
    var reader = TTRPCFrameReader()
    while let bytes = try await connection.read() {
      reader.append(bytes)
      while let item = reader.next() { take(item) }
    }
  }

  /// Calls a method that takes one message and answers with one.
  /// - Parameter timeout: also told to the server.
  /// - Throws: `TTRPCError`: the server's, `deadlineExceeded`, or `unavailable` if the connection ended.
  public func call(
    _ service: String, _ method: String, _ payload: [UInt8], timeout: Duration, metadata: [String: String] = [:]
  ) async throws -> [UInt8] {
    let request = try Self.request(service, method, payload, timeout: timeout, metadata: metadata)
    let (number, queue, sent) = try open(request, flags: [])
    defer { close(number) }
    return try await Self.within(timeout, method) {
      try await Self.wait(sent)
      while let item = try await queue.next() { if case .response(let bytes) = item { return bytes } }
      throw TTRPCError.connectionEnded
    }
  }

  /// The same with generated messages.
  public func call<Request: Message, Response: Message>(
    _ service: String, _ method: String, _ request: Request, timeout: Duration
  ) async throws -> Response {
    let bytes = try await call(service, method, request.serializedBytes(), timeout: timeout)
    do { return try Response(serializedBytes: bytes) } catch {
      throw TTRPCError(.internal, "the answer to \(method) is no \(Response.protoMessageName): \(error)")
    }
  }

  /// A call whose messages are streams, as the caller sees it.
  public struct Stream: Sendable {
    fileprivate let number: UInt32
    fileprivate let queue: BoundedQueue<Item>
    fileprivate let client: TTRPCClient

    public func send(_ message: [UInt8]) async throws {
      try await client.connection.write(TTRPCFrame(stream: number, kind: .data, payload: message).encoded())
    }

    /// Says that no more messages come.
    public func finish() async throws {
      try await client.connection.write(
        TTRPCFrame(stream: number, kind: .data, flags: [.remoteClosed, .noData]).encoded())
    }

    /// The next message, or the call's one answer; `nil` at the end.
    public func next() async throws -> [UInt8]? {
      switch try await queue.next() {
      case .data(let bytes), .response(let bytes): bytes
      case nil: nil
      }
    }
  }

  /// Opens a call with streams for the time of `body`.
  /// - Parameters:
  ///   - payload: the one message of a call that sends no more.
  ///   - sendsMore: whether messages follow, until `finish`.
  public func stream<Result: Sendable>(
    _ service: String, _ method: String, payload: [UInt8] = [], sendsMore: Bool, timeout: Duration,
    _ body: @escaping @Sendable (Stream) async throws -> Result
  ) async throws -> Result {
    let request = try Self.request(service, method, payload, timeout: timeout, metadata: [:])
    let (number, queue, sent) = try open(request, flags: sendsMore ? .remoteOpen : .remoteClosed)
    defer { close(number) }
    return try await Self.within(timeout, method) {
      try await Self.wait(sent)
      return try await body(Stream(number: number, queue: queue, client: self))
    }
  }

  // MARK: Steps

  private static func request(
    _ service: String, _ method: String, _ payload: [UInt8], timeout: Duration, metadata: [String: String]
  ) throws -> [UInt8] {
    var request = TTRPCWireRequest()
    request.service = service
    request.method = method
    request.payload = .init(payload)
    let (seconds, attoseconds) = timeout.components
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    request.timeoutNano =
      overflow ? .max : nanoseconds.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    request.metadata = metadata.sorted { $0.key < $1.key }.map { key, value in
      .with {
        $0.key = key
        $0.value = value
      }
    }
    return try request.serializedBytes()
  }

  private static func wait(_ sent: EventLoopFuture<Void>) async throws {
    do { try await sent.get() } catch { throw TTRPCError.connectionEnded }
  }

  private static func within<Result: Sendable>(
    _ limit: Duration, _ method: String, _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
      group.addTask { try await body() }
      group.addTask {
        try await Task.sleep(for: limit)
        throw TTRPCError(.deadlineExceeded, "\(method) was not answered within \(limit)")
      }
      defer { group.cancelAll() }
      guard let result = try await group.next() else { throw TTRPCError.connectionEnded }
      return result
    }
  }

  /// Numbers of streams must go out in their order, so they are given and sent in one step.
  private func open(_ request: [UInt8], flags: TTRPCFrame.Flags) throws(TTRPCError) -> (
    UInt32, BoundedQueue<Item>, EventLoopFuture<Void>
  ) {
    guard request.count <= TTRPCFrame.payloadLimit else { throw .tooLarge(request.count) }
    let queue = BoundedQueue<Item>(items: Self.streamMessages, bytes: 4 * TTRPCFrame.payloadLimit)
    let opened: (UInt32, EventLoopFuture<Void>)? = state.withLock { state in
      let number = state.next
      let frame = TTRPCFrame(stream: number, kind: .request, flags: flags, payload: request)
      guard !state.isEnded, number <= .max - 2, let bytes = try? frame.encoded() else { return nil }
      state.next += 2
      state.waiting[number] = queue
      return (number, connection.send(bytes))
    }
    guard let (number, sent) = opened else { throw .connectionEnded }
    return (number, queue, sent)
  }

  private func close(_ number: UInt32) { _ = state.withLock { $0.waiting.removeValue(forKey: number) } }

  private func end() {
    let waiting = state.withLock { state in
      defer { state.waiting = [:] }
      state.isEnded = true
      return Array(state.waiting.values)
    }
    for queue in waiting { queue.finish(throwing: TTRPCError.connectionEnded) }
    connection.close()
  }

  private func take(_ item: TTRPCFrameReader.Item) {
    switch item {
    case .tooLarge(let stream, _, let bytes):
      queue(of: stream)?.finish(throwing: TTRPCError.tooLarge(bytes))
    case .frame(let frame):
      guard let queue = queue(of: frame.stream) else { return }
      switch frame.kind {
      case .request: break
      case .response: Self.take(response: frame.payload, queue)
      case .data:
        if !frame.flags.contains(.noData), !queue.push(.data(frame.payload), bytes: frame.payload.count) {
          queue.finish(throwing: TTRPCError(.resourceExhausted, "more messages came than were taken"))
        }
        if frame.flags.contains(.remoteClosed) { queue.finish() }
      }
    }
  }

  private static func take(response payload: [UInt8], _ queue: BoundedQueue<Item>) {
    do {
      let response = try TTRPCWireResponse(serializedBytes: payload)
      guard response.status.code == 0 else {
        let error = TTRPCError(.init(rawValue: response.status.code), response.status.message)
        return queue.finish(throwing: error)
      }
      _ = queue.push(.response([UInt8](response.payload)))
      queue.finish()
    } catch {
      queue.finish(throwing: TTRPCError(.internal, "the answer can't be read: \(error)"))
    }
  }

  private func queue(of stream: UInt32) -> BoundedQueue<Item>? { state.withLock { $0.waiting[stream] } }
}
