import JSONDocument
import KubernetesAPI

/// What the downward API tells of a pod.
struct FieldReference: Sendable {
  let pod: KubernetesObject
  let podIP: String
  let hostIP: String
  /// Millicores and bytes that the node gives to pods: limits of containers that set none.
  let allocatable: (cpuMilli: Int64, memoryBytes: Int64)

  /// The value at a field path (core/v1 `ObjectFieldSelector`).
  func value(at path: String) throws(PodProblem) -> String {
    switch path {
    case "metadata.name": return pod.name
    case "metadata.namespace": return pod.namespace
    case "metadata.uid": return pod.uid
    case "metadata.labels": return Self.lines(pod.labels)
    case "metadata.annotations": return Self.lines(pod.annotations)
    case "spec.nodeName": return pod.spec["nodeName"].string ?? ""
    case "spec.serviceAccountName": return pod.spec["serviceAccountName"].string ?? "default"
    case "status.podIP", "status.podIPs": return podIP
    case "status.hostIP", "status.hostIPs": return hostIP
    default: break
    }
    for (prefix, values) in [("metadata.labels['", pod.labels), ("metadata.annotations['", pod.annotations)]
    where path.hasPrefix(prefix) && path.hasSuffix("']") {
      return values[String(path.dropFirst(prefix.count).dropLast(2))] ?? ""
    }
    throw PodProblem("CreateContainerConfigError", "the field path \(path) is not supported")
  }

  /// A container's limit or request (core/v1 `ResourceFieldSelector`), in units of the divisor, rounded up.
  func resource(_ selector: JSONValue, container name: String) throws(PodProblem) -> String {
    let resource = selector["resource"].string ?? ""
    let containerName = selector["containerName"].string ?? name
    guard let container = (pod.containers + pod.initContainers).first(where: { $0["name"].string == containerName })
    else { throw PodProblem("CreateContainerConfigError", "there is no container \(containerName)") }
    let parts = resource.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2, parts[0] == "limits" || parts[0] == "requests" else {
      throw PodProblem("CreateContainerConfigError", "the resource \(resource) is not supported")
    }
    let resources = container["resources"]
    var milli = (resources[parts[0]][parts[1]].quantity ?? resources["limits"][parts[1]].quantity)?.milli
    if milli == nil, parts[0] == "limits" {
      if parts[1] == "cpu" { milli = Int128(allocatable.cpuMilli) }
      if parts[1] == "memory" { milli = Int128(allocatable.memoryBytes) * 1000 }
    }
    let divisor = selector["divisor"].quantity.flatMap { $0.milli > 0 ? $0.milli : nil } ?? 1000
    return String(((milli ?? 0) + divisor - 1) / divisor)
  }

  /// `key="value"` lines, as files of the downward API hold maps.
  private static func lines(_ values: [String: String]) -> String {
    values.sorted { $0.key < $1.key }.map { key, value in
      "\(key)=\(String(decoding: JSONValue.string(value).encoded(), as: UTF8.self))"
    }.joined(separator: "\n")
  }
}
