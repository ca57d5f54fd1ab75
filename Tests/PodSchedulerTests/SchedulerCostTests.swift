import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import TestSupport
import Testing

@testable import PodScheduler

/// What a decision costs does not depend on what else there is.
@Suite(.timeLimit(.minutes(15)))
struct SchedulerCostTests {
  /// Takes every write.
  private struct Accepting: APITransport {
    func send(_ request: APIRequest) async throws -> APIResponse {
      APIResponse(status: 200, body: .bytes(request.body.isEmpty ? Array("{}".utf8) : request.body))
    }
  }

  private static func pod(_ name: String, node: String? = nil, claim: String) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: "n", name: name)
    pod.metadata["uid"] = .string("uid-\(name)")
    pod.spec = [
      "containers": [["name": "c", "image": "x", "resources": ["requests": ["cpu": "1m"]]]],
      "volumes": [["name": "data", "persistentVolumeClaim": ["claimName": .string(claim)]]],
    ]
    if let node { pod.spec["nodeName"] = .string(node) }
    return pod
  }

  private static func claim(_ name: String, volume: String? = nil) -> KubernetesObject {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "n", name: name)
    claim.metadata["uid"] = .string("uid-\(name)")
    claim.spec = [
      "storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]],
    ]
    if let volume {
      claim.spec["volumeName"] = .string(volume)
      claim.status["phase"] = "Bound"
    }
    return claim
  }

  /// Objects that are decoded to give a pod with a new claim its node, and to bind it, in a cluster of so many others.
  private func decodes(others: Int) async throws -> Int {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let client = KubernetesClient(Accepting(), userAgent: "test")
    let informers = SchedulerInformers(client, pods: nil, nodes: nil, logger: logger)
    for index in 0..<10 {
      var node = KubernetesObject(.nodes, name: "n\(index)", labels: ["host": "n\(index)"])
      node.status["allocatable"] = ["cpu": "4000", "memory": "8Gi", "pods": "100000"]
      node.status["conditions"] = [["type": "Ready", "status": "True"]]
      informers.nodes.cache.store(node)
      var capacity = KubernetesObject(.csiStorageCapacities, namespace: "n", name: "c\(index)")
      capacity["storageClassName"] = "fast"
      capacity["capacity"] = "100Ti"
      capacity["nodeTopology"] = ["matchLabels": ["host": .string("n\(index)")]]
      informers.storage.capacities.cache.store(capacity)
    }
    var driver = KubernetesObject(.csiDrivers, name: "local.nagaya.dev")
    driver.spec = ["storageCapacity": true]
    informers.storage.drivers.cache.store(driver)
    var storageClass = KubernetesObject(.storageClasses, name: "fast")
    storageClass["provisioner"] = "local.nagaya.dev"
    storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
    informers.storage.storageClasses.cache.store(storageClass)
    for index in 0..<others {
      let bound = Self.claim("d\(index)", volume: "v\(index)")
      var volume = KubernetesObject(.persistentVolumes, name: "v\(index)")
      volume.spec = ["storageClassName": "fast", "claimRef": VolumeBinding.reference(to: bound)]
      informers.storage.claims.cache.store(bound)
      informers.storage.volumes.cache.store(volume)
      informers.pods.cache.store(Self.pod("p\(index)", node: "n\(index % 10)", claim: "d\(index)"))
    }
    var new = Self.claim("new")
    informers.storage.claims.cache.store(new)
    let pod = Self.pod("new", claim: "new")
    informers.pods.cache.store(pod)

    let usage = ClusterUsage()
    let binder = PodBinder(
      client: client, informers: informers, usage: usage,
      ledger: StorageLedger(informers.storage, ranking: MostFreeStorageRanking(), reservations: VolumeReservations()),
      events: EventRecorder(client, component: "test", logger: logger),
      logger: logger)
    binder.follow(WorkQueue<ObjectKey>())
    #expect(usage.snapshot(except: "").reduce(0) { $0 + $1.usage.pods } == others)
    func all() -> Int { informers.all.reduce(0) { $0 + $1.cache.decodeCount } }
    let before = all()
    #expect(try await binder.schedule(pod.key) == .done)
    let node = try #require(usage.node(ofPod: pod.uid))

    // The volume is made and bound.
    new.spec["volumeName"] = "new"
    new.status["phase"] = "Bound"
    informers.storage.claims.cache.store(new)
    var volume = KubernetesObject(.persistentVolumes, name: "new")
    volume.spec = ["storageClassName": "fast", "claimRef": VolumeBinding.reference(to: new)]
    informers.storage.volumes.cache.store(volume)
    #expect(informers.pods.cache.list(by: .claims, new.key.description).map(\.name) == ["new"])
    #expect(try await binder.schedule(pod.key) == .done)
    #expect(usage.node(ofPod: pod.uid) == node)
    return all() - before
  }

  @Test func `a decision decodes as much among 10,000 pods with volumes as among 100`() async throws {
    let few = try await decodes(others: 100)
    let many = try await decodes(others: 10_000)
    figure("scheduler.decodes_per_pod", many, "count")
    #expect(few == many && many < 20, "\(few), \(many)")
  }

  @Test func `sums of nodes are those of their pods, whatever came and went`() {
    var random = SeededGenerator(seed: 7)
    let usage = ClusterUsage()
    var pods: [String: (node: String, requests: PodRequests)] = [:]
    let names = ["a", "b", "c"]
    for name in names { _ = usage.set(NodeState(name: name)) }
    for _ in 0..<3000 {
      let uid = "p\(Int.random(in: 0..<40, using: &random))"
      if Int.random(in: 0..<3, using: &random) == 0 {
        #expect(usage.remove(uid: uid) == (pods.removeValue(forKey: uid) != nil))
        continue
      }
      let requests = PodRequests(
        amounts: ["cpu": Int128.random(in: 0..<5, using: &random), "x": Int128.random(in: 0..<2, using: &random)],
        hostPorts: Bool.random(using: &random) ? ["TCP/\(Int.random(in: 1..<4, using: &random))"] : [],
        owner: ["", "one", "two"].randomElement(using: &random) ?? "")
      let node = names.randomElement(using: &random) ?? "a"
      usage.place(uid: uid, on: node, requests)
      pods[uid] = (node, requests)
      let spared = "p\(Int.random(in: 0..<40, using: &random))"
      for (state, found) in usage.snapshot(except: spared) {
        var expected = ClusterUsage.Usage()
        for (uid, pod) in pods where uid != spared && pod.node == state.name { expected.add(pod.requests) }
        #expect(found == expected)
        #expect(
          found.hasAny(of: ["TCP/1"])
            == pods.contains {
              $0.key != spared && $0.value.node == state.name && $0.value.requests.hostPorts.contains("TCP/1")
            })
      }
    }
  }
}
