import BoundedNumbers
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
  /// What a claim is made from is on another node.
  case sourceElsewhere
  /// The volumes find no room there.
  case storage(Shortage)
  case provisioningFailed

  /// Too little room for volumes in a pool.
  struct Shortage: Sendable, Hashable {
    /// A class that takes volumes from the pool, for people.
    var storageClass: String
    /// Bytes asked: of the largest volume, or of all together where each alone would fit.
    var asked: Int64
    /// The most bytes that one volume, or all of them, could have.
    var largest: Int64
    /// All that is free in the pool, in bytes.
    var free: Int64
  }

  /// In kube-scheduler's words, without numbers: nodes with the same are counted together.
  var text: String {
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
    case .sourceElsewhere: "node(s) didn't have what a claim's volume is made from"
    case .storage: "node(s) did not have enough free storage"
    case .provisioningFailed: "node(s) could not provision the volume"
    }
  }

  /// The node takes no such pods at all now, whatever room it has.
  var isClosed: Bool {
    switch self {
    case .notReady, .unschedulable, .taint: true
    default: false
    }
  }

  /// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}.`
  static func message(_ refusals: [String: [Refusal]]) -> String {
    if refusals.isEmpty { return "no nodes available to schedule pods" }
    var counts: [String: Int] = [:]
    var shortages: [Shortage] = []
    for reasons in refusals.values {
      for text in Set(reasons.map(\.text)) { counts[text, default: 0] += 1 }
      for case .storage(let shortage) in reasons { shortages.append(shortage) }
    }
    let parts = counts.map { text, count in
      "\(count) \(text)" + (text == shortages.first.map { Refusal.storage($0).text } ? " (\(describe(shortages)))" : "")
    }
    return "0/\(refusals.count) nodes are available: \(parts.sorted().joined(separator: ", "))."
  }

  /// `asked 1Ti, largest free 800Gi; the 7.8Ti free on 10 nodes together would suffice`, for each class that is short.
  private static func describe(_ shortages: [Shortage]) -> String {
    let byClass = Dictionary(grouping: shortages, by: \.storageClass).sorted { $0.key < $1.key }
    return byClass.map { name, nodes in
      let asked = nodes.map(\.asked).max() ?? 0
      var text = "asked \(readable(asked)), largest free \(readable(nodes.map(\.largest).max() ?? 0))"
      let sum = nodes.reduce(Int64(0)) { $0.clampedAdding($1.free) }
      if nodes.count > 1, sum >= asked {
        text += "; the \(readable(sum)) free on \(nodes.count) nodes together would suffice"
      }
      return byClass.count > 1 ? "\(name): \(text)" : text
    }.joined(separator: "; ")
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
