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

  init(_ pod: KubernetesObject) {
    amounts = PodResources.total(.requests, of: pod.spec)
    for container in pod.spec["containers"].elements + pod.spec["initContainers"].elements {
      for port in container["ports"].elements {
        let host = port["hostPort"].int ?? (pod.spec["hostNetwork"].bool == true ? port["containerPort"].int : nil)
        if let host, host > 0 { hostPorts.insert("\(port["protocol"].string ?? "TCP")/\(host)") }
      }
    }
    owner = pod.controller?.uid ?? ""
  }

  static func amount(_ value: JSONValue) -> Int128 { PodResources.milli(value) ?? 0 }
}
