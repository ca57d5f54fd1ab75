import APIServer
import Applications
import CSIDriver
import Controllers
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Logging
import ObjectStore
import PodScheduler
import ServiceLifecycle
import StorageControllers
import Tenancy
import TestSupport
import Testing
import VolumePools

@testable import nagaya

/// Controllers, scheduler, tenants, applications and storage have the rights that they use, and none besides: they work with
/// exactly those on objects that lead them everywhere.
@Suite struct PartRightsTests {
  static let node = "n1"
  private static let parts: [PartIdentity] = [
    .controllers, .scheduler, .applications, .tenancy, .storage(node), .storageController,
  ]
  /// Rights for what is not brought about here: a set of another owner under the same name, an event that happens again within
  /// its hour, and of making and changing the one that this world has no cause for.
  private static let rare: [String: Set<Right>] = {
    let again = Right(verb: "patch", group: "", resource: "events")
    return [
      "system:nagaya:controllers": [again, Right(verb: "get", group: "apps", resource: "replicasets")],
      "system:nagaya:storage-controller": [
        again, Right(verb: "create", group: "storage.k8s.io", resource: "csidrivers"),
        // Moves to other nodes, of which there are none here: VolumeMoveTests and ThreeNodesTests.
        Right(verb: "delete", group: "", resource: "pods"), Right(verb: "list", group: "", resource: "nodes"),
        Right(verb: "get", group: "storage.nagaya.dev", resource: "volumemoves"),
        Right(verb: "create", group: "storage.nagaya.dev", resource: "volumemoves"),
      ],
      "system:nagaya:storage": [
        again, Right(verb: "create", group: "storage.k8s.io", resource: "csinodes"),
        Right(verb: "update", group: "storage.nagaya.dev", resource: "volumepools"),
        Right(verb: "list", group: "storage.nagaya.dev", resource: "volumemoves"),
        Right(verb: "watch", group: "storage.nagaya.dev", resource: "volumemoves"),
        Right(verb: "patch", group: "storage.nagaya.dev", resource: "volumemoves/status"),
      ],
      "system:nagaya:scheduler": [again],
    ]
  }()
  /// Rights that are seen in use here. Those to hold an owner, and to give a role, are asked for by admission: who lacks one is
  /// refused, which the log tells.
  private static func ordinary(_ part: PartIdentity) -> Set<Right> {
    Right.all(of: part.role).filter { !$0.resource.hasSuffix("/finalizers") && $0.verb != "bind" }
      .subtracting(rare[part.role.name] ?? [])
  }

  /// What parts say of refusals: those of admission, which no authorizer sees.
  private static let refusals = RefusalLog()
  private static var quiet: Logger { Logger(label: "rights") { _ in refusals } }

