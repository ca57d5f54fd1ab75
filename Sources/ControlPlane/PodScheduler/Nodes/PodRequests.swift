import JSONDocument
import KubernetesAPI

/// What a pod takes of its node.
struct PodRequests: Sendable, Hashable {
  /// In thousandths of units, by resource.
  var amounts: [String: Int128] = [:]
  /// `TCP/80` for every host port.
  var hostPorts: Set<String> = []
  /// The uid of the controller, for spreading.
  var owner: String = ""

  init(amounts: [String: Int128] = [:], hostPorts: Set<String> = [], owner: String = "") {
    self.amounts = amounts
    self.hostPorts = hostPorts
    self.owner = owner
  }

  /// The sum of the containers and sidecars, or what an init container needs while it runs if that is more, and the
  /// overhead (Kubernetes documentation, "Resource sharing within containers").
  init(_ pod: KubernetesObject) {
    var running: [String: Int128] = [:]
    for container in pod.spec["containers"].elements { Self.add(Self.requests(of: container), to: &running) }
    var sidecars: [String: Int128] = [:]
    var starting: [String: Int128] = [:]
    for container in pod.spec["initContainers"].elements {
      let requests = Self.requests(of: container)
      if container["restartPolicy"].string == "Always" {
        Self.add(requests, to: &sidecars)
        starting.merge(sidecars, uniquingKeysWith: max)
      } else {
        var together = sidecars
        Self.add(requests, to: &together)
        starting.merge(together, uniquingKeysWith: max)
      }
    }
    Self.add(sidecars, to: &running)
    amounts = running.merging(starting, uniquingKeysWith: max)
    for (name, value) in pod.spec["overhead"].members { amounts[name, default: 0] += Self.amount(value) }
    for container in pod.spec["containers"].elements + pod.spec["initContainers"].elements {
      for port in container["ports"].elements {
        let host = port["hostPort"].int ?? (pod.spec["hostNetwork"].bool == true ? port["containerPort"].int : nil)
        if let host, host > 0 { hostPorts.insert("\(port["protocol"].string ?? "TCP")/\(host)") }
      }
    }
    owner = pod.controller?.uid ?? ""
  }

  /// Requests; where there is none, the limit stands for it.
  private static func requests(of container: JSONValue) -> [String: Int128] {
    let resources = container["resources"]
    return resources["limits"].members.merging(resources["requests"].members) { _, request in request }
      .mapValues(amount)
  }

  private static func add(_ amounts: [String: Int128], to sum: inout [String: Int128]) {
    sum.merge(amounts, uniquingKeysWith: +)
  }

  static func amount(_ value: JSONValue) -> Int128 {
    if let text = value.string { return Quantity(text)?.milli ?? 0 }
    return Int128(value.int ?? 0) * 1000
  }
}
