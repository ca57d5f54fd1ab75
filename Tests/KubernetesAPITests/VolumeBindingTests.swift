import JSONDocument
import KubernetesAPI
import Testing

@Suite struct VolumeBindingTests {
  private static func claim(_ change: (inout KubernetesObject) -> Void = { _ in }) -> KubernetesObject {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "green-dev", name: "data")
    claim.metadata["uid"] = "u1"
    claim.spec = [
      "volumeName": "v", "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
      "resources": ["requests": ["storage": "1Gi"]],
    ]
    change(&claim)
    return claim
  }

  private static func volume(_ owner: JSONValue, _ change: (inout KubernetesObject) -> Void = { _ in })
    -> KubernetesObject
  {
    var volume = KubernetesObject(.persistentVolumes, name: "v", labels: ["disk": "fast"])
    volume.spec = [
      "capacity": ["storage": "2Gi"], "storageClassName": "fast", "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
      "claimRef": owner,
    ]
    change(&volume)
    return volume
  }

  @Test(
    "a bond holds when both sides name each other by namespace, name and uid",
    arguments: [
      (["namespace": "green-dev", "name": "data", "uid": "u1"], true),
      (["namespace": "green-dev", "name": "data", "uid": "u2"], false),
      (["namespace": "green-dev", "name": "data"], false),
      (["namespace": "blue-dev", "name": "data", "uid": "u1"], false),
      (["namespace": "green-dev", "name": "other", "uid": "u1"], false),
      (["uid": "u1"], false), ([:], false), (nil, false),
    ] as [(JSONValue, Bool)])
  func mutual(owner: JSONValue, holds: Bool) {
    #expect(VolumeBinding.isMutual(Self.claim(), Self.volume(owner)) == holds)
    #expect(!VolumeBinding.isMutual(Self.claim { $0.spec["volumeName"] = "w" }, Self.volume(owner)))
    #expect(!VolumeBinding.isMutual(Self.claim { $0.metadata["uid"] = "" }, Self.volume(["uid": ""])))
  }

  private static let kept: JSONValue = ["namespace": "green-dev", "name": "data"]

  static let cases: [(JSONValue, @Sendable (inout KubernetesObject) -> Void, VolumeBinding.Obstacle?)] = [
    (nil, { _ in }, nil), (kept, { _ in }, nil),
    (["namespace": "green-dev", "name": "data", "uid": "u1"], { _ in }, nil),
    (["namespace": "green-dev", "name": "data", "uid": "u0"], { _ in }, .ofAnotherClaim),
    (["namespace": "blue-dev", "name": "data"], { _ in }, .ofAnotherClaim),
    (["namespace": "green-dev", "name": "other"], { _ in }, .ofAnotherClaim), ([:], { _ in }, .ofAnotherClaim),
    (nil, { $0.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z" }, .beingDeleted),
    (nil, { $0.spec["storageClassName"] = "slow" }, .storageClass),
    (nil, { $0.spec["volumeMode"] = "Block" }, .volumeMode),
    (nil, { $0.spec["accessModes"] = ["ReadOnlyMany"] }, .accessModes),
    (nil, { $0.spec["capacity"] = ["storage": "1023Mi"] }, .tooSmall), (nil, { $0.spec["capacity"] = nil }, .tooSmall),
    (kept, { $0.spec["capacity"] = ["storage": "1Mi"] }, .tooSmall),
  ]

  @Test("a claim is tied to what is free or kept for it, and is as it wants it", arguments: cases)
  func check(
    owner: JSONValue, change: @Sendable (inout KubernetesObject) -> Void, obstacle: VolumeBinding.Obstacle?
  ) {
    var found: VolumeBinding.Obstacle?
    do throws(VolumeBinding.Obstacle) { try VolumeBinding.check(Self.volume(owner, change), for: Self.claim()) } catch {
      found = error
    }
    #expect(found == obstacle)
  }

  @Test func aSelectorChoosesAmongFreeVolumesOnly() {
    let picky = Self.claim { $0.spec["selector"] = ["matchLabels": ["disk": "slow"]] }
    #expect(throws: VolumeBinding.Obstacle.selector) { try VolumeBinding.check(Self.volume(nil), for: picky) }
    #expect(throws: Never.self) { try VolumeBinding.check(Self.volume(Self.kept), for: picky) }
  }
}
