public import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// Transports to gRPC servers on unix sockets of this machine.
public enum LocalTransport {
  /// Connects again by itself, soon.
  /// - Parameters:
  ///   - socket: the path.
  ///   - idempotent: methods that are called again when the connection broke before an answer (`UNAVAILABLE`).
  public static func client(socket: String, idempotent: [MethodDescriptor] = []) throws -> WaitingTransport {
    let transport: HTTP2ClientTransport.Posix = try .http2NIOPosix(
      target: .unixDomainSocket(path: socket, authority: "localhost"), transportSecurity: .plaintext,
      config: .defaults {
        $0.backoff.initial = .milliseconds(50)
        $0.backoff.max = .seconds(2)
        // Collecting writes for 100 µs pays for throughput; calls to a local socket want an early answer.
        $0.connection.flushCoalescing = nil
        $0.channelDebuggingCallbacks.onCreateTCPConnection = PingAnswerer.install
      }, serviceConfig: retrying(idempotent))
    return WaitingTransport(transport)
  }

  static func retrying(_ methods: [MethodDescriptor]) -> ServiceConfig {
    guard !methods.isEmpty else { return ServiceConfig() }
    let names = methods.map {
      MethodConfig.Name(service: $0.service.fullyQualifiedService, method: $0.method)
    }
    let policy = RetryPolicy(
      maxAttempts: 5, initialBackoff: .milliseconds(20), maxBackoff: .seconds(1), backoffMultiplier: 3,
      retryableStatusCodes: [.unavailable])
    return ServiceConfig(methodConfig: [MethodConfig(names: names, executionPolicy: .retry(policy))])
  }
}
