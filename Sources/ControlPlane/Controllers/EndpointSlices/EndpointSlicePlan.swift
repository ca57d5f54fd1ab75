import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The EndpointSlices that a Service and its pods give (discovery.k8s.io/v1).
///
/// A slice says one list of ports for all its endpoints. Pods may disagree about the number that a named port has, such
/// as those of two revisions during a rollout, so there is a slice for each list of ports: no pod is ever reached at
/// another pod's port.
enum EndpointSlicePlan {
  static let managedBy = "nagaya-endpointslice-controller"
  static let serviceLabel = "kubernetes.io/service-name"
  static let managedByLabel = "endpointslice.kubernetes.io/managed-by"

  /// The slices that this controller made, by their Service.
  static let byService = CacheIndex("service") { slice in
    guard slice.labels[managedByLabel] == managedBy, let service = slice.labels[serviceLabel] else { return [] }
    return ["\(slice.namespace)/\(service)"]
  }

  /// A port of a slice: what the Service names, and where these pods have it.
  private struct Port: Hashable {
    let name: String
    let number: Int
    let transport: String

    var json: JSONValue { ["name": .string(name), "port": JSONValue(number), "protocol": .string(transport)] }
  }

  /// The name of a Service's slice of pods with these ports.
  private static func name(of service: String, _ ports: [Port]) -> String {
    let text = ([service] + ports.map { "\($0.name)/\($0.number)/\($0.transport)" }).joined(separator: " ")
    return "\(service.prefix(245))-\(StableHash.text(StableHash.value(text.utf8), length: 7))"
  }

  /// The slices, sorted by name; none if the Service has none of ours (no selector, or an external name).
  static func slices(of service: KubernetesObject, pods: [KubernetesObject]) -> [KubernetesObject] {
    let selector = service.spec["selector"].strings
    guard !selector.isEmpty, service.spec["type"].string != "ExternalName", !service.isBeingDeleted else { return [] }
    let includesUnready = service.spec["publishNotReadyAddresses"].bool ?? false
    let backends = pods.filter { pod in
      !pod.isTerminatedPod && pod.status["podIP"].string?.isEmpty == false
        && selector.allSatisfy { pod.labels[$0.key] == $0.value }
    }.sorted { $0.name < $1.name }
    var groups = Dictionary(grouping: backends) { ports(of: service, at: $0) }
    // A Service without pods has one slice all the same, so that everybody sees that it was looked at.
    if groups.isEmpty { groups = [ports(of: service, at: nil): []] }
    return groups.map { ports, pods in
      slice(of: service, ports, pods.map { endpoint($0, includesUnready: includesUnready) })
    }.sorted { $0.name < $1.name }
  }

  private static func slice(of service: KubernetesObject, _ ports: [Port], _ endpoints: [JSONValue]) -> KubernetesObject
  {
    var slice = KubernetesObject(
      .endpointSlices, namespace: service.namespace, name: name(of: service.name, ports),
      labels: [serviceLabel: service.name, managedByLabel: managedBy])
    slice.ownerReferences = [OwnerReference(to: service)]
    slice["addressType"] = "IPv4"
    slice["endpoints"] = .array(endpoints)
    slice["ports"] = .array(ports.map(\.json))
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

  /// The Service's ports as one pod has them: `targetPort` as a number, as a name of a container's port, or the
  /// Service's own number. A named port that the pod lacks is left out.
  private static func ports(of service: KubernetesObject, at pod: KubernetesObject?) -> [Port] {
    service.spec["ports"].elements.compactMap { port in
      let transport = port["protocol"].string ?? "TCP"
      let number: Int?
      if let name = port["targetPort"].string {
        number = pod.flatMap { containerPort(name, transport, of: $0) }
      } else {
        number = port["targetPort"].int ?? port["port"].int
      }
      return number.map { Port(name: port["name"].string ?? "", number: $0, transport: transport) }
    }
  }

  private static func containerPort(_ name: String, _ transport: String, of pod: KubernetesObject) -> Int? {
    for container in pod.spec["containers"].elements {
      for port in container["ports"].elements
      where port["name"].string == name && (port["protocol"].string ?? "TCP") == transport {
        return port["containerPort"].int
      }
    }
    return nil
  }
}
