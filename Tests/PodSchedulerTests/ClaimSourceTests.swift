import JSONDocument
import KubernetesAPI
import Testing

@testable import PodScheduler

/// Pods whose claims are made from snapshots or other claims.
struct ClaimSourceTests {
  private static func claim(_ name: String, from source: JSONValue, node: String? = nil) -> KubernetesObject {
    var claim = DecisionTests.claim(name, size: "1Gi")
    claim.spec["accessModes"] = ["ReadWriteOnce"]
    claim.spec["dataSource"] = source
    if let node { claim.annotations[ClaimWishes.sourceNode] = node }
    return claim
  }

  private static let snapshot: JSONValue = [
    "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s",
  ]

  private static func volumes(
    _ claims: [KubernetesObject], waits: Bool = true, existing: [KubernetesObject] = []
  ) throws -> PodVolumes {
    var storageClass = KubernetesObject(.storageClasses, name: "fast")
    storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
    storageClass["provisioner"] = "local.nagaya.dev"
    let found = storageClass
    return try PodVolumes(
      of: DecisionTests.pod([
        "volumes": .array(claims.map { ["name": "v", "persistentVolumeClaim": ["claimName": .string($0.name)]] })
      ]), claim: { key in claims.first { $0.key == key } }, volume: { _ in nil }, storageClass: { _ in found },
      existing: { _ in existing }, waitsForSources: waits)
  }

  private static let nodes = ["a", "b"].map { (DecisionTests.node($0), ClusterUsage.Usage()) }

  @Test func `they go where the source is, and nowhere else`() throws {
    let volumes = try Self.volumes([Self.claim("x", from: Self.snapshot, node: "b")])
    let storage = ["a", "b"].map { ($0, DecisionTests.storage($0, free: $0 == "a" ? 100 : 2)) }
    guard
      case .node("b", _) = try DecisionTests.decide(
        DecisionTests.pod(), Self.nodes, volumes: volumes, storage: Dictionary(uniqueKeysWithValues: storage))
    else {
      Issue.record("the source's node should win")
      return
    }
    let apart = try Self.volumes([
      Self.claim("x", from: Self.snapshot, node: "b"),
      Self.claim("y", from: ["kind": "PersistentVolumeClaim", "name": "z"], node: "a"),
    ])
    guard case .none(let refusals) = try DecisionTests.decide(DecisionTests.pod(), Self.nodes, volumes: apart) else {
      Issue.record("no node has both")
      return
    }
    #expect(refusals == ["a": [.sourceElsewhere], "b": [.sourceElsewhere]])
    #expect(Refusal.message(refusals).contains("2 node(s) didn't have what a claim's volume is made from"))
  }

  @Test func `they wait until somebody has said where that is, if there is somebody`() throws {
    let claim = Self.claim("x", from: Self.snapshot)
    #expect(throws: PodVolumes.Obstacle.self) { try Self.volumes([claim]) }
    do { _ = try Self.volumes([claim]) } catch {
      #expect("\(error)".contains("waits for volumesnapshot \"s\""))
    }
    #expect(try Self.volumes([claim], waits: false).unbound.count == 1)
    // One that is there already may serve it.
    let existing = KubernetesObject(.persistentVolumes, name: "v")
    #expect(try Self.volumes([claim], existing: [existing]).unbound.count == 1)
  }

  /// Whoever writes claims writes annotations, too.
  @Test func `an annotation without a source means nothing`() throws {
    var claim = DecisionTests.claim("x", size: "1Gi")
    claim.annotations[ClaimWishes.sourceNode] = "nowhere"
    let volumes = try Self.volumes([claim])
    guard case .node = try DecisionTests.decide(DecisionTests.pod(), Self.nodes, volumes: volumes) else {
      Issue.record("it begins empty, and fits anywhere")
      return
    }
  }
}
