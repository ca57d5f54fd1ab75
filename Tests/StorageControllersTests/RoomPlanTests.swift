import JSONDocument
import KubernetesAPI
import Testing

@testable import StorageControllers

/// Plans on objects alone.
@Suite struct RoomPlanTests {
  /// Three nodes with so many GiB free, on which volumes stand.
  private struct World {
    var world = RoomPlan.World(nodes: [], pods: [], volumes: [], claims: [], classes: [], capacities: [])

    init(_ free: [String: Int64], cpu: String = "8") {
      var storageClass = KubernetesObject(.storageClasses, name: "local")
      storageClass["provisioner"] = "local.nagaya.dev"
      world.classes = [storageClass]
      for (name, free) in free {
        var node = KubernetesObject(.nodes, name: name)
        node.status["allocatable"] = ["cpu": .string(cpu), "memory": "64Gi", "pods": "110"]
        node.status["conditions"] = [["type": "Ready", "status": "True"]]
        world.nodes.append(node)
        var capacity = KubernetesObject(.csiStorageCapacities, namespace: "kube-system", name: name)
        capacity["storageClassName"] = "local"
        capacity["nodeTopology"] = ["matchLabels": [.init(StorageAccess.nodeLabel): .string(name)]]
        capacity["capacity"] = .string("\(free)Gi")
        world.capacities.append(capacity)
      }
    }

    mutating func volume(_ name: String, _ size: Int64, on node: String) {
      var volume = KubernetesObject(.persistentVolumes, name: name)
      volume.spec = [
        "capacity": ["storage": .string("\(size)Gi")], "storageClassName": "local",
        "csi": ["driver": "local.nagaya.dev", "volumeHandle": .string(name)],
        "claimRef": ["namespace": "default", "name": .string(name), "uid": .string(name)],
      ]
      volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
        ["matchExpressions": [["key": .string(StorageAccess.nodeLabel), "operator": "In", "values": [.string(node)]]]]
      ]
      world.volumes.append(volume)
    }

    mutating func pod(_ name: String, _ claims: [String], on node: String?, cpu: String = "1", owned: Bool = true) {
      var pod = KubernetesObject(.pods, namespace: "default", name: name)
      pod.metadata["uid"] = .string(name)
      if owned {
        pod.metadata["ownerReferences"] = [
          ["apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": true]
        ]
      }
      pod.spec = [
        "containers": [["name": "main", "image": "x", "resources": ["requests": ["cpu": .string(cpu)]]]],
        "volumes": .array(
          claims.map { ["name": .string($0), "persistentVolumeClaim": ["claimName": .string($0)]] }),
      ]
      if let node { pod.spec["nodeName"] = .string(node) }
      world.pods.append(pod)
    }

    func room(
      _ giB: Int64, cpu: String = "1", mayMove: (KubernetesObject, KubernetesObject?) -> Bool = { _, _ in true }
    )
      -> [RoomPlan.Step]
    {
      var pod = KubernetesObject(.pods, namespace: "default", name: "new")
      pod.spec = ["containers": [["name": "main", "image": "x", "resources": ["requests": ["cpu": .string(cpu)]]]]]
      var plan = RoomPlan(world, mayMove: mayMove)
      return plan.room(for: pod, sizes: [(world.classes[0], giB << 30)])
    }
  }

  @Test func `the smallest volume moves whose leaving is enough`() {
    var world = World(["a": 60, "b": 50, "c": 50])
    world.volume("small", 40, on: "a")
    world.volume("other", 50, on: "b")
    world.volume("third", 50, on: "c")
    for (name, node) in [("small", "a"), ("other", "b"), ("third", "c")] { world.pod(name, [name], on: node) }
    let steps = world.room(100)
    #expect(steps.map(\.volume) == ["small"])
    #expect(steps.first?.from == "a")
    // What fits needs nothing, and what can't fit gets nothing.
    #expect(world.room(60).isEmpty)
    #expect(world.room(101).isEmpty)
    // One that must not move stays.
    #expect(world.room(100) { volume, _ in volume.name != "small" }.map(\.volume) != ["small"])
    #expect(world.room(100) { _, _ in false }.isEmpty)
  }

  @Test func `numbers at the edge of their type end no process`() {
    var world = World(["a": .max >> 30, "b": 60], cpu: "9223372036854775807")
    let most = Int64.max >> 30
    for name in ["one", "two"] { world.volume(name, most, on: "a") }
    world.pod("both", ["one", "two"], on: "a", cpu: "9223372036854775807")
    var pod = KubernetesObject(.pods, namespace: "default", name: "new")
    pod.spec = [
      "containers": [["name": "main", "image": "x", "resources": ["requests": ["cpu": "9223372036854775807"]]]]
    ]
    var plan = RoomPlan(world.world) { _, _ in true }
    let storageClass = world.world.classes[0]
    for count in [1, 2, 256, 257] {
      #expect(plan.room(for: pod, sizes: (0..<count).map { _ in (storageClass, Int64.max) }).isEmpty)
    }
    #expect(plan.drain("a").steps.isEmpty)
  }

  @Test func `volumes of one pod move together, and to where it can compute`() {
    var world = World(["a": 10, "b": 60, "c": 60])
    world.volume("one", 30, on: "a")
    world.volume("two", 30, on: "a")
    world.pod("both", ["one", "two"], on: "a", cpu: "4")
    world.pod("busy", [], on: "b", cpu: "6")
    let steps = world.room(70)
    #expect(Set(steps.map(\.volume)) == ["one", "two"])
    #expect(Set(steps.map(\.to)) == ["c"], "b has no processor left for their pod")
  }

  @Test func `a node is drained to where pods may run, and what cannot go is named`() {
    var world = World(["a": 0, "b": 60, "c": 60])
    for (name, size) in [("one", Int64(30)), ("two", 50), ("three", 50), ("bare", 5)] {
      world.volume(name, size, on: "a")
      world.pod(name, [name], on: "a", owned: name != "bare")
    }
    world.world.nodes = world.world.nodes.map { node in
      var changed = node
      if node.name == "a" { changed.spec["unschedulable"] = true }
      if node.name == "c" { changed.spec["taints"] = [["key": "k", "effect": "NoSchedule"]] }
      return changed
    }
    let plan = RoomPlan(world.world) { _, _ in true }.drain("a")
    // Only b takes them: the largest first, and no more than fits.
    #expect(plan.steps.allSatisfy { $0.to == "b" })
    #expect(plan.steps.map(\.bytes).reduce(0, +) <= 60 << 30)
    #expect(!plan.steps.isEmpty)
    #expect(Set(plan.steps.map(\.volume)).union(plan.stuck.keys) == ["one", "two", "three"])
    #expect(plan.steps.first { $0.volume == "bare" } == nil)
  }
}
