public import CRI
public import GRPCCore
public import GRPCNIOTransportHTTP2Posix
import NIOPosix

/// A connection to a container runtime's CRI socket. It reconnects by itself; calls wait for the connection.
public struct RuntimeClient: Sendable {
  public typealias Transport = HTTP2ClientTransport.Posix

  private let connection: GRPCClient<Transport>
  /// Pods' sandboxes and containers.
  public let runtime: Runtime_V1_RuntimeService.Client<Transport>
  /// Images.
  public let images: Runtime_V1_ImageService.Client<Transport>

  public init(socket: String) throws {
    connection = GRPCClient(transport: try Self.transport(socket: socket))
    runtime = Runtime_V1_RuntimeService.Client(wrapping: connection)
    images = Runtime_V1_ImageService.Client(wrapping: connection)
  }

  static func transport(socket: String) throws -> Transport {
    try .http2NIOPosix(
      target: .unixDomainSocket(path: socket, authority: "localhost"), transportSecurity: .plaintext,
      config: .defaults {
        $0.backoff.initial = .milliseconds(50)
        $0.backoff.max = .seconds(2)
        // Collecting writes for 100 µs pays for throughput; calls to a local socket want an early answer.
        $0.connection.flushCoalescing = nil
      })
  }

  /// Keeps the connection until cancelled. Calls need it to run.
  public func run() async throws { try await connection.runConnections() }

  /// Ends the connection once the calls under way are answered.
  public func close() { connection.beginGracefulShutdown() }

  /// Options for a call that should be answered within a time; without a connection it fails in that time too.
  public static func within(_ limit: Duration) -> CallOptions {
    var options = CallOptions.defaults
    options.timeout = limit
    options.waitForReady = true
    return options
  }
}
