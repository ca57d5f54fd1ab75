import ArgumentParser
import Foundation
import KubernetesClient

/// What a flood is made of.
enum FloodKind: String, CaseIterable, ExpressibleByArgument {
  case lists, watches, writes, reviews, connections
  case edgeConnections = "edge-connections"
  case edgeRequests = "edge-requests"

  /// Whether it goes to the edge, as clients of one tenant's app.
  var isOfEdge: Bool { self == .edgeConnections || self == .edgeRequests }
  /// Whether each request opens a connection of its own.
  var isOfConnections: Bool { self == .connections || self == .edgeConnections }

  /// Requests per second.
  var rate: Int {
    switch self {
    case .lists: 40
    case .watches: 40
    case .writes: 400
    case .reviews: 600
    case .connections, .edgeConnections: 60
    case .edgeRequests: 600
    }
  }

  /// What is asked of the API server; the edge is asked for `/`.
  var request: APIRequest {
    switch self {
    case .lists: APIRequest(.get, "/api/v1/namespaces/load/configmaps")
    case .watches: APIRequest(.get, "/api/v1/namespaces/load/configmaps", query: [("watch", "1")])
    case .writes:
      APIRequest(
        .post, "/api/v1/namespaces/flood/configmaps", contentType: "application/json",
        body: Array(#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"f-"},"data":{"k":"v"}}"#.utf8))
    case .reviews:
      APIRequest(
        .post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", contentType: "application/json",
        body: Array(#"{"spec":{"resourceAttributes":{"verb":"get","resource":"pods","namespace":"load"}}}"#.utf8))
    case .connections, .edgeConnections, .edgeRequests: APIRequest(.get, "/healthz")
    }
  }
}

/// A CPU cgroup (v1) for the generator, where the machine has them.
struct GeneratorGroup {
  private let path = "/sys/fs/cgroup/cpu/nagaya-fairness-\(ProcessInfo.processInfo.processIdentifier)"
  let note: String

  /// - Parameter quota: processors.
  init(quota: Double) {
    let period = 20_000
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      try String(period).write(toFile: "\(path)/cpu.cfs_period_us", atomically: false, encoding: .utf8)
      try String(Int(Double(period) * quota)).write(
        toFile: "\(path)/cpu.cfs_quota_us", atomically: false, encoding: .utf8)
      note = "in a CPU cgroup of its own, \(quota) processors"
    } catch { note = "NOT in a CPU cgroup of its own (\(path) cannot be made): the figures are not to be trusted" }
  }

  func add(_ process: Int32) {
    try? String(process).write(toFile: "\(path)/cgroup.procs", atomically: false, encoding: .utf8)
  }

  func remove() { rmdir(path) }
}
