import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import Placement
import Testing

/// Nodes that exist only as objects, and a provisioner that makes volumes of them by arithmetic: it does to claims,
/// volumes and published capacities what StorageControllers and a CSI driver do, on many nodes at once.
actor FakeCluster {
  static let driver = "local.nagaya.dev"
  static let topologyKey = "topology.local.nagaya.dev/node"
  static let storageClass = "nagaya-local"

  /// When the figures that show a volume are published: no driver promises an order.
  enum Publishing: CaseIterable {
    case beforeBinding
    case afterBinding
    /// With those of the next volume, of whichever node.
    case later
  }

  private let client: KubernetesClient
  private var freeGiB: [String: Int64] = [:]
  private var random: SeededRandom
  private var made: Set<String> = []
  private var unpublished: Set<String> = []
  /// Claims that were sent to a node without room for them: the scheduler has promised a byte twice.
  private(set) var overcommitted: [String] = []

  init(_ client: KubernetesClient, seed: UInt64 = 1) {
    self.client = client
    random = SeededRandom(seed: seed)
  }

  func addDriver() async throws {
    var driver = KubernetesObject(.csiDrivers, name: Self.driver)
    driver.spec = ["storageCapacity": true, "attachRequired": false]
    try await client.create(driver, as: .csiDrivers)
    var storageClass = KubernetesObject(.storageClasses, name: Self.storageClass)
    storageClass["provisioner"] = .string(Self.driver)
    storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
    try await client.create(storageClass, as: .storageClasses)
  }

  func addNode(_ name: String, freeGiB: Int64) async throws {
    var node = KubernetesObject(
      .nodes, name: name, labels: ["kubernetes.io/hostname": name, Self.topologyKey: name])
    node.status["allocatable"] = ["cpu": "64", "memory": "256Gi", "pods": "110"]
    node.status["conditions"] = [["type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""]]
    let created = try await client.create(node, as: .nodes)
    node.metadata["resourceVersion"] = .string(created.resourceVersion)
    try await client.updateStatus(node, as: .nodes)
    var csiNode = KubernetesObject(.csiNodes, name: name)
    csiNode.spec["drivers"] = [
      ["name": .string(Self.driver), "nodeID": .string(name), "topologyKeys": [.string(Self.topologyKey)]]
    ]
    try await client.create(csiNode, as: .csiNodes)
    self.freeGiB[name] = freeGiB
    var capacity = KubernetesObject(.csiStorageCapacities, namespace: "kube-system", name: Self.capacity(of: name))
    capacity["storageClassName"] = .string(Self.storageClass)
    capacity["nodeTopology"] = ["matchLabels": [Self.topologyKey: .string(name)]]
    capacity["capacity"] = .string("\(freeGiB)Gi")
    capacity["maximumVolumeSize"] = .string("\(freeGiB)Gi")
    try await client.create(capacity, as: .csiStorageCapacities)
  }

  /// A pod with a volume of its own.
  func addPod(_ name: String, giB: Int64) async throws {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: name)
    claim.spec = [
      "storageClassName": .string(Self.storageClass), "accessModes": ["ReadWriteOnce"],
      "resources": ["requests": ["storage": .string("\(giB)Gi")]],
    ]
    try await client.create(claim, as: .persistentVolumeClaims)
    var pod = KubernetesObject(.pods, namespace: "default", name: name)
    pod.spec = [
      "containers": [["name": "main", "image": "x", "resources": ["requests": ["cpu": "100m"]]]],
      "volumes": [["name": "data", "persistentVolumeClaim": ["claimName": .string(name)]]],
    ]
    try await client.create(pod, as: .pods)
  }

  /// Makes the volumes of claims as they get their nodes, until it is cancelled.
  func provision() async throws {
    var logger = Logger(label: "provisioner")
    logger.logLevel = .error
    let claims = Informer(client, .persistentVolumeClaims, logger: logger)
    let (stream, continuation) = AsyncStream.makeStream(of: KubernetesObject.self)
    claims.onEvent { continuation.yield($0.object) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await claims.run() }
      for await claim in stream { try await self.provision(claim) }
      group.cancelAll()
    }
  }

  private func provision(_ claim: KubernetesObject) async throws {
    guard (claim.spec["volumeName"].string ?? "").isEmpty, !made.contains(claim.uid),
      let node = claim.annotations["volume.kubernetes.io/selected-node"]
    else { return }
    made.insert(claim.uid)
    let size = (claim.spec["resources"]["requests"]["storage"].string.flatMap { Quantity($0)?.value } ?? 0) >> 30
    let left = (freeGiB[node] ?? 0) - size
    guard left >= 0 else {
      overcommitted.append("\(claim.name): \(size) GiB on \(node), which has \(freeGiB[node] ?? 0)")
      return
    }
    freeGiB[node] = left
    unpublished.insert(node)
    let publishing = Publishing.allCases.randomElement(using: &random) ?? .beforeBinding
    if publishing == .beforeBinding { try await publish() }
    try await bind(claim, on: node)
    if publishing == .afterBinding { try await publish() }
  }

  /// Publishes what every node has left.
  func publish() async throws {
    let nodes = unpublished.sorted()
    unpublished = []
    for node in nodes {
      let free = JSONValue.string("\(freeGiB[node] ?? 0)Gi")
      try await client.patch(
        .csiStorageCapacities, namespace: "kube-system", name: Self.capacity(of: node),
        ["capacity": free, "maximumVolumeSize": free])
    }
  }

  private func bind(_ claim: KubernetesObject, on node: String) async throws {
    var volume = KubernetesObject(.persistentVolumes, name: "pvc-\(claim.uid)")
    volume.spec = [
      "capacity": claim.spec["resources"]["requests"], "accessModes": claim.spec["accessModes"],
      "storageClassName": .string(Self.storageClass), "persistentVolumeReclaimPolicy": "Delete",
      "csi": ["driver": .string(Self.driver), "volumeHandle": .string("pvc-\(claim.uid)")],
      "claimRef": [
        "kind": "PersistentVolumeClaim", "namespace": .string(claim.namespace), "name": .string(claim.name),
        "uid": .string(claim.uid),
      ],
    ]
    volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
      ["matchExpressions": [["key": .string(Self.topologyKey), "operator": "In", "values": [.string(node)]]]]
    ]
    try await client.create(volume, as: .persistentVolumes)
    try await client.patch(
      .persistentVolumeClaims, namespace: claim.namespace, name: claim.name,
      [
        "metadata": ["annotations": ["pv.kubernetes.io/bind-completed": "yes"]],
        "spec": ["volumeName": .string(volume.name)],
      ])
    try await client.patch(
      .persistentVolumeClaims, namespace: claim.namespace, name: claim.name, subresource: "status",
      ["status": ["phase": "Bound"]])
  }

  private static func capacity(of node: String) -> String { "\(node)-\(storageClass)" }
}