  @Test func `each part is refused nothing, and asks for all that its role gives`() async throws {
    try await Self.run { recorder, root in
      let world = World(root)
      try await world.storage()
      try await world.tenants()
      try await world.apps()
      try await world.nodes()
      var unused: [String] = []
      do {
        try await eventually("all rights are used") {
          unused = Self.parts.flatMap { part in
            let used = recorder.allowed(part.user.name)
            return Self.ordinary(part).filter { right in !used.contains { right.gives($0) } }.sorted()
              .map { "\(part.role.name): \($0)" }
          }
          return unused.isEmpty
        }
      } catch { Issue.record("nobody needs \(unused)") }
      for part in Self.parts { #expect(recorder.denied(part.user.name).isEmpty, "\(part.role.name)") }
      #expect(Self.refusals.lines.isEmpty)
    }
  }

  /// Runs the parts as those that they are, on a server that knows their roles.
  private static func run(_ body: @Sendable (RightsRecorder, KubernetesClient) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-rights-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: "\(directory)/pool", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (gate, recorder) = (Gate(), RightsRecorder())
    let server = try await APIServer(
      store: MemoryObjectStore(), registry: .standard,
      authorizer: { objects in
        recorder.around(gate.authorizer(over: objects))
        return recorder
      }, virtualResources: { _, _ in gate.virtualResources() },
      admission: { [NodeRestriction(), StorageGuard(objects: $0), TenantGuard(objects: $0)] }, logs: nil, logger: quiet)
    let root = server.client(as: UserInfo(name: "root", groups: [UserInfo.mastersGroup]))
    try await Bootstrap(client: root).run()
    try await World(root).before()
    func client(_ part: PartIdentity) -> KubernetesClient { server.client(as: part.user) }
    let pool = try await FilePool.open(
      .init(name: "default", directory: "\(directory)/pool", limitBytes: 4 << 30, reservedBytes: 0), logger: quiet)
    let socket = "\(directory)/csi.sock"
    let services: [any Service] = [
      server,
      CSIServer(DriverConfiguration(nodeName: node, pools: [pool]), socket: socket, logger: quiet),
      try NodeStorageControllers(
        client: client(.storage(node)), driverSocket: socket, poolPath: "\(directory)/pool", logger: quiet),
      StorageControllers(client: client(.storageController), logger: quiet),
      BuiltInControllers(
        client: client(.controllers), logger: quiet, trust: TrustBundle("roots"), nodeGracePeriod: .seconds(5)),
      EventExpiry(client(.controllers), lifetimeSeconds: 0, interval: .milliseconds(200), logger: quiet),
      PodScheduler(client(.scheduler), logger: quiet),
      ApplicationController(
        client: client(.applications), address: PublicAddress(domain: "nagaya.test", port: 8443),
        removedVolumeGrace: .milliseconds(100), logger: quiet),
      TenantController(client: client(.tenancy), logger: quiet),
    ]
    let group = ServiceGroup(services: services, logger: quiet)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      tasks.addTask { try await World(root).playNode() }
      let result: Result<Void, any Error>
      do { result = .success(try await body(recorder, root)) } catch {
        for line in refusals.lines.prefix(10) { Issue.record("\(line)") }
        for part in parts where !recorder.denied(part.user.name).isEmpty {
          Issue.record("\(part.role.name) was refused \(recorder.denied(part.user.name).sorted())")
        }
        result = .failure(error)
      }
      await group.triggerGracefulShutdown()
      tasks.cancelAll()
      while (try? await tasks.next()) != nil {}
      try result.get()
    }
  }

  /// What people and a node do, so that each part has all of its work.
  struct World: Sendable {
    let root: KubernetesClient

    init(_ root: KubernetesClient) { self.root = root }

    /// What is there from before the parts begin.
    func before() async throws {
      var driver = KubernetesObject(.csiDrivers, name: StorageAccess.driverName)
      driver.spec = ["attachRequired": false, "storageCapacity": false]
      try await root.create(driver, as: .csiDrivers)
      var csiNode = KubernetesObject(.csiNodes, name: node)
      csiNode.spec["drivers"] = [["name": "other.example", "nodeID": "n1", "topologyKeys": []]]
      try await root.create(csiNode, as: .csiNodes)
      var pool = KubernetesObject(.volumePools, name: "n1-gone")
      pool.spec = ["nodeName": .string(node), "pool": "gone", "backend": "file", "path": "/gone"]
      try await root.create(pool, as: .volumePools)
      try await makeNode(node)
    }

    private func makeNode(_ name: String) async throws {
      var object = KubernetesObject(
        .nodes, name: name, labels: ["kubernetes.io/hostname": name, StorageAccess.nodeLabel: name])
      object.status["allocatable"] = ["cpu": "4", "memory": "8Gi", "pods": "110"]
      object.status["conditions"] = [["type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""]]
      try await root.create(object, as: .nodes)
    }

    /// Says that the node lives and that its pods run, and lets go of those that are to end.
    func playNode() async throws {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(100))
        var lease = KubernetesObject(.leases, namespace: "kube-node-lease", name: node)
        lease.spec = [
          "holderIdentity": .string(node), "leaseDurationSeconds": 40, "renewTime": .string(Timestamp.now.microTime),
        ]
        _ = try? await root.apply(lease, as: .leases)
        for pod in (try? await root.list(.pods).items) ?? [] where pod.spec["nodeName"].string == node {
          if pod.isBeingDeleted {
            try? await root.delete(.pods, namespace: pod.namespace, name: pod.name, gracePeriodSeconds: 0)
          } else if pod.status["phase"] != "Running" {
            var running = pod
            running.status["phase"] = "Running"
            running.status["podIP"] = "10.0.0.9"
            running.status["podIPs"] = [["ip": "10.0.0.9"]]
            running.setCondition(Condition("Ready", .yes, reason: ""))
            _ = try? await root.updateStatus(running, as: .pods)
          }
        }
      }
    }

