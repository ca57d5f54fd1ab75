import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Brings `status.used` of ResourceQuotas in step with what there is.
///
/// Admission raises it with every write; this lowers it after deletions and mends it after faults.
public struct ResourceQuotaController: Service {
  private let controller: Controller<ObjectKey>

  /// - Parameters:
  ///   - delay: how long changes are gathered before a namespace is counted.
  ///   - resync: how often a quota is counted without any event.
  public init(
    _ client: KubernetesClient, informers: SharedInformers, delay: Duration = .seconds(1),
    resync: Duration = .seconds(300), logger: Logger
  ) {
    let sources = [informers.pods, informers.persistentVolumeClaims, informers.services]
    controller = Controller(
      name: "resourcequota", workers: 1, of: informers.resourceQuotas, waitingFor: sources, logger: logger
    ) { key in
      guard let quota = informers.resourceQuotas.cache.get(key), !quota.isBeingDeleted else { return .done }
      var used = QuotaUsage.of(
        pods: informers.pods.cache.list(namespace: key.namespace),
        claims: informers.persistentVolumeClaims.cache.list(namespace: key.namespace),
        services: informers.services.cache.list(namespace: key.namespace))
      for name in quota.spec["hard"].members.keys {
        guard let resource = QuotaUsage.counted[name] else { continue }
        used[name] = Int128(try await client.list(resource, namespace: key.namespace).items.count) * 1000
      }
      let changed = Self.withStatus(quota, used: used)
      try await client.applyStatus(changed, as: .resourceQuotas, existing: quota)
      return .requeueAfter(resync)
    }
    let queue = controller.queue
    for source in sources {
      source.onEvent { event in
        if case .updated(let old, let new) = event, Self.weighsTheSame(old, new) { return }
        for key in informers.resourceQuotas.cache.keys(namespace: event.object.namespace) {
          queue.add(key, after: delay)
        }
      }
    }
  }

  public func run() async throws { try await controller.run() }

  /// The quota with this use in its status; amounts that only are written differently stay as they are.
  static func withStatus(_ quota: KubernetesObject, used: [String: Int128]) -> KubernetesObject {
    var changed = quota
    var amounts: [String: JSONValue] = [:]
    for name in quota.spec["hard"].members.keys {
      let before = quota.status["used"][name]
      let now = used[name] ?? 0
      amounts[name] =
        !before.isNull && QuotaUsage.quantity(before) == now ? before : .string(QuotaUsage.text(now, of: name))
    }
    changed.status["hard"] = quota.spec["hard"].isNull ? [:] : quota.spec["hard"]
    changed.status["used"] = .object(amounts)
    return changed
  }

  /// Most changes of a pod are of its status, and most of these do not matter here.
  private static func weighsTheSame(_ old: KubernetesObject, _ new: KubernetesObject) -> Bool {
    old.spec == new.spec && old.isTerminatedPod == new.isTerminatedPod
  }
}
