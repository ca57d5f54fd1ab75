import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Every controller of the control plane but that of token Secrets (`ServiceAccountTokenController`, which runs where the
/// keys are), on one watch per kind.
public struct BuiltInControllers: Service {
  /// For others in the process that want the same caches; they are run here.
  public let informers: SharedInformers
  private let services: [any Service]

  /// - Parameters:
  ///   - trust: the API server's roots, for `kube-root-ca.crt`.
  ///   - namespacedResources: what a namespace may hold; `nil`: what the server says.
  ///   - nodeGracePeriod: silence after which a node is taken for lost.
  public init(
    client: KubernetesClient, logger: Logger, trust: TrustBundle = TrustBundle(),
    namespacedResources: [Resource]? = nil,
    nodeGracePeriod: Duration = .seconds(40)
  ) {
    let informers = SharedInformers(client, logger: logger)
    let deploymentEvents = EventRecorder(client, component: "deployment-controller", logger: logger)
    let replicaSetEvents = EventRecorder(client, component: "replicaset-controller", logger: logger)
    let volumeEvents = EventRecorder(client, component: "ephemeral-volume-controller", logger: logger)
    self.informers = informers
    let controllers: [any Service] = [
      deploymentEvents, replicaSetEvents, volumeEvents,
      DeploymentController(client, informers: informers, events: deploymentEvents, logger: logger),
      ReplicaSetController(client, informers: informers, events: replicaSetEvents, logger: logger),
      NamespaceController(client, informers: informers, resources: namespacedResources, logger: logger),
      EndpointSliceController(client, informers: informers, logger: logger),
      ServiceAccountController(client, informers: informers, trust: trust, logger: logger),
      PodGarbageController(client, informers: informers, logger: logger),
      EphemeralVolumeController(client, informers: informers, events: volumeEvents, logger: logger),
      NodeLifecycleController(client, informers: informers, gracePeriod: nodeGracePeriod, logger: logger),
      EventExpiry(client, logger: logger),
    ]
    services = controllers + informers.all
  }

  public func run() async throws { try await ServiceSet(services).run() }
}
