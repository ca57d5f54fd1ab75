import KubernetesAPI

/// Why a node cannot take a pod, in kube-scheduler's words, so that people find what they know.
enum Refusal: Sendable, Hashable {
  case notReady
  case unschedulable
  case otherNodeName
  case taint(Taint)
  case affinity
  case insufficient(String)
  case tooManyPods
  case hostPorts
  case volumeAffinity
  case topology
  /// None of the volumes made by hand can be used there.
  case noVolume
  /// Bytes asked, and the most that one volume, or all of them, could have.
  case storage(asked: Int64, free: Int64)
  case provisioningFailed

  private var text: String {
    switch self {
    case .notReady: "node(s) were not ready"
    case .unschedulable: "node(s) were unschedulable"
    case .otherNodeName: "node(s) didn't match the requested node name"
    case .taint(let taint): "node(s) had untolerated taint \(taint)"
    case .affinity: "node(s) didn't match Pod's node affinity/selector"
    case .insufficient(let resource): "Insufficient \(resource)"
    case .tooManyPods: "Too many pods"
    case .hostPorts: "node(s) didn't have free ports for the requested pod ports"
    case .volumeAffinity: "node(s) had volume node affinity conflict"
    case .topology: "node(s) didn't match the storage class's allowed topologies"
    case .noVolume: "node(s) didn't find available persistent volumes to bind"
    case .storage: "node(s) did not have enough free storage"
    case .provisioningFailed: "node(s) could not provision the volume"
    }
  }

  /// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}.`
  static func message(_ refusals: [String: [Refusal]]) -> String {
    if refusals.isEmpty { return "no nodes available to schedule pods" }
    var counts: [String: Int] = [:]
    var asked: Int64 = 0
    var free: Int64 = 0
    for reasons in refusals.values {
      for text in Set(reasons.map(\.text)) { counts[text, default: 0] += 1 }
      for case .storage(let bytes, let largest) in reasons {
        asked = max(asked, bytes)
        free = max(free, largest)
      }
    }
    let parts = counts.map { text, count in
      guard text == Refusal.storage(asked: 0, free: 0).text else { return "\(count) \(text)" }
      return "\(count) \(text) (asked \(readable(asked)), largest free \(readable(free)))"
    }
    return "0/\(refusals.count) nodes are available: \(parts.sorted().joined(separator: ", "))."
  }

  /// Bytes for people: rounded to a tenth of the largest binary unit.
  static func readable(_ bytes: Int64) -> String {
    for (shift, unit) in [(40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")] where bytes >= 1 << shift {
      let tenths = bytes / ((1 << shift) / 10)
      return tenths % 10 == 0 ? "\(tenths / 10)\(unit)" : "\(tenths / 10).\(tenths % 10)\(unit)"
    }
    return "\(bytes)"
  }
}