    func storage() async throws {
      try await root.create(KubernetesObject(.namespaces, name: "plain"), as: .namespaces)
      for (name, mode) in [("now", "Immediate"), ("gone", "WaitForFirstConsumer")] {
        var object = KubernetesObject(.storageClasses, name: name)
        object["provisioner"] = .string(StorageAccess.driverName)
        object["volumeBindingMode"] = .string(mode)
        object["reclaimPolicy"] = "Delete"
        object["allowVolumeExpansion"] = true
        try await root.create(object, as: .storageClasses)
      }
      try await eventually("its capacity is published") {
        try await root.list(.csiStorageCapacities).items.contains { $0["storageClassName"] == "gone" }
      }
      try await root.delete(.storageClasses, name: "gone")
      // Of an earlier release: without the labels by which a node finds its own.
      var old = KubernetesObject(.persistentVolumes, name: "old")
      old.spec = [
        "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
        "csi": ["driver": .string(StorageAccess.driverName), "volumeHandle": "old"],
      ]
      old.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
        ["matchExpressions": [["key": .string(StorageAccess.nodeLabel), "operator": "In", "values": [.string(node)]]]]
      ]
      try await root.create(old, as: .persistentVolumes)
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "plain", name: "now")
      claim.spec = [
        "storageClassName": "now", "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]],
      ]
      try await root.create(claim, as: .persistentVolumeClaims)
      // One that is there but kept for nobody yet: the cluster writes both sides.
      var kept = KubernetesObject(.persistentVolumes, name: "kept")
      kept.spec = [
        "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "", "csi": ["driver": "other.example", "volumeHandle": "kept"],
      ]
      try await root.create(kept, as: .persistentVolumes)
      var naming = KubernetesObject(.persistentVolumeClaims, namespace: "plain", name: "naming")
      naming.spec = [
        "storageClassName": "", "volumeName": "kept", "accessModes": ["ReadWriteOnce"],
        "resources": ["requests": ["storage": "1Gi"]],
      ]
      try await root.create(naming, as: .persistentVolumeClaims)
      for name in ["now", "naming"] {
        try await eventually("\(name) is bound") {
          try await root.get(.persistentVolumeClaims, namespace: "plain", name: name).status["phase"] == "Bound"
        }
      }
      try await snapshots()
      try await root.patch(
        .persistentVolumeClaims, namespace: "plain", name: "now",
        ["spec": ["resources": ["requests": ["storage": "2Gi"]]]])
      try await eventually("it has grown below") {
        let bound = try await root.get(.persistentVolumeClaims, namespace: "plain", name: "now")
        return bound.isConditionTrue("FileSystemResizePending")
      }
      var attributes = KubernetesObject(.volumeAttributesClasses, name: "gold")
      attributes["driverName"] = .string(StorageAccess.driverName)
      attributes["parameters"] = ["local.nagaya.dev/readBytesPerSecond": "20M"]
      try await root.create(attributes, as: .volumeAttributesClasses)
      try await root.patch(
        .persistentVolumeClaims, namespace: "plain", name: "now", ["spec": ["volumeAttributesClassName": "gold"]])
      try await eventually("it has other attributes") {
        try await root.get(.persistentVolumeClaims, namespace: "plain", name: "now").status[
          "currentVolumeAttributesClassName"] == "gold"
      }
      // What does not exist does not move.
      var move = KubernetesObject(.volumeMoves, name: "nothing")
      move.spec = ["volumeName": "nothing", "targetNode": .string(node)]
      try await root.create(move, as: .volumeMoves)
      try await eventually("it has failed") {
        try await root.get(.volumeMoves, name: "nothing").status["phase"] == "Failed"
      }
      try await root.delete(.volumeMoves, name: "nothing")
      // Its node is gone before it could take back what it may have made.
      var abandoned = KubernetesObject(.persistentVolumeClaims, namespace: "plain", name: "abandoned")
      abandoned.finalizers = ["local.nagaya.dev/making-volume"]
      abandoned.annotations = ["local.nagaya.dev/making-on": "n9"]
      abandoned.spec = [
        "storageClassName": "none", "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]],
      ]
      try await root.create(abandoned, as: .persistentVolumeClaims)
      for name in ["abandoned", "now"] {
        try await root.delete(.persistentVolumeClaims, namespace: "plain", name: name)
        try await eventually("\(name) is gone") {
          try await root.getIfPresent(.persistentVolumeClaims, namespace: "plain", name: name) == nil
        }
      }
      try await eventually("its volume is gone") {
        try await root.list(.persistentVolumes).items.map(\.name).sorted() == ["kept", "old"]
      }
    }

    func tenants() async throws {
      func change(_ spec: JSONValue) async throws {
        try await root.patch(.tenants, name: "demo", ["spec": spec])
      }
      try await eventually("the tenant's environment is there") {
        try await root.getIfPresent(.namespaces, name: "demo-dev") != nil
      }
      try await change([
        "environments": ["dev", "more"],
        "members": [
          ["kind": "User", "name": "ann", "role": "edit"], ["kind": "User", "name": "bob", "role": "admin"],
        ],
        "quota": ["hard": ["pods": "50"]], "limits": ["default": ["memory": "1Gi"]],
      ])
      func count(_ resource: Resource) async throws -> Int {
        try await root.list(resource, namespace: "demo-dev").items.count
      }
      try await eventually("members have their roles") { try await count(.roleBindings) == 2 }
      try await change([
        "members": [["kind": "User", "name": "eve", "role": "edit"]], "quota": ["hard": ["pods": "60"]],
        "limits": ["default": ["memory": "2Gi"]], "podSecurity": ["level": "restricted"],
      ])
      try await eventually("they have changed") { try await count(.roleBindings) == 1 }
      try await change(["members": [], "quota": ["hard": [:]], "limits": [:], "podSecurity": nil])
      try await root.patch(.tenants, name: "demo", ["spec": ["quota": nil, "limits": nil]])
      // Somebody takes away what the tenant has: it is made anew.
      var spare = KubernetesObject(.tenants, name: "spare")
      spare.spec = ["environments": ["one"], "members": []]
      try await root.create(spare, as: .tenants)
      try await eventually("another tenant") { try await root.getIfPresent(.namespaces, name: "spare-one") != nil }
      try await root.delete(.tenants, name: "spare")
      try await eventually("it is gone") { try await root.getIfPresent(.tenants, name: "spare") == nil }
    }

    func apps() async throws {
      var app = KubernetesObject(.applications, namespace: "demo-dev", name: "web")
      app.spec = [
        "image": "example/web:1", "replicas": 1, "port": 8080,
        "volumes": [["name": "data", "mountPath": "/data", "size": "300Mi"]],
      ]
      try await root.create(app, as: .applications)
      func change(_ spec: JSONValue) async throws {
        try await root.patch(.applications, namespace: "demo-dev", name: "web", ["spec": spec])
      }
      func isReady() async throws -> Bool {
        try await root.get(.applications, namespace: "demo-dev", name: "web").isConditionTrue("Ready")
      }
      try await eventually("the app is ready") { try await isReady() }
      try await change(["port": 9090, "volumes": [["name": "data", "mountPath": "/data", "size": "400Mi"]]])
      try await root.patch(
        .services, namespace: "demo-dev", name: "web", ["spec": ["selector": [Application.nameLabel: "other"]]])
      try await eventually("its service is set right") {
        try await root.get(.services, namespace: "demo-dev", name: "web").spec["selector"][Application.nameLabel]
          != "other"
      }
      // More revisions than a deployment keeps.
      for number in 2...13 {
        try await change(["image": .string("example/web:\(number)")])
        try await eventually("revision \(number)") {
          try await root.list(.replicaSets, namespace: "demo-dev").items.contains {
            $0.spec["template"]["spec"]["containers"][0]["image"].string == "example/web:\(number)"
          }
        }
      }
      try await change(["volumes": []])
      try await eventually("what it no longer names is gone") {
        try await root.list(.persistentVolumeClaims, namespace: "demo-dev").items.isEmpty
      }
      // More than a pod can have: the scheduler says so.
      try await change(["resources": ["requests": ["memory": "1Ti"]]])
      try await root.delete(.services, namespace: "demo-dev", name: "web")
      try await root.delete(.applications, namespace: "demo-dev", name: "web")
      var big = KubernetesObject(.pods, namespace: "plain", name: "big")
      big.spec["containers"] = [
        ["name": "c", "image": "example/c:1", "resources": ["requests": ["memory": "1Ti"]]]
      ]
      try await root.create(big, as: .pods)
      var service = KubernetesObject(.services, namespace: "plain", name: "s")
      service.spec = ["selector": ["app": "s"], "ports": [["port": 80]]]
      try await root.create(service, as: .services)
      try await eventually("its slice") { try await !root.list(.endpointSlices, namespace: "plain").items.isEmpty }
      var served = KubernetesObject(.pods, namespace: "plain", name: "served", labels: ["app": "s"])
      served.spec["containers"] = [["name": "c", "image": "example/c:1"]]
      try await root.create(served, as: .pods)
      try await eventually("the slice has the pod") {
        try await root.list(.endpointSlices, namespace: "plain").items.contains { !$0["endpoints"].elements.isEmpty }
      }
      try await root.delete(.services, namespace: "plain", name: "s")
      try await root.patch(
        .configMaps, namespace: "plain", name: "kube-root-ca.crt", ["data": ["ca.crt": "other roots"]])
      try await root.delete(.serviceAccounts, namespace: "plain", name: "default")
    }

    /// A node falls silent, with a pod that runs, and is taken away.
    func nodes() async throws {
      try await makeNode("n2")
      var pod = KubernetesObject(.pods, namespace: "plain", name: "lost")
      let template: JSONValue = [
        "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
      ]
      pod.spec = [
        "nodeName": "n2", "containers": [["name": "c", "image": "example/c:1"]],
        "volumes": [["name": "scratch", "ephemeral": ["volumeClaimTemplate": template]]],
      ]
      try await root.create(pod, as: .pods)
      try await eventually("its volume's claim is made") {
        try await root.getIfPresent(.persistentVolumeClaims, namespace: "plain", name: "lost-scratch") != nil
      }
      var running = try await root.get(.pods, namespace: "plain", name: "lost")
      running.status["phase"] = "Running"
      running.setCondition(Condition("Ready", .yes, reason: ""))
      try await root.updateStatus(running, as: .pods)
      try await eventually("its silence is noticed") {
        try await root.get(.nodes, name: "n2").spec["taints"].elements.isEmpty == false
      }
      try await eventually("its pod is not ready") {
        try await !root.get(.pods, namespace: "plain", name: "lost").isConditionTrue("Ready")
      }
      try await root.delete(.nodes, name: "n2")
      try await eventually("its pod is gone") {
        try await root.getIfPresent(.pods, namespace: "plain", name: "lost") == nil
      }
      try await root.delete(.namespaces, name: "plain")
    }
  }
}

/// Keeps what is logged of refusals.
private struct RefusalLog: LogHandler {
  private final class Lines: Sendable {
    let kept = Mutex<[String]>([])
  }
  private let kept = Lines()
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  var lines: [String] { kept.kept.withLock { $0 } }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let text = "\(event.message) \(metadata.merging(event.metadata ?? [:]) { $1 })"
    if text.contains("forbidden") { kept.kept.withLock { $0.append(text) } }
  }
}
