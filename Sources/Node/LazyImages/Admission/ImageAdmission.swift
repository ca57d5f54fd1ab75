import GRPCCore
import GRPCSockets
import LayerStore
import Logging
import OCI
import ServiceLifecycle

/// Compares what an image says of its layers with what lies under their chain IDs, before it is run.
///
/// containerd finds layers by chain IDs, which are an image's word: within one of its namespaces an image gets what another
/// image brought, without anybody being asked. So layers for whose chain ID this image names other blobs are proven first.
struct ImageAdmission: Service {
  private let connection: GRPCClient<WaitingTransport>
  private let images: ContainerdImages<WaitingTransport>
  private let snapshots: SnapshotServer

  /// - Parameter containerdSocket: the socket on which containerd serves its own API and CRI.
  init(containerdSocket: String, snapshots: SnapshotServer) throws {
    connection = GRPCClient(transport: try LocalTransport.client(socket: containerdSocket))
    images = ContainerdImages(connection, namespace: Self.namespace)
    self.snapshots = snapshots
  }

  /// Where CRI keeps its images.
  private static let namespace = "k8s.io"

  func run() async throws {
    try await withTaskCancellationOrGracefulShutdownHandler {
      try await connection.runConnections()
    } onCancelOrGracefulShutdown: {
      connection.beginGracefulShutdown()
    }
  }

  /// - Parameters:
  ///   - reference: the image as a pod names it.
  ///   - id: the digest of its configuration, by which CRI knows it, too.
  /// - Throws: why nothing may be made of the image: a proof failed, or containerd does not answer.
  func admit(_ reference: String, id: String) async throws {
    let name = (try? ImageReference(reference))?.description ?? reference
    let claims = try await CallRegister.waiting(.transfer, "what containerd has of image \(name)") {
      try await images.claims(of: [name, reference, id].filter { !$0.isEmpty })
    }
    try await snapshots.contest(claims)
  }
}
