import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import TestSupport
import Testing

@testable import NodeAgent

/// Claims whose object says that they are bound, while the volume says otherwise: the node agent asks both.
@Suite struct VolumeClaimAttacks {
  static let owners: [(way: String, owner: JSONValue)] = [
    ("a bound claim whose volume is nobody's", nil),
    ("a bound claim whose volume is another tenant's", ["namespace": "blue", "name": "data", "uid": "other"]),
    (
      "a bound claim whose volume was of an earlier claim", ["namespace": "default", "name": "thief", "uid": "earlier"]
    ),
    ("a bound claim whose volume is kept for its name", ["namespace": "default", "name": "thief"]),
    ("a bound claim whose volume is of its namespace", ["namespace": "default", "name": "data", "uid": "other"]),
  ]

  @Test("a volume is mounted for the claim that it names", arguments: owners)
  func forged(attempted: (way: String, owner: JSONValue)) async throws {
    try await APIServer.withInMemory { server in
      let client = server.client()
      var volume = KubernetesObject(.persistentVolumes, name: "theirs")
      volume.spec = [
        "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"],
        "csi": ["driver": "local.nagaya.dev", "volumeHandle": "theirs"], "claimRef": attempted.owner,
      ]
      try await client.create(volume, as: .persistentVolumes)
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "thief")
      claim.spec = [
        "accessModes": ["ReadWriteOnce"], "volumeName": "theirs", "resources": ["requests": ["storage": "1Gi"]],
      ]
      try await client.create(claim, as: .persistentVolumeClaims)
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "thief", subresource: "status",
        ["status": ["phase": "Bound"]])
      var pod = KubernetesObject(.pods, namespace: "default", name: "p")
      pod.metadata["uid"] = "p"
      pod.spec["volumes"] = [["name": "v", "persistentVolumeClaim": ["claimName": "thief"]]]
      let prepared = pod
      let directory = "/tmp/nagaya-claims-\(UInt32.random(in: 0 ... .max))"
      let held = try await attempt(Attack(.editor, attempted.way, on: .otherVolumes)) {
        let mounts = VolumeMounts(directory: directory, client: client, drivers: [:], logger: Logger(label: "test"))
        let contents = FileVolumeContents(
          fields: FieldReference(pod: prepared, podIP: "", hostIP: "", allocatable: (0, 0)), lookup: { _, _ in nil },
          tokens: PodTokens(pod: prepared, client: client, now: { .now }))
        do {
          _ = try await mounts.prepare(prepared, contents: contents) { reference, _ in reference }
          return .through("it was mounted")
        } catch let problem as PodProblem {
          // Otherwise the driver would have been looked for.
          return .check(problem.message.contains("is not bound to"), problem.message)
        }
      }
      #expect(held)
    }
  }
}
