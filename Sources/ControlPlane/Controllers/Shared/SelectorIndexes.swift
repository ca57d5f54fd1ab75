import KubernetesAPI
import KubernetesClient

/// Finds pods by a selector, and selectors by a pod, without a look at all that the namespace has.
enum SelectorIndexes {
  /// Changes with every revision of an app: as many values as replica sets, and no selector of people asks for it alone.
  private static let passing = "pod-template-hash"

  /// Objects by each of their labels.
  static let labels = CacheIndex("labels") { object in
    object.labels.filter { $0.key != passing }.map { value(object.namespace, $0.key, $0.value) }
  }

  /// Services by one label that they select; those that select by nothing else than the passing one by `fallback`.
  static let selector = CacheIndex("selector") { service in
    let selector = service.spec["selector"].strings
    guard !selector.isEmpty else { return [] }
    let first = selector.filter { $0.key != passing }.min { $0.key < $1.key }
    return [first.map { value(service.namespace, $0.key, $0.value) } ?? fallback(service.namespace)]
  }

  /// Pods that may match: all that do are among them.
  static func pods(in namespace: String, selectedBy selector: [String: String], _ cache: ObjectCache)
    -> [KubernetesObject]
  {
    let choices = selector.filter { $0.key != passing }.map { value(namespace, $0.key, $0.value) }
    let best = choices.min { cache.keys(by: labels, $0).count < cache.keys(by: labels, $1).count }
    guard let best else { return selector.isEmpty ? [] : cache.list(namespace: namespace) }
    return cache.list(by: labels, best)
  }

  /// Keys of the services that select a pod.
  static func services(selecting pod: KubernetesObject, _ cache: ObjectCache) -> [ObjectKey] {
    guard !pod.labels.isEmpty else { return [] }
    let values = [fallback(pod.namespace)] + pod.labels.map { value(pod.namespace, $0.key, $0.value) }
    return values.flatMap { cache.list(by: selector, $0) }.filter { service in
      service.spec["selector"].strings.allSatisfy { pod.labels[$0.key] == $0.value }
    }.map(\.key)
  }

  private static func value(_ namespace: String, _ key: String, _ value: String) -> String {
    "\(namespace)/\(key)=\(value)"
  }
  private static func fallback(_ namespace: String) -> String { "\(namespace)/" }
}
