import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import NodeAgent

/// Images that one pod pulled with its credentials, wanted by others that have none.
@Suite(.serialized) struct ImageAccessAttacks {
  private static let users = """
    ali:$2b$04$CSOTHw/95EgjcI8UK/DY8e78/zE2ayMBRJVusq2BifUN2peAwvxAa
    bob:$2b$04$CSOTHw/95EgjcI8UK/DY8eDVRcYESOiY2Z4MW6UoYcs2a4U.6Qix2

    """

  private struct Stage {
    let node: TestNode
    let registry: DockerRegistry
    var image: String { "\(registry.host)/private/box:1" }

    /// Runs a body with an image in a registry that gives it to two users only; `ali-key` and `bob-key` are their secrets,
    /// `wrong-key` holds a wrong password.
    static func with(_ body: @Sendable (Stage) async throws -> Void) async throws {
      try await TestNode.withoutAgent { node in
        let registry = try await DockerRegistry(users: users)
        defer { registry.stop() }
        let stage = Stage(node: node, registry: registry)
        let layout = node.engine.layout
        let ctr = ["-a", layout.socket, "-n", "pusher"]
        try await Command.run(
          layout.program("ctr"), ctr + ["images", "import", "--no-unpack", try await TestImage.shared.archive()])
        try await Command.run(
          layout.program("ctr"),
          ctr + ["images", "push", "--plain-http", "--user", "ali:open sesame", stage.image, TestEngine.image])
        for (name, user) in [
          ("ali-key", "ali:open sesame"), ("bob-key", "bob:bob knows"), ("wrong-key", "ali:open barley"),
        ] {
          var secret = KubernetesObject(.secrets, namespace: "default", name: name)
          secret["type"] = "kubernetes.io/dockerconfigjson"
          let entry = #"{"auths": {"\#(registry.host)": {"auth": "\#(Base64.encode(user.utf8))"}}}"#
          secret["data"][".dockerconfigjson"] = .string(Base64.encode(entry.utf8))
          try await node.client.create(secret, as: .secrets)
        }
        try await body(stage)
      }
    }

    /// Runs a pod with an image.
    /// - Returns: `nil` if it ran, otherwise why it did not.
    func refusal(_ name: String, image: String? = nil, policy: String, key: String?) async throws -> String? {
      let secrets: JSONValue = key.map { [["name": .string($0)]] } ?? []
      try await node.create(
        name, ["image": .string(image ?? self.image), "imagePullPolicy": .string(policy), "args": ["whoami"]],
        spec: ["imagePullSecrets": secrets, "restartPolicy": "Never"])
      let pod = try await node.wait(name, until: "it has run or is refused") {
        $0.containerStatus["state"]["terminated"]["exitCode"].int != nil
          || [
            "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerError",
          ].contains($0.containerStatus["state"]["waiting"]["reason"].string)
      }
      let waiting = pod.containerStatus["state"]["waiting"]
      try await node.delete(name)
      return waiting["reason"].string.map { "\($0): \(waiting["message"].string ?? "")" }
    }

    func attack(_ way: String, image: String? = nil, policy: String, key: String?, number: Int) async throws {
      let held = try await attempt(Attack(.editor, way, on: .otherImages)) {
        guard let refusal = try await refusal("thief-\(number)", image: image, policy: policy, key: key) else {
          return .through("it ran")
        }
        return .held(refusal)
      }
      #expect(held)
    }
  }

