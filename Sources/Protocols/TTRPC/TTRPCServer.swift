import Locking
import SwiftProtobuf

/// How much one connection may ask for at a time.
public struct TTRPCServerLimits: Sendable {
  /// Calls under way; one more is answered with `resourceExhausted` at once.
  public var calls = 1024
  /// Messages of one stream that nobody has taken yet; one more ends the call.
  public var streamMessages = 1024
  public var streamBytes = 4 * TTRPCFrame.payloadLimit
  /// For calls whose caller names no deadline.
  public var longestCall = Duration.seconds(300)

  public init() {}
}

/// Answers calls that come on a connection.
///
/// Whatever comes is answered or passed over; only bytes that cannot be told apart any more end the connection.
public struct TTRPCServer: Sendable {
  private let services: [String: TTRPCService]
  private let limits: TTRPCServerLimits

  public init(_ services: [TTRPCService], limits: TTRPCServerLimits = TTRPCServerLimits()) {
    self.services = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.limits = limits
  }

  /// Serves until the peer sends no more, and all its calls are answered; then closes the connection.
  /// - Throws: what the connection's `read` throws; `CancellationError`.
  public func serve(_ connection: any DuplexConnection) async throws {
    let calls = ServerCallTable(connection)
    defer { connection.close() }
    try await withThrowingDiscardingTaskGroup { group in
      var reader = TTRPCFrameReader()
      while let bytes = try await connection.read() {
        reader.append(bytes)
        while let item = reader.next() {
          guard let start = await take(item, calls, connection) else { continue }
          group.addTask { await start() }
        }
      }
      // A peer that has said all may still want its answers; streams that wait for more of it get their end.
      calls.endStreams()
    }
  }

  /// - Returns: the work of a new call.
  private func take(_ item: TTRPCFrameReader.Item, _ calls: ServerCallTable, _ connection: any DuplexConnection)
    async -> (@Sendable () async -> Void)?
  {
    switch item {
    case .tooLarge(let stream, .request, let bytes):
      calls.note(stream)
      await ServerAnswer(stream, connection).fail(.tooLarge(bytes))
    case .tooLarge(let stream, .data, let bytes): calls.end(stream, throwing: TTRPCError.tooLarge(bytes))
    case .frame(let frame) where frame.kind == .request: return await begin(frame, calls, connection)
    case .frame(let frame) where frame.kind == .data: feed(frame, calls)
    case .frame, .tooLarge: break  // an answer: nobody here asked
    }
    return nil
  }

  private func begin(_ frame: TTRPCFrame, _ calls: ServerCallTable, _ connection: any DuplexConnection)
    async -> (@Sendable () async -> Void)?
  {
    let answer = ServerAnswer(frame.stream, connection)
    do throws(TTRPCError) {
      let isNew = calls.note(frame.stream)
      guard frame.stream % 2 == 1 else { throw TTRPCError(.invalidArgument, "streams of clients have odd numbers") }
      guard isNew else { throw TTRPCError(.invalidArgument, "stream \(frame.stream) was used before") }
      let request: TTRPCWireRequest
      do { request = try TTRPCWireRequest(serializedBytes: frame.payload) } catch {
        throw TTRPCError(.invalidArgument, "the payload is no request: \(error)")
      }
      guard let service = services[request.service] else {
        throw TTRPCError(.unimplemented, "no service \(request.service.prefix(200)) is served here")
      }
      guard let method = service.methods[request.method] else {
        throw TTRPCError(.unimplemented, "\(service.name) has no method \(request.method.prefix(200))")
      }
      let inbound = BoundedQueue<[UInt8]>(items: limits.streamMessages, bytes: limits.streamBytes)
      guard calls.begin(frame.stream, inbound, limit: limits.calls) else {
        throw TTRPCError(.resourceExhausted, "more than \(limits.calls) calls are under way")
      }
      // A request that asks for a stream of answers brings its one message with it.
      if case .streaming = method, !request.payload.isEmpty { _ = inbound.push([UInt8](request.payload)) }
      if !frame.flags.contains(.remoteOpen) { inbound.finish() }
      let limits = limits
      return {
        await Self.run(method, request, inbound, answer, connection, limits)
        calls.remove(frame.stream)
      }
    } catch {
      await answer.fail(error)
      return nil
    }
  }

  private func feed(_ frame: TTRPCFrame, _ calls: ServerCallTable) {
    guard let inbound = calls.stream(frame.stream) else { return }
    if !frame.flags.contains(.noData), !inbound.push(frame.payload, bytes: frame.payload.count) {
      inbound.finish(throwing: TTRPCError(.resourceExhausted, "more messages came than were taken"))
    }
    if frame.flags.contains(.remoteClosed) { inbound.finish() }
  }

