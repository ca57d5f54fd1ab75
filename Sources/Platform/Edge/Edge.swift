import CertificateAuthority
import KubernetesAPI
import KubernetesClient
import Locking
import Logging
import NIOCore
import NIOPosix
import ProcessMetrics
import ServiceLifecycle

/// The https entrance of the platform: `https://<app>.<environment>.<tenant>.<domain>` leads to the app's ready pods.
///
/// Routes follow the API (namespaces, Applications, EndpointSlices and pods) by watches. It listens once it knows them, so that nobody
/// is told that an app does not exist while the edge is starting.
public final class Edge: Service, Sendable {
  /// Counters per app (`traffic`) and the routes themselves.
  public let routes: RoutingTable
  private let configuration: EdgeConfiguration
  private let certificates: LeafCache
  private let namespaces: Informer
  private let applications: Informer
  private let endpointSlices: Informer
  private let pods: Informer
  private let logger: Logger
  private let bound = Mutex<SocketAddress?>(nil)
  private let listening = Latch()

  public init(
    _ configuration: EdgeConfiguration, client: KubernetesClient, certificates: LeafCache, logger: Logger
  ) {
    self.configuration = configuration
    self.certificates = certificates
    self.logger = logger
    let routes = RoutingTable()
    self.routes = routes
    namespaces = Informer(
      client, .namespaces, labels: LabelSelector([.exists(TenantEnvironment.tenantLabel)]), logger: logger)
    applications = Informer(client, .applications, logger: logger)
    endpointSlices = Informer(
      client, .endpointSlices, labels: LabelSelector([.exists(EdgeAccess.sliceLabel)]), logger: logger)
    pods = Informer(
      client, .pods, labels: LabelSelector([.exists(EdgeAccess.podLabel)]), transform: PodAddresses.trimmed,
      logger: logger)
    pods.onEvent { routes.apply(pod: $0) }
    namespaces.onEvent { routes.apply(namespace: $0) }
    applications.onEvent { routes.apply(application: $0) }
    endpointSlices.onEvent { routes.apply(endpointSlice: $0) }
    MetricsRegistry.process.add(routes)
  }

  /// The address, once the edge listens.
  public func waitUntilListening() async throws -> SocketAddress? {
    try await listening.wait()
    return bound.withLock { $0 }
  }

  /// Serves until cancelled or asked to shut down; then requests under way may end.
  public func run() async throws {
    let server = try await EdgeServer(configuration, routes: routes, certificates: certificates, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.namespaces.run() }
      group.addTask { try await self.applications.run() }
      group.addTask { try await self.endpointSlices.run() }
      group.addTask { try await self.pods.run() }
      // A shutdown may come before the first list; the informers then end, and waiting for them must, too.
      let isReady = await cancelWhenGracefulShutdown {
        do {
          try await self.namespaces.waitUntilSynced()
          try await self.applications.waitUntilSynced()
          try await self.endpointSlices.waitUntilSynced()
          try await self.pods.waitUntilSynced()
          return true
        } catch { return false }
      }
      if isReady {
        let address = try await server.start()
        bound.withLock { $0 = address }
        listening.open()
        try? await gracefulShutdown()
        await server.stop()
      }
      group.cancelAll()
    }
  }
}
