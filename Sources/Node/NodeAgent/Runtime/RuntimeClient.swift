public import CRI
import ContainerdAPI
public import GRPCCore
public import GRPCSockets

/// Connections to a container runtime's CRI sockets. They reconnect by themselves; calls wait for them.
public struct RuntimeClient: Sendable {
  public typealias Transport = WaitingTransport

  private let connections: [GRPCClient<Transport>]
  /// Pods' sandboxes and containers.
  public let runtime: Runtime_V1_RuntimeService.Client<Transport>
  /// Images.
  public let images: Runtime_V1_ImageService.Client<Transport>
  /// containerd's snapshots, behind the socket of its CRI; other runtimes have none.
  let snapshots: Containerd_Services_Snapshots_V1_Snapshots.Client<Transport>

  /// - Parameter imageSocket: where the image service is, if somewhere else.
  public init(socket: String, imageSocket: String? = nil) throws {
    connections = try ([socket] + (imageSocket.map { [$0] } ?? [])).map {
      GRPCClient(transport: try LocalTransport.client(socket: $0, idempotent: Self.idempotent))
    }
    runtime = Runtime_V1_RuntimeService.Client(wrapping: connections[0])
    images = Runtime_V1_ImageService.Client(wrapping: connections[connections.count - 1])
    snapshots = Containerd_Services_Snapshots_V1_Snapshots.Client(wrapping: connections[0])
  }

  private typealias RuntimeMethod = Runtime_V1_RuntimeService.Method
  private typealias ImageMethod = Runtime_V1_ImageService.Method
  private typealias SnapshotMethod = Containerd_Services_Snapshots_V1_Snapshots.Method

  /// What may be asked twice when the connection broke before the answer. Sandboxes and containers are made and
  /// started once: whoever does looks at what is there before trying again.
  private static let idempotent: [MethodDescriptor] = [
    RuntimeMethod.Version.descriptor, RuntimeMethod.Status.descriptor, RuntimeMethod.ListPodSandbox.descriptor,
    RuntimeMethod.PodSandboxStatus.descriptor, RuntimeMethod.StopPodSandbox.descriptor,
    RuntimeMethod.RemovePodSandbox.descriptor, RuntimeMethod.ListContainers.descriptor,
    RuntimeMethod.ContainerStatus.descriptor, RuntimeMethod.StopContainer.descriptor,
    RuntimeMethod.RemoveContainer.descriptor, RuntimeMethod.ReopenContainerLog.descriptor,
    ImageMethod.ListImages.descriptor, ImageMethod.ImageStatus.descriptor, ImageMethod.PullImage.descriptor,
    SnapshotMethod.Stat.descriptor, SnapshotMethod.Mounts.descriptor,
  ]

  /// Keeps the connections until cancelled. Calls need it to run.
  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for connection in connections { group.addTask { try await connection.runConnections() } }
      // The first that fails ends the others.
      while try await group.next() != nil {}
    }
  }

  /// Ends the connections once the calls under way are answered.
  public func close() {
    for connection in connections { connection.beginGracefulShutdown() }
  }

  /// Options for a call that should be answered within a time; without a connection it fails in that time too.
  public static func within(_ limit: Duration) -> CallOptions {
    var options = CallOptions.defaults
    // What a deadline on the wire can hold and the runtime's clock can add.
    options.timeout = min(limit, .seconds(30 * 86_400))
    options.waitForReady = true
    return options
  }
}
