import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import PlatformHarness

/// An API server, the controller of the cluster's storage, and nodes that store and run nothing: each a process of its own, which can be
/// killed and started again.
final class StorageCluster: Sendable {
  enum Part: Hashable, CustomStringConvertible {
    case api, controller
    case node(String)

    var description: String {
      switch self {
      case .api: "api"
      case .controller: "storage-controller"
      case .node(let name): "storage on \(name)"
      }
    }
  }

  let directory: String
  let client: KubernetesClient
  let backend: StorageBackend
  let nodes: [String]
  private let program: String
  private let port: Int
  private let running = Mutex<[Part: NagayaProcess]>([:])

  /// The class of the volumes in `backend`.
  static let storageClass = "crash"

  /// - Parameters:
  ///   - name: of its directory in /tmp.
  ///   - configuration: of the build whose binary runs.
  init(_ name: String, backend: StorageBackend, nodes: [String], configuration: String) throws {
    directory = "/tmp/nagaya-\(name)-\(UInt32.random(in: 0..<1 << 24))"
    self.backend = backend
    self.nodes = nodes
    program = "\(PlatformInstance.root)/.build/\(configuration)/nagaya"
    port = Int.random(in: 20_000..<26_000)
    // As `nagaya up` makes them.
    for place in nodes + ["state/pki", "state/api", "state/audit"] {
      try FileManager.default.createDirectory(
        atPath: "\(directory)/\(place)", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    client = KubernetesClient(KubeconfigTransport(path: "\(directory)/state/kubeconfig"), userAgent: "benchmarks")
  }

  var parts: [Part] { [.api, .controller] + nodes.map(Part.node) }

  /// Starts everything and makes what volumes need: nodes, and a class.
  func up() async throws {
    try start(.api)
    try await reached()
    for node in nodes {
      _ = try await client.create(KubernetesObject(.nodes, name: node), as: .nodes)
    }
    var storageClass = KubernetesObject(.storageClasses, name: Self.storageClass)
    storageClass["provisioner"] = "local.nagaya.dev"
    storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
    storageClass["reclaimPolicy"] = "Delete"
    storageClass["allowVolumeExpansion"] = true
    storageClass["parameters"] = ["local.nagaya.dev/pool": .string(backend.pool)]
    _ = try await client.create(storageClass, as: .storageClasses)
    for part in parts.dropFirst() { try start(part) }
  }

  private func reached() async throws {
    try await within("the API server answers", seconds: 60) {
      guard FileManager.default.fileExists(atPath: "\(directory)/state/kubeconfig") else { return false }
      return (try? await client.getIfPresent(.storageClasses, name: "nagaya-local")) ?? nil != nil
    }
  }

  func start(_ part: Part) throws {
    let kubeconfig = "\(directory)/state/kubeconfig"
    let arguments: [String]
    var log = "\(directory)/\(part).log"
    switch part {
    case .api:
      arguments = [
        "serve", "api", "--state-dir", "\(directory)/state", "--run-dir", "\(directory)/run", "--api-port", "\(port)",
        "--node-name", "api", "--log-level", "warning",
      ]
    case .controller:
      arguments = [
        "serve", "storage-controller", "--kubeconfig", kubeconfig, "--run-dir", "\(directory)/run-controller",
        "--log-level", "info",
      ]
    case .node(let name):
      let place = "\(directory)/\(name)"
      log = "\(place)/log"
      arguments =
        [
          "serve", "storage", "--no-kubelet", "--kubeconfig", kubeconfig, "--node-name", name, "--run-dir",
          "\(place)/run",
          "--pool-dir", "\(place)/pool", "--csi-socket", "\(place)/csi.sock", "--transfer-address", "127.0.0.1",
          "--log-level", "info",
        ] + backend.arguments(group: name)
    }
    let process = try NagayaProcess(program, arguments, log: log)
    running.withLock { $0[part] = process }
  }

  /// As a crash ends it.
  func kill(_ part: Part) async throws { try await running.withLock { $0[part] }?.kill() }

  /// In the opposite order of start.
  func stop() async throws {
    for part in parts.reversed() { try await running.withLock { $0[part] }?.stop() }
  }

  /// Which parts should run and do not.
  var ended: [Part] { running.withLock { parts in parts.filter { !$0.value.isRunning }.map(\.key) } }

  /// What the parts said last.
  var lastWords: String {
    running.withLock { parts in
      parts.map { "--- \($0.key)\n\($0.value.lastWords)" }.sorted().joined(separator: "\n")
    }
  }

  /// Whatever state it is in, afterwards nothing of it runs. Its directory stays if `keeping`.
  func destroy(keeping: Bool = false) async {
    for part in parts { try? await kill(part) }
    if !keeping { try? FileManager.default.removeItem(atPath: directory) }
  }
}
