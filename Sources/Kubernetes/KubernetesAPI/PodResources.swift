public import JSONDocument

/// What all containers of a pod take together, in thousandths of units by resource: the one sum that quotas, limit ranges, the
/// scheduler and the node agent count with.
///
/// Source: Kubernetes documentation, "Sidecar containers, resource sharing within containers"; `component-helpers`,
/// `resource.PodRequests` and `PodLimits`.
public enum PodResources {
  /// A member of `ResourceRequirements`.
  public enum Section: String, Sendable, CaseIterable { case requests, limits }

  /// The sum of the containers and sidecars, or what an init container needs while it runs beside the sidecars before it if
  /// that is more; what the pod says for itself if that is more still; and the overhead.
  /// - Parameter spec: a pod's.
  public static func total(_ section: Section, of spec: JSONValue) -> [String: Int128] {
    var running: [String: Int128] = [:]
    for container in spec["containers"].elements { add(amounts(section, of: container), to: &running) }
    var sidecars: [String: Int128] = [:]
    var starting: [String: Int128] = [:]
    for container in spec["initContainers"].elements {
      let own = amounts(section, of: container)
      if isSidecar(container) {
        add(own, to: &sidecars)
        starting.merge(sidecars, uniquingKeysWith: max)
      } else {
        var together = sidecars
        add(own, to: &together)
        starting.merge(together, uniquingKeysWith: max)
      }
    }
    add(sidecars, to: &running)
    var total = running.merging(starting, uniquingKeysWith: max)
    // Saying less for the pod than for its containers takes nothing off them.
    total.merge(ownAmounts(section, of: spec, beside: total), uniquingKeysWith: max)
    for (name, value) in spec["overhead"].members {
      // A limit that nobody set stays unset.
      guard section == .requests || (total[name] ?? 0) > 0 else { continue }
      total[name] = (total[name] ?? 0) + max(0, milli(value) ?? 0)
    }
    return total
  }

  /// What a container asks for or may use; a request that is not there is the limit's.
  public static func amounts(_ section: Section, of container: JSONValue) -> [String: Int128] {
    let resources = container["resources"]
    var amounts = resources[section.rawValue].members
    if section == .requests { amounts.merge(resources["limits"].members) { request, _ in request } }
    return amounts.compactMapValues { milli($0).map { max(0, $0) } }
  }

  /// An init container that goes on beside the others (core/v1 `Container.restartPolicy`).
  public static func isSidecar(_ container: JSONValue) -> Bool { container["restartPolicy"].string == "Always" }

  /// A quantity in thousandths; `nil` if it is none.
  public static func milli(_ value: JSONValue) -> Int128? {
    if let text = value.string { return Quantity(text)?.milli }
    return value.int.map { Int128($0) * 1000 }
  }

  /// core/v1 `PodSpec.resources` bounds the containers together, for cpu, memory and huge pages.
  private static func ownAmounts(
    _ section: Section, of spec: JSONValue, beside sum: [String: Int128]
  ) -> [String: Int128] {
    let own = spec["resources"]
    guard !own.isNull else { return [:] }
    var amounts = own[section.rawValue].members.compactMapValues(milli)
    if section == .requests {
      for (name, limit) in own["limits"].members where amounts[name] == nil && sum[name] == nil {
        amounts[name] = milli(limit)
      }
    }
    return amounts.filter { ["cpu", "memory"].contains($0.key) || $0.key.hasPrefix("hugepages-") }
  }

  private static func add(_ amounts: [String: Int128], to sum: inout [String: Int128]) {
    sum.merge(amounts, uniquingKeysWith: +)
  }
}
