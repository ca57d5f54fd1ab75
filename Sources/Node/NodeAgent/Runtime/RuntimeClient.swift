public import CRI
public import GRPCCore
public import GRPCNIOTransportHTTP2Posix
import GRPCSockets

/// A connection to a container runtime's CRI socket. It reconnects by itself; calls wait for the connection.
public struct RuntimeClient: Sendable {
  public typealias Transport = HTTP2ClientTransport.Posix

  private let connection: GRPCClient<Transport>
  /// Pods' sandboxes and containers.
  public let runtime: Runtime_V1_RuntimeService.Client<Transport>
  /// Images.
  public let images: Runtime_V1_ImageService.Client<Transport>

  public init(socket: String) throws {
    connection = GRPCClient(transport: try LocalTransport.client(socket: socket, idempotent: Self.idempotent))
    runtime = Runtime_V1_RuntimeService.Client(wrapping: connection)
    images = Runtime_V1_ImageService.Client(wrapping: connection)
  }

  private typealias RuntimeMethod = Runtime_V1_RuntimeService.Method
  private typealias ImageMethod = Runtime_V1_ImageService.Method

  /// What may be asked twice when the connection broke before the answer. Sandboxes and containers are made and
  /// started once: whoever does looks at what is there before trying again.
  private static let idempotent: [MethodDescriptor] = [
    RuntimeMethod.Version.descriptor, RuntimeMethod.Status.descriptor, RuntimeMethod.ListPodSandbox.descriptor,
    RuntimeMethod.PodSandboxStatus.descriptor, RuntimeMethod.StopPodSandbox.descriptor,
    RuntimeMethod.RemovePodSandbox.descriptor, RuntimeMethod.ListContainers.descriptor,
    RuntimeMethod.ContainerStatus.descriptor, RuntimeMethod.StopContainer.descriptor,
    RuntimeMethod.RemoveContainer.descriptor, RuntimeMethod.ReopenContainerLog.descriptor,
    ImageMethod.ListImages.descriptor, ImageMethod.ImageStatus.descriptor, ImageMethod.PullImage.descriptor,
  ]

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
