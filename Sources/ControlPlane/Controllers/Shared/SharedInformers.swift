import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// One watch per kind for all controllers together.
public struct SharedInformers: Sendable {
  public let namespaces: Informer
  public let nodes: Informer
  public let nodeLeases: Informer
  /// Indexed by owner, node, labels, and by the claims that they name.
  public let pods: Informer
  public let claims: Informer
  public let services: Informer
  public let endpointSlices: Informer
  public let serviceAccounts: Informer
  public let deployments: Informer
  /// Indexed by owner.
  public let replicaSets: Informer

  public init(_ client: KubernetesClient, logger: Logger) {
    func informer(_ resource: Resource, indexes: [CacheIndex] = []) -> Informer {
      Informer(client, resource, indexes: indexes, logger: logger)
    }
    namespaces = informer(.namespaces)
    nodes = informer(.nodes)
    nodeLeases = Informer(client, .leases, namespace: NodeLifecycleController.leaseNamespace, logger: logger)
    pods = informer(.pods, indexes: [.ownerUID, .nodeName, SelectorIndexes.labels, .claims])
    claims = informer(.persistentVolumeClaims)
    services = informer(.services, indexes: [SelectorIndexes.selector])
    endpointSlices = informer(.endpointSlices, indexes: [EndpointSlicePlan.byService])
    serviceAccounts = informer(.serviceAccounts)
    deployments = informer(.deployments)
    replicaSets = informer(.replicaSets, indexes: [.ownerUID])
  }

  /// All of them, to be run.
  public var all: [Informer] {
    [
      namespaces, nodes, nodeLeases, pods, claims, services, endpointSlices, serviceAccounts, deployments,
      replicaSets,
    ]
  }
}
