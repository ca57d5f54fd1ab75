import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// `Health.Check` of grpc.health.v1, the question that gRPC servers answer about themselves (gRPC health checking
/// protocol). Two messages of one field each: written and read here, without generated code.
enum GRPCHealth {
  static let check = MethodDescriptor(fullyQualifiedService: "grpc.health.v1.Health", method: "Check")

  /// `HealthCheckResponse.ServingStatus`
  enum Status: UInt8, Sendable {
    case unknown = 0
    case serving = 1
    case notServing = 2
    case serviceUnknown = 3
  }

  /// Asks a server in the clear about one of its services; an empty name asks about the whole server.
  static func ask(host: String, port: Int, service: String, timeout: Duration) async throws -> Status {
    let transport = try HTTP2ClientTransport.Posix(
      target: host.contains(":") ? .ipv6(address: host, port: port) : .ipv4(address: host, port: port),
      transportSecurity: .plaintext)
    return try await withGRPCClient(transport: transport) { client in
      var options = CallOptions.defaults
      options.timeout = min(timeout, .seconds(30 * 86_400))
      return try await client.unary(
        request: ClientRequest(message: service), descriptor: check, serializer: RequestCoding(),
        deserializer: ResponseCoding(), options: options
      ) { try $0.message }
    }
  }

  /// `HealthCheckRequest { string service = 1; }`
  struct RequestCoding: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ service: String) -> Bytes {
      let text = Array(service.utf8.prefix(127))
      return Bytes(text.isEmpty ? [] : [0x0A, UInt8(text.count)] + text)
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) -> String {
      bytes.withUnsafeBytes { String(decoding: $0.dropFirst(2), as: UTF8.self) }
    }
  }

  /// `HealthCheckResponse { ServingStatus status = 1; }`; a status of zero is left out on the wire.
  struct ResponseCoding: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ status: Status) -> Bytes {
      Bytes(status == .unknown ? [] : [0x08, status.rawValue])
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) -> Status {
      bytes.withUnsafeBytes { bytes in
        guard bytes.count >= 2, bytes[0] == 0x08 else { return .unknown }
        return Status(rawValue: bytes[1]) ?? .unknown
      }
    }
  }
}
