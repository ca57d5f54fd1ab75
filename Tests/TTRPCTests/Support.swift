import Foundation
import Locking
import NIOCore
import SwiftProtobuf
import TestSupport
import Testing

@testable import TTRPC

/// A service with one method of each shape, on a unix socket.
final class TestServer: Sendable {
  let path: String
  private let listener = Mutex<UnixSocketListener?>(nil)
  private let serving = Mutex<[Task<Void, Never>]>([])
  /// Opens the gate of `Wait`.
  let gate = Gate()

  static let service = "test.Echo"

  static func with(
    limits: TTRPCServerLimits = TTRPCServerLimits(), _ body: @Sendable (TestServer) async throws -> Void
  ) async throws {
    let server = TestServer()
    try await server.listen(limits)
    let result: Result<Void, any Error>
    do { result = .success(try await body(server)) } catch { result = .failure(error) }
    await server.close()
    try result.get()
  }

  init() { path = "/tmp/nagaya-ttrpc-\(UInt32.random(in: 0 ... .max))" }

  private func listen(_ limits: TTRPCServerLimits) async throws {
    let gate = gate
    let service = TTRPCService(
      Self.service,
      [
        "Echo": .unary { (_: TTRPCCall, bytes: [UInt8]) in bytes },
        "Typed": .unary { (request: TTRPCWireKeyValue) in request },
        "Fail": .unary { (_: TTRPCCall, _: [UInt8]) in throw TTRPCError(.failedPrecondition, "not today") },
        "Metadata": .unary { call, _ in Array(call.metadata.map { "\($0.key)=\($0.value)" }.joined(separator: ",").utf8)
        },
        "Wait": .unary { (_: TTRPCCall, bytes: [UInt8]) in
          await gate.opened()
          return bytes
        },
        // Heeds nothing: neither cancellation nor deadlines.
        "Deaf": .unary { (_: TTRPCCall, bytes: [UInt8]) in
          await gate.openedWhateverIsCancelled()
          return bytes
        },
        "Large": .unary { (_: TTRPCCall, _: [UInt8]) in [UInt8](repeating: 0, count: TTRPCFrame.payloadLimit + 1) },
        "Sum": .streaming { _, stream in
          var sum = 0
          while let bytes = try await stream.next() { sum += bytes.reduce(0) { $0 + Int($1) } }
          return [UInt8](clamping: sum)
        },
        "Count": .streaming { _, stream in
          for number in 0..<(try await stream.next()?.first ?? 0) { try await stream.send([number]) }
          return nil
        },
        "Double": .streaming { _, stream in
          while let bytes = try await stream.next() { try await stream.send(bytes + bytes) }
          return nil
        },
      ])
    let server = TTRPCServer([service], limits: limits)
    let listener = try await UnixSocketListener(path) { [self] connection in
      let task = Task { do { try await server.serve(connection) } catch { connection.close() } }
      serving.withLock { $0.append(task) }
    }
    self.listener.withLock { $0 = listener }
  }

  private func close() async {
    gate.open()
    await listener.withLock { $0 }?.close()
    for task in serving.withLock({ $0 }) {
      task.cancel()
      await task.value
    }
    unlink(path)
  }

  /// A client for the time of a body.
  func client<Result: Sendable>(_ body: @Sendable (TTRPCClient) async throws -> Result) async throws -> Result {
    let connection = try await UnixSocketConnection.connect(path)
    let client = TTRPCClient(connection)
    let running = Task { try? await client.run() }
    defer { running.cancel() }
    let result = try await body(client)
    connection.close()
    return result
  }

  /// Sends bytes as they are, says that it sends no more, and returns the frames that come back until the end.
  func exchange(_ bytes: [UInt8]) async throws -> [TTRPCFrame] {
    let connection = try await UnixSocketConnection.connect(path)
    defer { connection.close() }
    try? await connection.write(ByteBuffer(bytes: bytes))
    try? await connection.closeOutput()
    var reader = TTRPCFrameReader()
    var frames: [TTRPCFrame] = []
    while let bytes = try? await connection.read() {
      reader.append(bytes)
      while let item = reader.next() { if case .frame(let frame) = item { frames.append(frame) } }
    }
    return frames
  }
}

extension [UInt8] {
  fileprivate init(clamping sum: Int) { self = [UInt8(clamping: sum >> 8), UInt8(truncatingIfNeeded: sum)] }
}

/// Holds whoever comes until it is opened.
final class Gate: Sendable {
  private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

  func open() {
    let waiting = state.withLock { state in
      defer { state = (true, []) }
      return state.waiting
    }
    for waiter in waiting { waiter.resume() }
  }

  func openedWhateverIsCancelled() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  func opened() async {
    while !state.withLock({ $0.isOpen }), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(5)) }
  }
}

extension TTRPCFrame {
  static func request(
    _ stream: UInt32, _ method: String, service: String = TestServer.service, _ payload: [UInt8] = [],
    flags: Flags = []
  ) throws -> [UInt8] {
    let request = TTRPCWireRequest.with {
      $0.service = service
      $0.method = method
      $0.payload = Data(payload)
    }
    return Array(
      try TTRPCFrame(stream: stream, kind: .request, flags: flags, payload: request.serializedBytes()).encoded()
        .readableBytesView)
  }

  /// The code of a response; `nil` for another kind of frame.
  var code: TTRPCError.Code? {
    guard kind == .response, let response = try? TTRPCWireResponse(serializedBytes: payload) else { return nil }
    return .init(rawValue: response.status.code)
  }

  var answer: [UInt8]? {
    guard kind == .response else { return nil }
    return (try? TTRPCWireResponse(serializedBytes: payload)).map { [UInt8]($0.payload) }
  }
}
