import JSONDocument
import KubernetesAPI
import Testing

@testable import PodScheduler

struct DecisionTests {
  // MARK: Building blocks

  static func node(_ name: String, cpu: String = "4", change: (inout NodeState) -> Void = { _ in }) -> NodeState {
    var node = NodeState(name: name)
    node.labels = ["kubernetes.io/hostname": name]
    node.allocatable = [
      "cpu": PodRequests.amount(.string(cpu)), "memory": PodRequests.amount("8Gi"), "pods": 110_000,
    ]
    change(&node)
    return node
  }

  static func pod(_ spec: JSONValue = [:]) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: "n", name: "p")
    pod.spec = spec
    if spec["containers"].isNull { pod.spec["containers"] = [["name": "main"]] }
    return pod
  }

  static func decide(
    _ pod: KubernetesObject, _ nodes: [(NodeState, ClusterUsage.Usage)], volumes: PodVolumes? = nil,
    storage: [String: NodeStorage] = [:], failed: Set<String> = [],
    ranking: any VolumeNodeRanking = MostFreeStorageRanking()
  ) throws -> SchedulingDecision {
    let none = try PodVolumes(of: Self.pod(), claim: { _ in nil }, volume: { _ in nil }, storageClass: { _ in nil })
    return SchedulingDecision.make(
      SchedulingDecision.Question(
        pod: pod, requests: PodRequests(pod), volumes: volumes ?? none, nodes: nodes.map { ($0.0, $0.1) },
        storage: storage, failedNodes: failed), ranking: ranking)
  }

  static func refusal(_ pod: KubernetesObject, _ node: NodeState, usage: ClusterUsage.Usage = .init()) throws
    -> [Refusal]
  {
    guard case .none(let refusals) = try decide(pod, [(node, usage)]) else { return [] }
    return refusals[node.name] ?? []
  }

  // MARK: Filters

  @Test func aNodeThatIsNotReadyOrCordonedTakesNothing() throws {
    #expect(try Self.refusal(Self.pod(), Self.node("a") { $0.isReady = false }) == [.notReady])
    #expect(try Self.refusal(Self.pod(), Self.node("a") { $0.isUnschedulable = true }) == [.unschedulable])
    #expect(try Self.refusal(Self.pod(), Self.node("a")) == [])
  }

  @Test(arguments: [
    (#"[]"#, false), (#"[{"operator":"Exists"}]"#, true), (#"[{"key":"k","operator":"Exists"}]"#, true),
    (#"[{"key":"k","value":"v"}]"#, true), (#"[{"key":"k","value":"w"}]"#, false),
    (#"[{"key":"k","value":"v","effect":"NoExecute"}]"#, false), (#"[{"key":"x","operator":"Exists"}]"#, false),
  ])
  func taintsAreTolerated(tolerations: String, fits: Bool) throws {
    let taint = Taint(key: "k", value: "v", effect: "NoSchedule")
    let pod = Self.pod(["tolerations": try JSONValue(parsing: tolerations.utf8)])
    let node = Self.node("a") { $0.taints = [taint] }
    #expect(try Self.refusal(pod, node) == (fits ? [] : [.taint(taint)]))
  }

  @Test(arguments: [
    ("In", #"["a","b"]"#, true), ("In", #"["c"]"#, false), ("NotIn", #"["c"]"#, true), ("NotIn", #"["a"]"#, false),
    ("Exists", "[]", true), ("DoesNotExist", "[]", false), ("Gt", #"["1"]"#, false), ("Nonsense", #"["a"]"#, false),
  ])
  func affinityTermsSelectNodes(operation: String, values: String, fits: Bool) throws {
    let pod = Self.pod([
      "affinity": [
        "nodeAffinity": [
          "requiredDuringSchedulingIgnoredDuringExecution": [
            "nodeSelectorTerms": [
              [
                "matchExpressions": [
                  [
                    "key": "kubernetes.io/hostname", "operator": .string(operation),
                    "values": try JSONValue(parsing: values.utf8),
                  ]
                ]
              ]
            ]
          ]
        ]
      ]
    ])
    #expect(try Self.refusal(pod, Self.node("a")) == (fits ? [] : [.affinity]))
  }

  @Test func requestsAreTheSumOfContainersOrTheLargestInitContainer() {
    func container(_ cpu: String, always: Bool = false) -> JSONValue {
      var container: JSONValue = ["resources": ["requests": ["cpu": .string(cpu)]]]
      if always { container["restartPolicy"] = "Always" }
      return container
    }
    func cpu(_ containers: [JSONValue], _ initial: [JSONValue]) -> Int128? {
      PodRequests(Self.pod(["containers": .array(containers), "initContainers": .array(initial)])).amounts["cpu"]
    }
    #expect(cpu([container("500m"), container("1")], []) == 1500)
    #expect(cpu([container("500m")], [container("2")]) == 2000)
    #expect(cpu([container("500m")], [container("1", always: true), container("2")]) == 3000)
    #expect(cpu([container("3")], [container("1", always: true), container("2")]) == 4000)
  }

  @Test func resourcesCountWhatOthersTake() throws {
    let pod = Self.pod(["containers": [["resources": ["requests": ["cpu": "2", "memory": "1Gi"]]]]])
    var usage = ClusterUsage.Usage()
    usage.amounts["cpu"] = 2000
    #expect(try Self.refusal(pod, Self.node("a"), usage: usage) == [])
    usage.amounts["cpu"] = 2001
    #expect(try Self.refusal(pod, Self.node("a"), usage: usage) == [.insufficient("cpu")])
    usage.pods = 110
    #expect(try Self.refusal(pod, Self.node("a"), usage: usage) == [.tooManyPods, .insufficient("cpu")])
  }

  static func shortage(_ asked: Int64, largest: Int64, className: String = "fast") -> Refusal {
    .storage(.init(storageClass: className, asked: asked << 30, largest: largest << 30, free: largest << 30))
  }

  @Test func messagesAreLikeThoseOfKubeScheduler() {
    let taint = Taint(key: "k", value: "v", effect: "NoSchedule")
    #expect(
      Refusal.message(["a": [.insufficient("cpu")], "b": [.taint(taint)], "c": [.taint(taint)]])
        == "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}.")
    #expect(
      Refusal.message(["a": [Self.shortage(5, largest: 3)], "b": [Self.shortage(5, largest: 1)]])
        == "0/2 nodes are available: 2 node(s) did not have enough free storage (asked 5Gi, largest free 3Gi).")
    #expect(
      Refusal.message(["a": [Self.shortage(5, largest: 3)], "b": [Self.shortage(5, largest: 2)], "c": [.notReady]])
        == "0/3 nodes are available: 1 node(s) were not ready, 2 node(s) did not have enough free storage "
        + "(asked 5Gi, largest free 3Gi; the 5Gi free on 2 nodes together would suffice).")
    #expect(
      Refusal.message(["a": [Self.shortage(5, largest: 3), Self.shortage(9, largest: 0, className: "slow")]])
        == "0/1 nodes are available: 1 node(s) did not have enough free storage "
        + "(fast: asked 5Gi, largest free 3Gi; slow: asked 9Gi, largest free 0).")
    #expect(Refusal.message([:]) == "no nodes available to schedule pods")
  }

  // MARK: Volumes

  static func claim(
    _ name: String, size: String, selected: String? = nil, volume: String? = nil, className: String = "fast"
  ) -> KubernetesObject {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "n", name: name)
    claim.metadata["uid"] = .string("uid-\(name)")
    claim.spec = ["storageClassName": .string(className), "resources": ["requests": ["storage": .string(size)]]]
    if let selected { claim.annotations = [ClaimAnnotations.selectedNode: selected] }
    if let volume {
      claim.spec["volumeName"] = .string(volume)
      claim.status["phase"] = "Bound"
    }
    return claim
  }

  /// - Parameter owned: whether volumes name their claims too.
  static func volumes(_ claims: [KubernetesObject], mode: String = "WaitForFirstConsumer", owned: Bool = true) throws
    -> PodVolumes
  {
    let pod = Self.pod([
      "volumes": .array(claims.map { ["name": "v", "persistentVolumeClaim": ["claimName": .string($0.name)]] })
    ])
    var storageClass = KubernetesObject(.storageClasses, name: "fast")
    storageClass["volumeBindingMode"] = .string(mode)
    storageClass["provisioner"] = "local.nagaya.dev"
    let found = storageClass
    return try PodVolumes(
      of: pod, claim: { key in claims.first { $0.key == key } },
      volume: { name in
        var volume = KubernetesObject(.persistentVolumes, name: name)
        if let claim = claims.first(where: { $0.spec["volumeName"].string == name }), owned {
          volume.spec["claimRef"] = VolumeBinding.reference(to: claim)
        }
        volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
          ["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(name)]]]]
        ]
        return volume
      }, storageClass: { $0 == "fast" ? found : nil })
  }

  static func storage(_ node: String, free: Int64, reserved: Int64 = 0, largest: Int64? = nil) -> NodeStorage {
    NodeStorage(
      node: node,
      pools: [
        "local.nagaya.dev": .init(
          publishedFreeBytes: free << 30, reservedBytes: reserved << 30, maximumVolumeBytes: largest.map { $0 << 30 })
      ])
  }

  @Test(
    arguments: [
      ([10], 10, 0, nil, true), ([11], 10, 0, nil, false), ([6, 6], 10, 0, nil, false), ([5, 5], 10, 0, nil, true),
      ([5], 10, 6, nil, false), ([4], 10, 6, nil, true), ([5], 100, 0, 4, false),
    ] as [([Int], Int64, Int64, Int64?, Bool)])
  func volumesMustFitJointlyAndEachAlone(sizes: [Int], free: Int64, reserved: Int64, largest: Int64?, fits: Bool) throws
  {
    let claims = sizes.enumerated().map { Self.claim("c\($0.offset)", size: "\($0.element)Gi") }
    let decision = try Self.decide(
      Self.pod(), [(Self.node("a"), .init())], volumes: try Self.volumes(claims),
      storage: ["a": Self.storage("a", free: free, reserved: reserved, largest: largest)])
    if case .node(let name, _) = decision { #expect(fits && name == "a") } else { #expect(!fits) }
  }

  @Test func aPodFollowsItsVolumes() throws {
    let nodes = ["a", "b", "c"].map { (Self.node($0), ClusterUsage.Usage()) }
    let bound = try Self.decide(
      Self.pod(), nodes, volumes: try Self.volumes([Self.claim("x", size: "1Gi", volume: "b")]))
    guard case .node("b", _) = bound else {
      Issue.record("\(bound)")
      return
    }
    let selected = try Self.decide(
      Self.pod(), nodes,
      volumes: try Self.volumes([Self.claim("x", size: "1Gi", selected: "c"), Self.claim("y", size: "1Gi")]))
    guard case .node("c", _) = selected else {
      Issue.record("\(selected)")
      return
    }
  }

  @Test func theRankingDecidesAmongNodesThatFit() throws {
    struct Alphabet: VolumeNodeRanking {
      func rank(_ demand: VolumeDemand, among nodes: [NodeStorage]) -> [RankedNode] {
        nodes.sorted { $0.node > $1.node }.map { RankedNode(node: $0.node, reason: "late in the alphabet") }
      }
    }
    let nodes = ["a", "b", "c"].map { (Self.node($0), ClusterUsage.Usage()) }
    let storage = [
      "a": Self.storage("a", free: 100), "b": Self.storage("b", free: 10), "c": Self.storage("c", free: 1),
    ]
    let volumes = try Self.volumes([Self.claim("x", size: "5Gi")])
    #expect(
      try Self.decide(Self.pod(), nodes, volumes: volumes, storage: storage, ranking: Alphabet())
        == .node("b", reason: "late in the alphabet"))
    guard case .node("a", _) = try Self.decide(Self.pod(), nodes, volumes: volumes, storage: storage) else {
      Issue.record("the node with the most space should win by default")
      return
    }
    guard case .node("b", _) = try Self.decide(Self.pod(), nodes, volumes: volumes, storage: storage, failed: ["a"])
    else {
      Issue.record("a node where provisioning failed is left out")
      return
    }
  }

  @Test func volumesThatExistAreTakenWhereTheyAre() throws {
    func existing(_ name: String, _ size: String, on node: String) -> KubernetesObject {
      var volume = KubernetesObject(.persistentVolumes, name: name)
      volume.spec = ["storageClassName": "fast", "capacity": ["storage": .string(size)]]
      volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
        ["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(node)]]]]
      ]
      return volume
    }
    func volumes(_ sizes: [String], provisioner: String) throws -> PodVolumes {
      let claims = sizes.enumerated().map { Self.claim("c\($0.offset)", size: $0.element) }
      var volumes = try Self.volumes(claims)
      let all = [existing("b1", "2Gi", on: "b"), existing("b2", "3Gi", on: "b"), existing("c1", "9Gi", on: "c")]
      for index in volumes.unbound.indices {
        volumes.unbound[index].storageClass["provisioner"] = .string(provisioner)
        volumes.unbound[index].candidates = ExistingVolume.candidates(for: claims[index], among: all)
      }
      return volumes
    }
    let nodes = ["a", "b", "c"].map { (Self.node($0), ClusterUsage.Usage()) }
    func node(_ sizes: [String], _ provisioner: String, storage: [String: NodeStorage] = [:]) throws -> String? {
      let decision = try Self.decide(
        Self.pod(), nodes, volumes: try volumes(sizes, provisioner: provisioner), storage: storage)
      if case .node(let name, _) = decision { return name }
      return nil
    }
    let manual = ExistingVolume.noProvisioner
    #expect(try node(["1Gi", "3Gi"], manual) == "b")
    #expect(try node(["4Gi"], manual) == "c")
    // One volume is not given twice, and none is larger.
    #expect(try node(["4Gi", "4Gi"], manual) == nil)
    #expect(try node(["10Gi"], manual) == nil)
    // What can also be made prefers what is there, even where there is no space left.
    let storage = ["a", "b", "c"].map { ($0, Self.storage($0, free: $0 == "a" ? 100 : 0)) }
    let free = Dictionary(uniqueKeysWithValues: storage)
    #expect(try node(["4Gi"], "local.nagaya.dev", storage: free) == "c")
    #expect(try node(["10Gi"], "local.nagaya.dev", storage: free) == "a")
    let refusals = SchedulingDecision.refusals(
      of: Self.node("a"), usage: .init(),
      .init(
        pod: Self.pod(), requests: PodRequests(Self.pod()), volumes: try volumes(["1Gi"], provisioner: manual),
        nodes: []))
    #expect(refusals == [.noVolume])
  }

  @Test func anExistingVolumeMustBeOfTheClaimsKind() {
    var volume = KubernetesObject(.persistentVolumes, name: "v", labels: ["disk": "ssd"])
    volume.spec = ["storageClassName": "fast", "capacity": ["storage": "2Gi"], "accessModes": ["ReadWriteOnce"]]
    func fits(_ change: (inout KubernetesObject, inout KubernetesObject) -> Void) -> Bool {
      var (volume, claim) = (volume, Self.claim("x", size: "1Gi"))
      change(&volume, &claim)
      return !ExistingVolume.candidates(for: claim, among: [volume]).isEmpty
    }
    #expect(fits { _, _ in })
    #expect(fits { _, claim in claim.spec["selector"] = ["matchLabels": ["disk": "ssd"]] })
    #expect(!fits { _, claim in claim.spec["selector"] = ["matchLabels": ["disk": "hdd"]] })
    #expect(!fits { _, claim in claim.spec["accessModes"] = ["ReadWriteMany"] })
    #expect(!fits { _, claim in claim.spec["volumeMode"] = "Block" })
    #expect(!fits { _, claim in claim.spec["storageClassName"] = "slow" })
    #expect(!fits { volume, _ in volume.spec["capacity"] = ["storage": "1023Mi"] })
    #expect(!fits { volume, _ in volume.spec["claimRef"] = ["namespace": "n", "name": "y"] })
    #expect(fits { volume, _ in volume.spec["claimRef"] = ["namespace": "n", "name": "x"] })
    #expect(!fits { volume, _ in volume.spec["claimRef"] = ["namespace": "n", "name": "x", "uid": "former"] })
    #expect(!fits { volume, _ in volume.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z" })
  }

  @Test func classesOfOnePoolShareItsSpace() {
    func pool(_ provisioner: String, _ parameters: [String: String]) -> String {
      var storageClass = KubernetesObject(.storageClasses, name: "any")
      storageClass["provisioner"] = .string(provisioner)
      storageClass["parameters"] = .strings(parameters)
      return StoragePool.name(for: storageClass)
    }
    let xfs = pool("local.nagaya.dev", ["local.nagaya.dev/pool": "a", "csi.storage.k8s.io/fstype": "xfs"])
    #expect(xfs == pool("local.nagaya.dev", ["local.nagaya.dev/pool": "a", "csi.storage.k8s.io/fstype": "ext4"]))
    #expect(xfs != pool("local.nagaya.dev", ["local.nagaya.dev/pool": "b", "csi.storage.k8s.io/fstype": "xfs"]))
    #expect(xfs != pool("other.example", ["local.nagaya.dev/pool": "a"]))
  }

  @Test func claimsThatCannotBePlacedSayWhy() throws {
    func obstacle(_ claims: [KubernetesObject], mode: String = "WaitForFirstConsumer") -> String? {
      do {
        _ = try Self.volumes(claims, mode: mode)
        return nil
      } catch { return "\(error)" }
    }
    #expect(obstacle([Self.claim("x", size: "1Gi")], mode: "Immediate")?.contains("unbound immediate") == true)
    #expect(obstacle([Self.claim("x", size: "1Gi", className: "none")])?.contains("no storage class") == true)
    #expect(throws: PodVolumes.Obstacle(description: "persistentvolume \"theirs\" is not bound to claim \"x\"")) {
      try Self.volumes([Self.claim("x", size: "1Gi", volume: "theirs")], owned: false)
    }
    #expect(throws: PodVolumes.Obstacle(description: "persistentvolumeclaim \"x\" not found")) {
      try PodVolumes(
        of: Self.pod(["volumes": [["name": "v", "persistentVolumeClaim": ["claimName": "x"]]]]), claim: { _ in nil },
        volume: { _ in nil }, storageClass: { _ in nil })
    }
  }

  // MARK: Scores

  @Test func siblingsSpreadAndTheEmptierNodeWins() throws {
    var busy = ClusterUsage.Usage()
    busy.amounts["cpu"] = 3000
    guard case .node("b", _) = try Self.decide(Self.pod(), [(Self.node("a"), busy), (Self.node("b"), .init())]) else {
      Issue.record("the emptier node should win")
      return
    }
    var pod = Self.pod()
    pod.metadata["ownerReferences"] = [["uid": "set", "controller": true]]
    var sibling = ClusterUsage.Usage()
    sibling.owners["set"] = 1
    guard case .node("a", _) = try Self.decide(pod, [(Self.node("a"), busy), (Self.node("b"), sibling)]) else {
      Issue.record("siblings should spread")
      return
    }
  }

  /// Prefers nodes in the order of their names, and says which it was told of.
  struct ByName: VolumeNodeRanking {
    func rank(_ demand: VolumeDemand, among nodes: [NodeStorage]) -> [RankedNode] {
      let told = nodes.map { $0.node + ($0.isCandidate ? "" : "-") }.sorted().joined(separator: " ")
      return nodes.map(\.node).sorted().map { RankedNode(node: $0, reason: told) }
    }
  }

  @Test func thePlaceOfVolumesOutweighsHowManyPodsThereAre() throws {
    var busy = ClusterUsage.Usage()
    busy.amounts["cpu"] = 3000
    busy.pods = 50
    let nodes = [(Self.node("a"), busy), (Self.node("b"), ClusterUsage.Usage())]
    let volumes = try Self.volumes([Self.claim("x", size: "1Gi")])
    #expect(
      try Self.decide(Self.pod(), nodes, volumes: volumes, ranking: ByName()) == .node("a", reason: "a b"))
    // Siblings are not to lose their volumes together.
    var pod = Self.pod()
    pod.metadata["ownerReferences"] = [["uid": "set", "controller": true]]
    busy.owners["set"] = 1
    #expect(
      try Self.decide(pod, [(Self.node("a"), busy), nodes[1]], volumes: volumes, ranking: ByName())
        == .node("b", reason: "has fewer pods of the same owner; a b"))
    let avoided = Self.node("a") { $0.taints = [Taint(key: "k", effect: "PreferNoSchedule")] }
    #expect(
      try Self.decide(Self.pod(), [(avoided, .init()), nodes[1]], volumes: volumes, ranking: ByName())
        == .node("b", reason: "avoids a tainted node; a b"))
  }

  @Test func closedNodesHaveNoPartInTheRanking() throws {
    let nodes = [
      Self.node("a") { $0.isUnschedulable = true }, Self.node("b", cpu: "0"), Self.node("c"),
      Self.node("d") { $0.isReady = false }, Self.node("e") { $0.taints = [Taint(key: "k", effect: "NoExecute")] },
    ].map { ($0, ClusterUsage.Usage()) }
    let pod = Self.pod(["containers": [["resources": ["requests": ["cpu": "1"]]]]])
    let volumes = try Self.volumes([Self.claim("x", size: "1Gi")])
    // b is short of processor only: what it stores counts, but it is no candidate, whatever the ranking says.
    #expect(try Self.decide(pod, nodes, volumes: volumes, ranking: ByName()) == .node("c", reason: "b- c"))
  }
}
