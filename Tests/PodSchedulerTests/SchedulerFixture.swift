import JSONDocument
import KubernetesAPI
import KubernetesClient

/// What schedulers find in a cluster.
enum SchedulerFixture {
  static func addNode(_ name: String, to client: KubernetesClient, cpu: String = "4") async throws {
    var node = KubernetesObject(.nodes, name: name, labels: ["kubernetes.io/hostname": name])
    node.status["allocatable"] = ["cpu": .string(cpu), "memory": "8Gi", "pods": "110"]
    node.status["conditions"] = [["type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""]]
    let created = try await client.create(node, as: .nodes)
    // Whoever creates a node may not set its status on every server.
    node.metadata["resourceVersion"] = .string(created.resourceVersion)
    try await client.updateStatus(node, as: .nodes)
  }

  static func addPod(
    _ name: String, to client: KubernetesClient, cpu: String = "1", claims: [String] = []
  ) async throws {
    var pod = KubernetesObject(.pods, namespace: "default", name: name)
    pod.spec = [
      "containers": [
        ["name": "main", "image": "x", "resources": ["requests": ["cpu": .string(cpu)]]]
      ]
    ]
    if !claims.isEmpty {
      pod.spec["volumes"] = .array(
        claims.map { ["name": .string($0), "persistentVolumeClaim": ["claimName": .string($0)]] })
    }
    try await client.create(pod, as: .pods)
  }

  static func addStorage(free: [String: String], to client: KubernetesClient) async throws {
    var driver = KubernetesObject(.csiDrivers, name: "local.nagaya.dev")
    driver.spec = ["storageCapacity": true, "attachRequired": false]
    try await client.create(driver, as: .csiDrivers)
    var storageClass = KubernetesObject(.storageClasses, name: "fast")
    storageClass["provisioner"] = "local.nagaya.dev"
    storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
    try await client.create(storageClass, as: .storageClasses)
    for (node, amount) in free {
      var capacity = KubernetesObject(.csiStorageCapacities, namespace: "default", name: "fast-\(node)")
      capacity["storageClassName"] = "fast"
      capacity["capacity"] = .string(amount)
      capacity["nodeTopology"] = ["matchLabels": ["kubernetes.io/hostname": .string(node)]]
      try await client.create(capacity, as: .csiStorageCapacities)
    }
  }

  static func addClaim(
    _ name: String, _ size: String, modes: [String] = ["ReadWriteOnce"], to client: KubernetesClient
  ) async throws {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: name)
    claim.spec = [
      "storageClassName": "fast", "accessModes": .array(modes.map { .string($0) }),
      "resources": ["requests": ["storage": .string(size)]],
    ]
    try await client.create(claim, as: .persistentVolumeClaims)
  }

  /// Makes the volume of a claim and binds it, as a provisioner does.
  static func provision(_ name: String, on node: String, with client: KubernetesClient) async throws {
    let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: name)
    var volume = KubernetesObject(.persistentVolumes, name: "pv-\(name)")
    volume.spec = [
      "capacity": ["storage": "1Gi"], "accessModes": claim.spec["accessModes"], "storageClassName": "fast",
      "persistentVolumeReclaimPolicy": "Delete", "csi": ["driver": "local.nagaya.dev", "volumeHandle": .string(name)],
      "claimRef": VolumeBinding.reference(to: claim),
      "nodeAffinity": [
        "required": [
          "nodeSelectorTerms": [
            [
              "matchExpressions": [
                ["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(node)]]
              ]
            ]
          ]
        ]
      ],
    ]
    try await client.create(volume, as: .persistentVolumes)
    try await client.patch(
      .persistentVolumeClaims, namespace: "default", name: name, ["spec": ["volumeName": .string("pv-\(name)")]])
    try await client.patch(
      .persistentVolumeClaims, namespace: "default", name: name, subresource: "status", ["status": ["phase": "Bound"]])
  }
}
