import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Removes pods that nobody will ever finish: those of nodes that are gone, those deleted before they got a node, and
/// the oldest ended ones if there are too many.
public struct PodGarbageController: Service {
  /// Ended pods that one owner may keep, so that their logs and reasons can be read.
  static let endedPodsPerOwner = 10

  private let controller: Controller<ObjectKey>

  public init(_ client: KubernetesClient, informers: SharedInformers, logger: Logger) {
    controller = Controller(
      name: "pod-garbage", workers: 1, of: informers.pods, waitingFor: [informers.nodes], logger: logger
    ) { key in
      guard let pod = informers.pods.cache.get(key) else { return .done }
      let siblings = pod.isTerminatedPod ? Self.siblings(of: pod, in: informers.pods.cache) : []
      switch Self.verdict(
        on: pod, siblings: siblings, nodeExists: { informers.nodes.cache.contains(ObjectKey(name: $0)) })
      {
      case .keep: return .done
      case .checkNode(let node):
        // The cache of nodes may be behind that of pods: the server itself must say that the node is gone.
        if try await client.getIfPresent(.nodes, name: node) != nil { return .done }
      case .remove: break
      }
      do {
        try await client.delete(.pods, namespace: key.namespace, name: key.name, uid: pod.uid, gracePeriodSeconds: 0)
      } catch let status as APIStatus where status.isNotFound || status.isConflict { return .done }
      return .done
    }
    let queue = controller.queue
    informers.nodes.onEvent { event in
      guard case .deleted(let node) = event else { return }
      for key in informers.pods.cache.keys(by: .nodeName, node.name) { queue.add(key) }
    }
  }

  public func run() async throws { try await controller.run() }

  enum Verdict: Equatable {
    case keep
    case remove
    /// To be removed if this node is really gone.
    case checkNode(String)
  }

  static func verdict(
    on pod: KubernetesObject, siblings: [KubernetesObject], nodeExists: (String) -> Bool
  ) -> Verdict {
    let node = pod.spec["nodeName"].string ?? ""
    if node.isEmpty { return pod.isBeingDeleted ? .remove : .keep }
    if !nodeExists(node) { return .checkNode(node) }
    guard pod.isTerminatedPod else { return .keep }
    let newer = siblings.count {
      ($0.creationTimestamp?.microseconds ?? 0, $0.name) > (pod.creationTimestamp?.microseconds ?? 0, pod.name)
    }
    return newer >= endedPodsPerOwner ? .remove : .keep
  }

  private static func siblings(of pod: KubernetesObject, in cache: ObjectCache) -> [KubernetesObject] {
    guard let owner = pod.controller else { return [] }
    return cache.list(by: .ownerUID, owner.uid).filter(\.isTerminatedPod)
  }
}
