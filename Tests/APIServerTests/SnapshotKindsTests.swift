import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// VolumeSnapshots, their contents and classes by the rules of Kubernetes' external snapshotter.
struct SnapshotKindsTests {
  @Test(
    arguments: [
      ("{driver: d.example, deletionPolicy: Delete, parameters: {a: b}}", nil),
      ("{driver: local.nagaya.dev, deletionPolicy: Retain, parameters: {csi.storage.k8s.io/x: b}}", nil),
      ("{deletionPolicy: Delete}", "driver: Required value"),
      ("{driver: d.example, deletionPolicy: Keep}", "deletionPolicy: Unsupported value"),
      ("{driver: local.nagaya.dev, deletionPolicy: Delete, parameters: {a: b}}", "parameters[a]: Invalid value"),
    ] as [(String, String?)])
  func `a class is taken, or refused with field and remedy`(_ text: String, _ fault: String?) throws {
    let faults = try KindsTests.faults(.volumeSnapshotClasses, text)
    if let fault { #expect(faults.contains { $0.hasPrefix(fault) }, "\(faults)") } else { #expect(faults == []) }
  }

  private static let ofClaim = "spec: {source: {persistentVolumeClaimName: data}}"
  private static let ofContent = "spec: {source: {volumeSnapshotContentName: content}}"

  @Test(
    arguments: [
      (ofClaim, nil, nil), (ofContent, nil, nil),
      ("spec: {source: {}}", nil, "spec.source: Invalid value"),
      (
        "spec: {source: {persistentVolumeClaimName: a, volumeSnapshotContentName: b}}", nil,
        "spec.source: Invalid value"
      ),
      ("spec: {source: {persistentVolumeClaimName: ''}}", nil, "spec.source.persistentVolumeClaimName: Required value"),
      ("spec: {source: {persistentVolumeClaimName: a/b}}", nil, "spec.source.persistentVolumeClaimName: Invalid value"),
      (
        "spec: {volumeSnapshotClassName: '', source: {persistentVolumeClaimName: data}}", nil,
        "spec.volumeSnapshotClassName: Invalid value"
      ),
      ("spec: {volumeSnapshotClassName: fast, source: {persistentVolumeClaimName: data}}", ofClaim, nil),
      (
        "spec: {source: {persistentVolumeClaimName: other}}", ofClaim,
        "spec.source.persistentVolumeClaimName: Invalid value: \"other\": persistentVolumeClaimName is immutable"
      ),
      (ofContent, ofClaim, "spec.source.persistentVolumeClaimName: Invalid value"),
      (ofClaim, ofContent, "spec.source.volumeSnapshotContentName: Invalid value"),
    ] as [(String, String?, String?)])
  func `a snapshot is of one thing, and stays so`(_ text: String, _ old: String?, _ fault: String?) throws {
    let faults = try KindsTests.faults(.volumeSnapshots, text, old: old)
    if let fault { #expect(faults.contains { $0.hasPrefix(fault) }, "\(faults)") } else { #expect(faults == []) }
  }

  private static func content(
    _ rest: String = "", ref: String = "{namespace: n, name: s}", source: String = "{volumeHandle: v}"
  ) -> String {
    "spec: {driver: d.example, deletionPolicy: Delete, source: \(source), volumeSnapshotRef: \(ref)\(rest)}"
  }

  @Test(
    arguments: [
      (content(), nil, nil), (content(source: "{snapshotHandle: h}"), nil, nil),
      (content(source: "{}"), nil, "spec.source: Invalid value"),
      (content(source: "{volumeHandle: v, snapshotHandle: h}"), nil, "spec.source: Invalid value"),
      (content(ref: "{namespace: n}"), nil, "spec.volumeSnapshotRef: Invalid value"),
      (content(ref: "{name: s}"), nil, "spec.volumeSnapshotRef: Invalid value"),
      (content(", sourceVolumeMode: Disk"), nil, "spec.sourceVolumeMode: Unsupported value"),
      (content(ref: "{namespace: n, name: s, uid: u}"), content(), nil),
      (content(", sourceVolumeMode: Block"), content(), nil),
      (content(), content(", sourceVolumeMode: Block"), "spec.sourceVolumeMode: Invalid value"),
      (content(source: "{volumeHandle: w}"), content(), "spec.source.volumeHandle: Invalid value"),
      (content(ref: "{namespace: m, name: s}"), content(), "spec.volumeSnapshotRef.namespace: Invalid value"),
      (
        content(ref: "{namespace: n, name: s, uid: w}"), content(ref: "{namespace: n, name: s, uid: u}"),
        "spec.volumeSnapshotRef.uid: Invalid value"
      ),
    ] as [(String, String?, String?)])
  func `a content is of one snapshot, and stays so`(_ text: String, _ old: String?, _ fault: String?) throws {
    let faults = try KindsTests.faults(.volumeSnapshotContents, text, old: old)
    if let fault { #expect(faults.contains { $0.hasPrefix(fault) }, "\(faults)") } else { #expect(faults == []) }
  }

  private static func snapshot(_ name: String) -> KubernetesObject {
    var snapshot = KubernetesObject(.volumeSnapshots, namespace: "default", name: name)
    snapshot.spec = ["source": ["persistentVolumeClaimName": "data"]]
    return snapshot
  }

  @Test func `tables show what upstream's show, status is nobody's to write with the rest, and quotas count`()
    async throws
  {
    try await APIServer.withInMemory(registry: .standard, namespaces: ["default"]) { server in
      let client = server.client()
      var forged = Self.snapshot("one")
      forged.status = ["readyToUse": true, "boundVolumeSnapshotContentName": "theirs"]
      let made = try await client.create(forged, as: .volumeSnapshots)
      #expect(made.status.members.isEmpty)
      var changed = made
      changed.status = ["readyToUse": true, "boundVolumeSnapshotContentName": "theirs"]
      #expect(try await client.update(changed, as: .volumeSnapshots).status.members.isEmpty)
      let table = try await client.json(
        APIRequest(
          .get, Resource.volumeSnapshots.path(namespace: "default"),
          accept: "application/json;as=Table;v=v1;g=meta.k8s.io"))
      #expect(
        table["columnDefinitions"].elements.compactMap { $0["name"].string } == [
          "Name", "ReadyToUse", "SourcePVC", "SourceSnapshotContent", "RestoreSize", "SnapshotClass",
          "SnapshotContent", "CreationTime", "Age",
        ])
      var quota = KubernetesObject(.resourceQuotas, namespace: "default", name: "q")
      quota.spec["hard"] = ["count/volumesnapshots.snapshot.storage.k8s.io": "2"]
      try await client.create(quota, as: .resourceQuotas)
      try await client.create(Self.snapshot("two"), as: .volumeSnapshots)
      let refused = await #expect(throws: APIStatus.self) {
        try await client.create(Self.snapshot("three"), as: .volumeSnapshots)
      }
      #expect(refused?.message.contains("count/volumesnapshots.snapshot.storage.k8s.io=1") == true)
    }
  }
}
