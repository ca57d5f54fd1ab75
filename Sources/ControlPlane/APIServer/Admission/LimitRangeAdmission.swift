import JSONDocument
import KubernetesAPI

/// Holds pods and claims within the LimitRanges of their namespace, and fills in what containers leave out.
///
/// Before the quota: what is filled in counts. Pods are looked at when they are made, as their resources do not change later;
/// claims also when they grow.
struct LimitRangeAdmission {
  let cache: ObjectCache
  let kinds: KindIndex

  /// Gives containers without limits and requests those of the namespace.
  /// - Returns: whether there is a limit range that concerns the object.
  func applyDefaults(to object: inout KubernetesObject, _ resource: Resource) -> Bool {
    guard resource == .pods else { return false }
    let items = items(in: object.namespace, of: ["Container"])
    guard !items.isEmpty else { return false }
    object.json.updateMember("spec") { spec in
      for key in ["initContainers", "containers"] {
        spec.updateElements(key) { container in
          guard case .object = container else { return }
          for item in items { Self.applyDefaults(of: item, toContainer: &container) }
        }
      }
    }
    return true
  }

  private static func applyDefaults(of item: JSONValue, toContainer container: inout JSONValue) {
    for (section, defaults) in [("requests", "defaultRequest"), ("limits", "default")] {
      for (name, value) in item[defaults].members { container["resources"][section].setDefault(name, value) }
    }
  }

  /// - Throws: `APIStatus` 403 with everything that is out of bounds.
  func check(old: KubernetesObject?, new: KubernetesObject, _ resource: Resource) throws(APIStatus) {
    var complaints: [String] = []
    switch resource {
    case .pods:
      guard old == nil else { return }
      for item in items(in: new.namespace, of: ["Container", "Pod"]) {
        complaints += Self.complaints(item, aboutPod: new)
      }
    case .persistentVolumeClaims:
      let size = new.spec["resources"]["requests"]["storage"]
      guard old?.spec["resources"]["requests"]["storage"] != size else { return }
      for item in items(in: new.namespace, of: ["PersistentVolumeClaim"]) {
        complaints += Self.complaints(item, aboutClaim: PodResources.milli(size) ?? 0)
      }
    default: return
    }
    guard !complaints.isEmpty else { return }
    throw APIStatus.forbidden(
      resource, new.name, complaints.count == 1 ? complaints[0] : "[\(complaints.joined(separator: ", "))]")
  }

  private func items(in namespace: String, of types: Set<String>) -> [JSONValue] {
    guard let kind = kinds.find(.limitRanges) else { return [] }
    var found: [JSONValue] = []
    for (key, record) in cache.snapshot(of: kind).map.elements(from: ObjectKey(namespace: namespace, name: "")) {
      guard key.namespace == namespace else { break }
      guard let range = try? record.object() else { continue }
      found += range.spec["limits"].elements.filter { types.contains($0["type"].string ?? "") }
    }
    return found
  }

  // MARK: Complaints

  private static func complaints(_ item: JSONValue, aboutPod pod: KubernetesObject) -> [String] {
    if item["type"].string == "Pod" {
      return complaints(
        item, requests: PodResources.total(.requests, of: pod.spec), limits: PodResources.total(.limits, of: pod.spec))
    }
    return (pod.spec["containers"].elements + pod.spec["initContainers"].elements).flatMap { container in
      complaints(
        item, requests: PodResources.amounts(.requests, of: container),
        limits: PodResources.amounts(.limits, of: container))
    }
  }

  private static func complaints(
    _ item: JSONValue, requests: [String: Int128], limits: [String: Int128]
  ) -> [String] {
    let type = item["type"].string ?? ""
    func text(_ amount: Int128, _ name: String) -> String { ResourceUsage.text(amount, of: name) }
    var complaints: [String] = []
    func each(_ key: String, _ body: (String, Int128) -> Void) {
      for (name, value) in item[key].members.sorted(by: { $0.key < $1.key }) {
        if let bound = PodResources.milli(value) { body(name, bound) }
      }
    }
    // To the kernel a limit of zero is none.
    let limits = limits.filter { $0.value > 0 }
    each("min") { name, least in
      let what = "minimum \(name) usage per \(type) is \(text(least, name))"
      guard let request = requests[name] else { return complaints.append("\(what).  No request is specified") }
      if request < least { complaints.append("\(what), but request is \(text(request, name))") }
      if let limit = limits[name], limit < least { complaints.append("\(what), but limit is \(text(limit, name))") }
    }
    each("max") { name, most in
      let what = "maximum \(name) usage per \(type) is \(text(most, name))"
      guard let limit = limits[name] else { return complaints.append("\(what).  No limit is specified") }
      if limit > most { complaints.append("\(what), but limit is \(text(limit, name))") }
      if let request = requests[name], request > most {
        complaints.append("\(what), but request is \(text(request, name))")
      }
    }
    each("maxLimitRequestRatio") { name, most in
      let what = "\(name) max limit to request ratio per \(type) is \(text(most, name))"
      guard let request = requests[name], request > 0 else {
        return complaints.append("\(what), but no request is specified or request is 0")
      }
      guard let limit = limits[name] else {
        return complaints.append("\(what), but no limit is specified or limit is 0")
      }
      if limit * 1000 > most * request {
        complaints.append("\(what), but provided ratio is \(Double(limit) / Double(request))")
      }
    }
    return complaints
  }

  private static func complaints(_ item: JSONValue, aboutClaim size: Int128) -> [String] {
    var complaints: [String] = []
    let shown = ResourceUsage.text(size, of: "storage")
    if let least = PodResources.milli(item["min"]["storage"]), size < least {
      complaints.append(
        "minimum storage usage per PersistentVolumeClaim is \(ResourceUsage.text(least, of: "storage")), but request is \(shown)"
      )
    }
    if let most = PodResources.milli(item["max"]["storage"]), size > most {
      complaints.append(
        "maximum storage usage per PersistentVolumeClaim is \(ResourceUsage.text(most, of: "storage")), but request is \(shown)"
      )
    }
    return complaints
  }
}
