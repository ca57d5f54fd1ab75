import JSONDocument
import KubernetesAPI
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

/// Volumes that are images, with containerd's own snapshotter.
@Suite(.serialized) struct ImageVolumeTests {
  private static let spec: JSONValue = [
    "restartPolicy": "Never", "volumes": [["name": "files", "image": ["reference": .string(TestEngine.image)]]],
  ]

  private static func mount(_ path: String, subPath: String? = nil) -> JSONValue {
    var mount: JSONValue = ["name": "files", "mountPath": .string(path)]
    mount.set("subPath", ifPresent: subPath.map { .string($0) })
    return mount
  }

  /// Mounts of pods' image volumes, and the views that containerd keeps for them.
  private static func left(_ node: TestNode) async throws -> [String] {
    let layout = node.engine.layout
    let views = try await Command.run(
      layout.program("ctr"), ["-a", layout.socket, "-n", "k8s.io", "snapshots", "list"])
    return TestEngine.mounts().filter { $0.hasPrefix("\(node.directory)/pods/") && $0.contains("/image/") }
      + views.split(separator: "\n").map(String.init).filter { $0.contains("nagaya-volume/") }
  }

  @Test("an image's files are there, also parts of them, and nobody writes them")
  func files() async throws {
    try await TestNode.with { node in
      let pods: [(name: String, args: JSONValue, mount: JSONValue, code: Int)] = [
        ("whole", ["exists", "/files/box"], Self.mount("/files"), 0),
        ("absent", ["exists", "/files/other"], Self.mount("/files"), 1),
        ("part", ["exists", "/part"], Self.mount("/part", subPath: "box"), 0),
        ("written", ["touch", "/files/new"], Self.mount("/files"), 1),
        ("overwritten", ["touch", "/files/box"], Self.mount("/files"), 1),
      ]
      for (name, args, mount, code) in pods {
        try await node.create(name, ["args": args, "volumeMounts": [mount]], spec: Self.spec)
        let pod = try await node.wait(name, until: "it ran") { !$0.containerStatus["state"]["terminated"].isNull }
        #expect(pod.containerStatus["state"]["terminated"]["exitCode"].int == code, "\(name)")
      }
      try await node.create(
        "refused", ["args": ["whoami"], "volumeMounts": [Self.mount("/part", subPath: "none")]], spec: Self.spec)
      try await node.wait("refused", until: "refused") {
        $0.containerStatus["state"]["waiting"]["message"].string?.contains("subPath \"none\"") == true
      }
      try await node.delete("refused")
      for (name, _, _, _) in pods { try await node.delete(name) }
      #expect(try await Self.left(node).isEmpty)
    }
  }

  @Test("an image that cannot be had is named with its volume")
  func missing() async throws {
    try await TestNode.with { node in
      var spec = Self.spec
      spec["volumes"] = [["name": "files", "image": ["reference": "nagaya.local/none:1"]]]
      try await node.create("waiting", ["args": ["whoami"], "volumeMounts": [Self.mount("/files")]], spec: spec)
      let pod = try await node.wait("waiting", until: "told") {
        $0.containerStatus["state"]["waiting"]["message"].string?.contains("volume \"files\"") == true
      }
      let message = pod.containerStatus["state"]["waiting"]["message"].string ?? ""
      #expect(message.contains("nagaya.local/none:1") && message.contains("nagaya image load"), "\(message)")
      try await node.delete("waiting")
      #expect(try await Self.left(node).isEmpty)
    }
  }

  @Test("they stay over a new agent, are made again where a crash cut them off, and go with their pod")
  func adopted() async throws {
    try await TestNode.withoutAgent { node in
      try await node.withAgent { _ in
        try await node.create("long", ["args": ["serve"], "volumeMounts": [Self.mount("/files")]], spec: Self.spec)
        try await node.wait("long", until: "ready") { $0.isReady }
        #expect(try await Self.left(node).count == 2)
      }
      try await node.withAgent { _ in
        try await node.create(
          "next", ["args": ["exists", "/files/box"], "volumeMounts": [Self.mount("/files")]], spec: Self.spec)
        try await node.wait("next", until: "it ran") { $0.containerStatus["state"]["terminated"]["exitCode"].int == 0 }
        try await eventually("a pod that has ended keeps none") { try await Self.left(node).count == 2 }
        try await node.delete("next")
      }
      // What a kill between the view and the mount leaves.
      let pod = try await node.pod("long")
      let place = "\(node.directory)/pods/\(pod.uid)/volumes/image/files"
      try Mounts.unmount("\(place)/mount", lazily: true)
      try await node.withAgent { _ in
        try await eventually("it is mounted again") { try await Self.left(node).count == 2 }
      }
      // The object goes while no agent runs.
      try await node.client.delete(.pods, namespace: "default", name: "long", uid: pod.uid, gracePeriodSeconds: 0)
      try await node.withAgent { _ in
        try await eventually("nothing is left") {
          try await Self.left(node).isEmpty && !FileStatus.exists("\(node.directory)/pods/\(pod.uid)")
        }
      }
    }
  }
}