  private static func run(
    _ method: TTRPCMethod, _ request: TTRPCWireRequest, _ inbound: BoundedQueue<[UInt8]>, _ answer: ServerAnswer,
    _ connection: any DuplexConnection, _ limits: TTRPCServerLimits
  ) async {
    let asked: Duration? = request.timeoutNano > 0 ? .nanoseconds(request.timeoutNano) : nil
    let wait = min(asked ?? limits.longestCall, limits.longestCall)
    let call = TTRPCCall(
      service: request.service, method: request.method, metadata: request.metadata.map { ($0.key, $0.value) },
      deadline: asked.map { _ in .now + wait })
    // The answer is due at the deadline, whether the method has heard of it or not.
    let work = Task {
      switch method {
      case .unary(let body): return try await body(call, [UInt8](request.payload)) as [UInt8]?
      case .streaming(let body):
        return try await body(
          call, TTRPCServerStream(number: answer.stream, inbound: inbound, connection: connection))
      }
    }
    let timer = Task {
      try await Task.sleep(for: wait)
      work.cancel()
      await answer.fail(TTRPCError(.deadlineExceeded, "\(call.method) took longer than \(wait)"))
    }
    await withTaskCancellationHandler {
      do {
        let payload = try await work.value
        timer.cancel()
        await answer.succeed(payload)
      } catch {
        timer.cancel()
        await answer.fail(TTRPCError(error))
      }
    } onCancel: {
      work.cancel()
      timer.cancel()
    }
  }
}

/// The calls of one connection that are under way.
private final class ServerCallTable: Sendable {
  private struct State {
    var inbound: [UInt32: BoundedQueue<[UInt8]>] = [:]
    var last: UInt32 = 0
  }
  private let state = Mutex(State())
  private let connection: any DuplexConnection

  init(_ connection: any DuplexConnection) { self.connection = connection }

  /// - Returns: whether the number is higher than those before.
  @discardableResult
  func note(_ stream: UInt32) -> Bool {
    state.withLock { state in
      guard stream > state.last else { return false }
      state.last = stream
      return true
    }
  }

  func begin(_ stream: UInt32, _ inbound: BoundedQueue<[UInt8]>, limit: Int) -> Bool {
    state.withLock { state in
      guard state.inbound.count < limit else { return false }
      state.inbound[stream] = inbound
      return true
    }
  }

  func stream(_ stream: UInt32) -> BoundedQueue<[UInt8]>? { state.withLock { $0.inbound[stream] } }

  func end(_ number: UInt32, throwing error: any Error) { stream(number)?.finish(throwing: error) }

  func remove(_ stream: UInt32) { _ = state.withLock { $0.inbound.removeValue(forKey: stream) } }

  func endStreams() { for queue in state.withLock({ Array($0.inbound.values) }) { queue.finish() } }
}

/// The one answer of a call.
private final class ServerAnswer: Sendable {
  let stream: UInt32
  private let connection: any DuplexConnection
  private let isGiven = Mutex(false)

  init(_ stream: UInt32, _ connection: any DuplexConnection) {
    self.stream = stream
    self.connection = connection
  }

  func succeed(_ payload: [UInt8]?) async {
    guard claim() else { return }
    guard let payload else {
      await send(TTRPCFrame(stream: stream, kind: .data, flags: [.remoteClosed, .noData]))
      return
    }
    var response = TTRPCWireResponse()
    response.payload = .init(payload)
    await send(response)
  }

  func fail(_ error: TTRPCError) async {
    guard claim() else { return }
    await send(.with { $0.status = TTRPCWireStatus(error) })
  }

  private func claim() -> Bool {
    isGiven.withLock { isGiven in
      defer { isGiven = true }
      return !isGiven
    }
  }

  private func send(_ response: TTRPCWireResponse) async {
    let payload: [UInt8]
    do { payload = try response.serializedBytes() } catch { return }
    guard payload.count <= TTRPCFrame.payloadLimit else {
      return await send(.with { $0.status = TTRPCWireStatus(.tooLarge(payload.count)) })
    }
    await send(TTRPCFrame(stream: stream, kind: .response, payload: payload))
  }

  /// Who is gone needs no answer.
  private func send(_ frame: TTRPCFrame) async {
    guard let bytes = try? frame.encoded() else { return }
    try? await connection.write(bytes)
  }
}
