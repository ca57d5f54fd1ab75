import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// A real etcd of one member, with fsync, and what is needed of its API (`etcdserverpb.KV/Txn`) over gRPC.
struct EtcdPeer: Sendable {
  private let client: GRPCClient<HTTP2ClientTransport.Posix>

  /// etcd of the engines' directory (`NAGAYA_ENGINES`), else of `PATH`; `nil` if there is none.
  static func find() -> String? {
    let environment = ProcessInfo.processInfo.environment
    let engines = environment["NAGAYA_ENGINES"].map { ["\($0)/bin", $0] } ?? []
    let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    return (engines + path).map { "\($0)/etcd" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  enum Failure: Error {
    case notReady(log: String)
  }

  /// Runs `body` beside an etcd that keeps its data in `directory`, and ends it.
  static func with<Result: Sendable>(
    _ program: String, directory: String, _ body: @Sendable (EtcdPeer) async throws -> Result
  ) async throws -> Result {
    let port = Int.random(in: 27_000..<32_000)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let log = "\(directory)/log"
    try Data().write(to: URL(fileURLWithPath: log))
    process.standardOutput = FileHandle(forWritingAtPath: log)
    process.standardError = FileHandle(forWritingAtPath: log)
    process.arguments = [
      "--name", "peer", "--data-dir", "\(directory)/data", "--listen-client-urls", "http://127.0.0.1:\(port)",
      "--advertise-client-urls", "http://127.0.0.1:\(port)", "--listen-peer-urls", "http://127.0.0.1:\(port + 1)",
      "--initial-advertise-peer-urls", "http://127.0.0.1:\(port + 1)",
      "--initial-cluster", "peer=http://127.0.0.1:\(port + 1)", "--quota-backend-bytes", "8589934592",
      "--log-level", "warn",
    ]
    try process.run()
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    let transport = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext,
      // Calls go out at once; the default gathers them for up to 100 µs.
      config: .defaults { $0.connection.flushCoalescing = nil })
    return try await withGRPCClient(transport: transport) { client in
      let etcd = EtcdPeer(client: client)
      guard await etcd.becomesReady() else {
        throw Failure.notReady(log: (try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
      }
      return try await body(etcd)
    }
  }

  /// Polls until a write succeeds; not longer than half a minute.
  private func becomesReady() async -> Bool {
    for _ in 0..<600 {
      if let isMade = try? await create(Array("/ready".utf8), [UInt8(ascii: "1")]), isMade { return true }
      try? await Task.sleep(for: .milliseconds(50))
    }
    return false
  }

  /// Puts a key that must not exist yet, as kube-apiserver does: a transaction on `mod_revision = 0`.
  /// - Returns: whether it was put; also `true` if the connection was lost on the way and the key is there.
  func create(_ key: [UInt8], _ value: [UInt8]) async throws -> Bool {
    var put = ProtobufFields()
    put.bytes(1, key)
    put.bytes(2, value)
    var operation = ProtobufFields()
    operation.bytes(2, put.encoded)  // RequestOp.request_put
    var compare = ProtobufFields()
    compare.number(2, 2)  // target MOD; result EQUAL is 0
    compare.bytes(3, key)
    compare.number(6, 0)  // mod_revision
    var transaction = ProtobufFields()
    transaction.bytes(1, compare.encoded)
    transaction.bytes(2, operation.encoded)
    return try await send(transaction.encoded)
  }

  /// Sends again if the connection was lost; what was sent before may have been taken then.
  private func send(_ transaction: [UInt8], tries: Int = 100) async throws -> Bool {
    do {
      let answer = try await client.unary(
        request: ClientRequest(message: transaction),
        descriptor: MethodDescriptor(fullyQualifiedService: "etcdserverpb.KV", method: "Txn"),
        serializer: Raw(), deserializer: Raw(), options: .defaults
      ) { try $0.message }
      return Self.succeeded(answer) || tries < 100
    } catch {
      guard tries > 0, (error as? RPCError)?.code == .unavailable else { throw error }
    }
    try await Task.sleep(for: .milliseconds(20))
    return try await send(transaction, tries: tries - 1)
  }

  /// `TxnResponse.succeeded` (field 2, a bool) behind the header (field 1, a message).
  private static func succeeded(_ answer: [UInt8]) -> Bool {
    var position = 0
    while position < answer.count {
      switch answer[position] {
      case 0x10: return position + 1 < answer.count && answer[position + 1] == 1
      case 0x0A where position + 1 < answer.count: position += 2 + Int(answer[position + 1])
      default: return false
      }
    }
    return false
  }

  /// Messages are bytes already.
  private struct Raw: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
      bytes.withUnsafeBytes { Array($0) }
    }
  }
}

/// Writes fields of a protobuf message (protobuf.dev, "Encoding").
private struct ProtobufFields {
  private(set) var encoded: [UInt8] = []

  mutating func number(_ field: UInt64, _ value: UInt64) {
    varint(field << 3)
    varint(value)
  }

  mutating func bytes(_ field: UInt64, _ value: [UInt8]) {
    varint(field << 3 | 2)
    varint(UInt64(value.count))
    encoded += value
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 0x7F {
      encoded.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    encoded.append(UInt8(rest))
  }
}
