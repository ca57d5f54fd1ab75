import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The EndpointSlice that a Service and its pods give (discovery.k8s.io/v1).
enum EndpointSlicePlan {
  static let managedBy = "nagaya-endpointslice-controller"

  /// The name of a Service's only slice.
  static func name(of service: String) -> String {
    "\(service)-\(StableHash.text(StableHash.value(service.utf8), length: 5))"
  }

  /// The slice; `nil` if the Service has none of ours (no selector, or an external name).
  static func slice(of service: KubernetesObject, pods: [KubernetesObject]) -> KubernetesObject? {
    let selector = service.spec["selector"].strings
    guard !selector.isEmpty, service.spec["type"].string != "ExternalName", !service.isBeingDeleted else { return nil }
    let includesUnready = service.spec["publishNotReadyAddresses"].bool ?? false
    let backends = pods.filter { pod in
      !pod.isTerminatedPod && pod.status["podIP"].string?.isEmpty == false
        && selector.allSatisfy { pod.labels[$0.key] == $0.value }
    }.sorted { $0.name < $1.name }

    var slice = KubernetesObject(
      .endpointSlices, namespace: service.namespace, name: name(of: service.name),
      labels: [
        "kubernetes.io/service-name": service.name, "endpointslice.kubernetes.io/managed-by": managedBy,
      ])
    slice.ownerReferences = [OwnerReference(to: service)]
    slice["addressType"] = "IPv4"
    slice["endpoints"] = .array(backends.map { endpoint($0, includesUnready: includesUnready) })
    slice["ports"] = .array(service.spec["ports"].elements.compactMap { port($0, pods: backends) })
    return slice
  }

  private static func endpoint(_ pod: KubernetesObject, includesUnready: Bool) -> JSONValue {
    let isServing = pod.isReadyPod
    return [
      "addresses": [pod.status["podIP"]],
      "conditions": [
        "ready": .bool(includesUnready || (isServing && !pod.isBeingDeleted)),
        "serving": .bool(isServing), "terminating": .bool(pod.isBeingDeleted),
      ],
      "nodeName": pod.spec["nodeName"],
      "targetRef": [
        "kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name), "uid": .string(pod.uid),
      ],
    ]
  }

  /// The port of the pods: `targetPort` as a number, as a name of a container's port, or the Service's own number.
  private static func port(_ port: JSONValue, pods: [KubernetesObject]) -> JSONValue? {
    let number: Int?
    if let name = port["targetPort"].string {
      number = pods.lazy.compactMap { containerPort(name, of: $0) }.first
    } else {
      number = port["targetPort"].int ?? port["port"].int
    }
    guard let number else { return nil }
    return [
      "name": .string(port["name"].string ?? ""), "port": JSONValue(number),
      "protocol": .string(port["protocol"].string ?? "TCP"),
    ]
  }

  private static func containerPort(_ name: String, of pod: KubernetesObject) -> Int? {
    for container in pod.spec["containers"].elements {
      for port in container["ports"].elements where port["name"].string == name { return port["containerPort"].int }
    }
    return nil
  }
}