  @Test("an image that was pulled with credentials does not run for others without")
  func thieves() async throws {
    try await Stage.with { stage in
      let node = stage.node
      try await node.withAgent { _ in
        #expect(try await stage.refusal("owner", policy: "IfNotPresent", key: "ali-key") == nil)
        let client = try RuntimeClient(socket: node.engine.layout.socket)
        let (digest, id) = try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try? await client.run() }
          defer { group.cancelAll() }
          let image = try await client.images.imageStatus(
            .with { $0.image.image = stage.image }, options: RuntimeClient.within(.seconds(30))
          ).image
          return (image.repoDigests.first ?? "", image.id)
        }
        try #require(digest.contains("@sha256:") && id.hasPrefix("sha256:"))
        let ways: [(String, String?, String, String?)] = [
          ("a present image, IfNotPresent", nil, "IfNotPresent", nil), ("a present image, Never", nil, "Never", nil),
          ("a present image, Always", nil, "Always", nil),
          ("a present image with a wrong password, IfNotPresent", nil, "IfNotPresent", "wrong-key"),
          ("a present image with a wrong password, Never", nil, "Never", "wrong-key"),
          ("a present image by its digest", digest, "IfNotPresent", nil),
          ("a present image by its digest, Never", digest, "Never", nil),
          (
            "a present image by tag and digest", "\(stage.image)@\(digest.split(separator: "@").last ?? "")", "Never",
            nil
          ),
          ("a present image by its id", id, "Never", nil),
          ("a present image by the beginning of its id", String(id.dropFirst(7).prefix(12)), "Never", nil),
          ("a present image with a secret that is not there", nil, "IfNotPresent", "none"),
        ]
        for (number, way) in ways.enumerated() {
          try await stage.attack(way.0, image: way.1, policy: way.2, key: way.3, number: number)
        }
        for policy in ["IfNotPresent", "Never", "Always"] {
          let held = try await attempt(Attack(.editor, "a present image as a volume, \(policy)", on: .otherImages)) {
            let name = "thief-\(policy.lowercased())"
            try await node.create(
              name, ["args": ["exists", "/v/box"], "volumeMounts": [["name": "v", "mountPath": "/v"]]],
              spec: [
                "restartPolicy": "Never",
                "volumes": [
                  ["name": "v", "image": ["reference": .string(stage.image), "pullPolicy": .string(policy)]]
                ],
              ])
            let pod = try await node.wait(name, until: "it has run or is refused") {
              !$0.containerStatus["state"]["terminated"].isNull
                || $0.containerStatus["state"]["waiting"]["message"].string?.contains("volume \"v\"") == true
            }
            try await node.delete(name)
            let state = pod.containerStatus["state"]
            return .check(state["terminated"].isNull, state["waiting"]["message"].string ?? "it ran")
          }
          #expect(held)
        }
        // Another user of the registry proves himself, and is known from then on.
        #expect(try await stage.refusal("bob-1", policy: "Never", key: "bob-key") == nil)
      }
      // Neither a new agent nor a registry that is away makes a difference.
      stage.registry.goAway()
      try await node.withAgent { _ in
        for (number, policy) in ["IfNotPresent", "Never", "Always"].enumerated() {
          try await stage.attack(
            "a present image, \(policy), while the registry is away", policy: policy, key: nil, number: 20 + number)
        }
        #expect(try await stage.refusal("owner-2", policy: "Never", key: "ali-key") == nil)
        #expect(try await stage.refusal("bob-2", policy: "Always", key: "bob-key") == nil)
        // What was loaded by hand is everybody's.
        #expect(try await stage.refusal("loaded", image: TestEngine.image, policy: "Never", key: nil) == nil)
      }
    }
  }

  // MARK: What is remembered

  private static let reference = try? ImageReference("registry.example/private/box:1")
  private static let image = Digest(of: [1]).description
  private static let ali = ImageAccess.Proof.of(user: "ali", password: "open sesame")
  private static let eve = ImageAccess.Proof.of(user: "eve", password: "open sesame")

  private static func with(_ body: (String, ImageReference) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-image-access-\(UUID().uuidString)"
    defer { try? Directory.removeTree(directory) }
    try await body(directory, try #require(reference))
  }

  @Test("what a registry said outlives the process, for whom it was said and for no other image or repository")
  func remembered() async throws {
    try await Self.with { directory, reference in
      let first = ImageAccess(directory: directory)
      #expect(try await first.allows(Self.image, named: reference) { [] }, "nothing was pulled")
      try await first.begin(reference, before: nil)
      #expect(try await !first.allows(Self.image, named: reference) { [Self.ali] }, "a pull is under way")
      try await first.pulled(Self.image, named: reference, for: Self.ali)
      for access in [first, ImageAccess(directory: directory)] {
        #expect(try await access.allows(Self.image, named: reference) { [Self.eve, Self.ali] })
        #expect(try await !access.allows(Self.image, named: reference) { [Self.eve] })
        #expect(try await !access.allows(Self.image, named: reference) { [] })
        let other = try ImageReference("registry.example/public/box:1")
        #expect(try await access.allows(Self.image, named: other) { [] }, "it was loaded under this name")
      }
      let names = try Directory.names(in: directory)
      #expect(names.count == 1 && names[0].hasSuffix(".json"))
      #expect(SmallFile.text("\(directory)/\(names[0])")?.contains("sesame") == false)
      #expect(try FileStatus(of: "\(directory)/\(names[0])")?.permissions == 0o600)
      let open = ImageAccess(directory: directory)
      try await open.begin(reference, before: Self.image)
      try await open.pulled(Self.image, named: reference, for: .anybody)
      #expect(try await open.allows(Self.image, named: reference) { [] })
      let snapshot = try await open.snapshot()
      try await open.forget(snapshot.images, since: snapshot)
      #expect(try Directory.names(in: directory) == [])
    }
  }

  @Test("a pull that was cut off proves nothing to anybody, and a damaged record neither")
  func cutOff() async throws {
    try await Self.with { directory, reference in
      let first = ImageAccess(directory: directory)
      try await first.begin(reference, before: nil)
      let held = try await attempt(Attack(.editor, "a pull that a crash cut off", on: .otherImages)) {
        .check(try await !ImageAccess(directory: directory).allows(Self.image, named: reference) { [] }, "restricted")
      }
      #expect(held)
      await first.failed(reference, isCutOff: true)
      #expect(try await !first.allows(Self.image, named: reference) { [] })
      try await first.begin(reference, before: nil)
      await first.failed(reference, isCutOff: false)
      #expect(try await !first.allows(Self.image, named: reference) { [] }, "the earlier one may still have brought it")
      try await first.begin(reference, before: nil)
      try await first.pulled(Self.image, named: reference, for: Self.ali)
      let names = try Directory.names(in: directory)
      #expect(names.count == 1)
      try SmallFile.write(Array("{".utf8), to: "\(directory)/\(names[0])")
      let damaged = try await attempt(Attack(.editor, "a damaged record of who may have an image", on: .otherImages)) {
        .check(try await !ImageAccess(directory: directory).allows(Self.image, named: reference) { [] }, "restricted")
      }
      #expect(damaged)
    }
  }

  @Test("what was loaded by hand stays free while and after its registry is asked in vain")
  func loaded() async throws {
    try await Self.with { directory, reference in
      let access = ImageAccess(directory: directory)
      try await access.begin(reference, before: Self.image)
      #expect(try await access.allows(Self.image, named: reference) { [] })
      #expect(try await ImageAccess(directory: directory).allows(Self.image, named: reference) { [] })
      await access.failed(reference, isCutOff: false)
      #expect(try await access.allows(Self.image, named: reference) { [] })
      #expect(try Directory.names(in: directory) == [])
    }
  }
}
