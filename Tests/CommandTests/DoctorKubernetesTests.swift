import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import StorageControllers
import TestSupport
import Testing

@testable import nagaya

/// `nagaya doctor kubernetes`, against an API server.
@Suite struct DoctorKubernetesTests {
  private static func node(_ name: String, kernel: String, runtime: String, architecture: String = "amd64")
    -> KubernetesObject
  {
    var node = KubernetesObject(.nodes, name: name)
    node.status = [
      "nodeInfo": [
        "kernelVersion": .string(kernel), "containerRuntimeVersion": .string(runtime),
        "architecture": .string(architecture), "operatingSystem": "linux",
      ], "conditions": [["type": "Ready", "status": "True"]],
    ]
    return node
  }

  private static func lines(_ found: [Diagnosis]) -> [String] { found.map { "\($0.level.rawValue): \($0.message)" } }

  @Test func `nodes are told by what their kernels and runtimes can do`() {
    let found = ClusterExamination.nodes([
      Self.node("a", kernel: "6.18.2-amd64", runtime: "containerd://2.1.9"),
      Self.node("b", kernel: "6.12.41+deb13-amd64", runtime: "containerd://2.0.5"),
      Self.node("c", kernel: "5.15.0-91-generic", runtime: "containerd://1.7.24"),
      Self.node("d", kernel: "5.15.0-91-generic", runtime: "cri-o://1.33.0", architecture: "arm64"),
      Self.node(String(repeating: "n", count: 64), kernel: "x", runtime: ""),
    ])
    let lines = Self.lines(found)
    for expected in [
      "ok: 1 of 5 nodes (a): Linux 6.18", "notice: 1 of 5 nodes (b): Linux 6.12",
      "warning: 2 of 5 nodes (c, d): Linux 5.15", "ok: 1 of 5 nodes (a): containerd://2.1.9",
      "notice: 1 of 5 nodes (b): containerd://2.0.5", "warning: 1 of 5 nodes (c): containerd://1.7.24 has NRI off",
      "warning: 1 of 5 nodes (d): the runtime is cri-o://1.33.0", "warning: 1 of 5 nodes (d): linux/arm64",
      "more than 63 characters", "the kernel \"x\" is not known",
    ] { #expect(lines.contains { $0.contains(expected) }, "\(expected): \(lines)") }
    #expect(found.map(\.level) == found.map(\.level).sorted(by: >))
    #expect(Self.lines(ClusterExamination.nodes([])) == ["warning: there are no nodes"])
  }

  @Test(arguments: [
    ("v1.36.2", ["ok"]), ("v1.33.1-gke.100", ["notice"]), ("v1.29+", ["notice"]), ("v1.27.3", ["warning", "notice"]),
    ("v1.19.0", ["error", "warning", "notice"]), ("v2.0.0", ["warning"]), ("", ["warning"]), ("v1.", ["warning"]),
    ("v99999999999999999999.1", ["warning"]),
  ]) func `a version tells what is missing`(_ text: String, _ levels: [String]) {
    #expect(ClusterExamination.version(text).map(\.level.rawValue) == levels)
  }

  @Test func `what waits for nobody, cannot be scheduled by, or was never registered is named`() {
    let nodes = [Self.node("a", kernel: "6.18.0", runtime: "containerd://2.1.9")]
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "n", name: "c")
    claim.metadata["finalizers"] = [.string(StorageAccess.makingFinalizer)]
    claim.annotations[StorageAccess.makingNode] = "gone"
    #expect(ClusterExamination.claims([claim], nodes).map(\.level) == [.error])
    claim.annotations[StorageAccess.makingNode] = "a"
    #expect(ClusterExamination.claims([claim], nodes).isEmpty)
    var capacity = KubernetesObject(.csiStorageCapacities, namespace: "n", name: "x")
    capacity["maximumVolumeSize"] = "1Gi"
    #expect(ClusterExamination.capacities([capacity]).map(\.level) == [.error])
    capacity["capacity"] = "1Gi"
    #expect(ClusterExamination.capacities([capacity]).isEmpty)
    var storageClass = KubernetesObject(.storageClasses, name: "fast")
    storageClass["provisioner"] = .string(StorageAccess.driverName)
    storageClass["volumeBindingMode"] = "Immediate"
    #expect(ClusterExamination.classes([storageClass]).map(\.level) == [.error])
    #expect(ClusterExamination.classes([]).map(\.level) == [.warning])
    var csiNode = KubernetesObject(.csiNodes, name: "a")
    #expect(ClusterExamination.registrations([csiNode], nodes).map(\.level) == [.warning])
    csiNode.spec["drivers"] = [["name": .string(StorageAccess.driverName)]]
    #expect(ClusterExamination.registrations([csiNode], nodes).isEmpty)
  }

  @Test func `a cluster without Nagaya is told what could be installed, and nothing is broken there`() async throws {
    try await APIServer.withInMemory(registry: .standard) { server in
      let node = Self.node("a", kernel: "6.18.0", runtime: "containerd://2.1.9")
      let created = try await server.client().create(node, as: .nodes)
      var status = node
      status.metadata["resourceVersion"] = .string(created.resourceVersion)
      try await server.client().updateStatus(status, as: .nodes)
      let result = await CommandRunner(server: server)("doctor", "kubernetes", "--all", "-o", "json")
      #expect(result.code == 0, "\(result.out)\(result.error)")
      let report = try JSONValue(parsing: result.out)
      #expect(report["worst"] == "notice")
      let remedies = report["findings"].elements.compactMap { $0["remedy"].string }
      for part in ["storage", "hooks", "scheduler"] {
        #expect(remedies.contains { $0.contains("deploy/\(part)") }, "\(part)")
      }
      let table = await CommandRunner(server: server)("doctor", "kubernetes")
      #expect(table.out.contains("LEVEL") && table.out.contains("0 errors"))
    }
  }
}
