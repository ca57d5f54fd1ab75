import GRPCCore
import GRPCSockets
import LayerStore
import Logging
import RegistryClient
import ServiceLifecycle

/// Stands between whoever pulls images (the kubelet's `--image-service-endpoint`) and containerd, to learn the credentials
/// of pulls (layers are read by them later, when containerd is done with the image) and to look at what they brought.
///
/// Source: kubernetes/cri-api, `runtime.v1.ImageService`; the idea is stargz-snapshotter's CRI keychain.
struct ImageServiceRelay: Service {
  /// Where to listen.
  let socket: String
  /// Where containerd's CRI does.
  let containerdSocket: String
  let credentials: RememberedCredentials
  /// Looks at what a pull brought, before whoever asked for it hears of it.
  let admission: ImageAdmission
  let calls: CallRegister
  let logger: Logger

  func run() async throws {
    let upstream = GRPCClient(transport: try LocalTransport.client(socket: containerdSocket))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await upstream.runConnections() }
      group.addTask {
        // Calls under way are answered before this returns, and need the connection for it.
        defer { upstream.beginGracefulShutdown() }
        try await LocalServer.serve(
          [RelayedImageService(upstream: upstream, credentials: credentials, calls: calls, admit: admission.admit)],
          socket: socket
        ) { logger.info("image service listens", metadata: ["socket": "\(socket)"]) }
      }
      // The first that fails ends the others.
      while try await group.next() != nil {}
    }
  }
}
