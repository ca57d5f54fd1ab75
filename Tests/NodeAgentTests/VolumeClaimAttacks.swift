import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import TestSupport
import Testing

@testable import NodeAgent

#if canImport(Glibc)
  import Glibc
#endif

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
      let message = try await Self.refusal(of: pod, client)
      let held = try await attempt(Attack(.editor, attempted.way, on: .otherVolumes)) {
        // Otherwise the driver would have been looked for.
        .check(message?.contains("is not bound to") == true, message ?? "it was mounted")
      }
      #expect(held)
    }
  }

  /// An ephemeral volume's claim is found by its name, which anybody may give to a claim of his own.
  @Test("an ephemeral volume is the pod's own claim", arguments: [nil, "another-pod"])
  func ephemeral(owner: String?) async throws {
    try await APIServer.withInMemory { server in
      let client = server.client()
      var pod = KubernetesObject(.pods, namespace: "default", name: "p")
      pod.metadata["uid"] = "p"
      pod.spec["volumes"] = [["name": "v", "ephemeral": ["volumeClaimTemplate": ["spec": [:]]]]]
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "p-v")
      claim.spec = [
        "accessModes": ["ReadWriteOnce"], "volumeName": "theirs", "resources": ["requests": ["storage": "1Gi"]],
      ]
      if let owner {
        var other = KubernetesObject(.pods, namespace: "default", name: owner)
        other.spec = ["containers": [["name": "c", "image": "example/c:1"]]]
        claim.ownerReferences = [OwnerReference(to: try await client.create(other, as: .pods))]
      }
      let made = try await client.create(claim, as: .persistentVolumeClaims)
      var volume = KubernetesObject(.persistentVolumes, name: "theirs")
      volume.spec = [
        "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"],
        "csi": ["driver": "local.nagaya.dev", "volumeHandle": "theirs"],
        "claimRef": VolumeBinding.reference(to: made),
      ]
      try await client.create(volume, as: .persistentVolumes)
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "p-v", subresource: "status",
        ["status": ["phase": "Bound"]])
      let message = try await Self.refusal(of: pod, client)
      let held = try await attempt(
        Attack(.editor, "an ephemeral volume by the name of \(owner ?? "nobody")'s claim", on: .otherVolumes)
      ) { .check(message?.contains("pod is not owner") == true, message ?? "it was mounted") }
      #expect(held)
    }
  }

  @Test("scratch space is given to the pod's group once, and is the pod's affair then")
  func scratchIsHandedOverOnce() async throws {
    let directory = "/tmp/nagaya-claims-\(UInt32.random(in: 0 ... .max))"
    defer { try? Directory.removeTree(directory) }
    var pod = KubernetesObject(.pods, namespace: "default", name: "p")
    pod.metadata["uid"] = "p"
    pod.spec["securityContext"] = ["fsGroup": 4711]
    pod.spec["volumes"] = [["name": "v", "emptyDir": [:]]]
    let contents = FileVolumeContents(
      fields: FieldReference(pod: pod, podIP: "", hostIP: "", allocatable: (0, 0)), lookup: { _, _ in nil },
      tokens: PodTokens(
        pod: pod, client: KubernetesClient(UnreachableTransport(), userAgent: "test"), now: { .now }))
    func mode(_ path: String) throws -> [UInt32] {
      var status = stat()
      try #require(lstat(path, &status) == 0)
      return [status.st_gid, status.st_mode & 0o7777]
    }
    func prepare(_ mounts: VolumeMounts) async throws -> String {
      let paths = try await mounts.prepare(pod, contents: contents) { reference, _ in reference }
      return try #require(paths["v"])
    }
    func mounts() -> VolumeMounts {
      VolumeMounts(directory: directory, client: nil, drivers: [:], logger: Logger(label: "test"))
    }
    let first = mounts()
    let path = try await prepare(first)
    #expect(try mode(path) == [4711, 0o2777])
    // Empty, and closed by the pod already.
    try #require(chmod(path, 0o2700) == 0)
    _ = try await prepare(first)
    #expect(try mode(path) == [4711, 0o2700])
    // As a database does with its directory and keys.
    try SmallFile.write([1], to: "\(path)/key")
    try #require(chmod("\(path)/key", 0o600) == 0 && chmod(path, 0o700) == 0)
    // Again and again while the pod runs, and after a restart of the agent.
    for mounts in [first, first, mounts()] {
      _ = try await prepare(mounts)
      #expect(try mode(path)[1] == 0o700 && mode("\(path)/key")[1] == 0o600)
    }
  }

  private struct UnreachableTransport: APITransport {
    func send(_ request: APIRequest) async throws -> APIResponse { throw APIStatus(.internalError, "nobody") }
  }

  private static func refusal(of pod: KubernetesObject, _ client: KubernetesClient) async throws -> String? {
    let directory = "/tmp/nagaya-claims-\(UInt32.random(in: 0 ... .max))"
    let mounts = VolumeMounts(directory: directory, client: client, drivers: [:], logger: Logger(label: "test"))
    let contents = FileVolumeContents(
      fields: FieldReference(pod: pod, podIP: "", hostIP: "", allocatable: (0, 0)), lookup: { _, _ in nil },
      tokens: PodTokens(pod: pod, client: client, now: { .now }))
    do {
      _ = try await mounts.prepare(pod, contents: contents) { reference, _ in reference }
      return nil
    } catch let problem as PodProblem { return problem.message }
  }
}
