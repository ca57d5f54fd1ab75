import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// As the kubelet does it: images, pods and image volumes by the Container Runtime Interface.
@Suite(.serialized) struct KubernetesTests {
  private func with(_ body: @Sendable (ContainerdFixture, ImagesDaemon, RuntimeClient) async throws -> Void)
    async throws
  {
    try await ImagesDaemon.with { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        try await RuntimeClient.with(containerd) { try await body(containerd, daemon, $0) }
      }
    }
  }

  @Test(arguments: ImageKind.allCases)
  func `a pod's container of any kind of image is lazy, and looks as overlayfs shows it`(
    _ kind: ImageKind
  ) async throws {
    try await with { containerd, daemon, client in
      let box = "\(containerd.registry)/box:1"
      try await containerd.push(kind, "box:1", PullTests.layers, daemon)
      try await client.pull(box)
      let pod = try await client.runPod()
      _ = try await client.start("main", in: pod, image: box, ["/a/file", "/a/second", "/b/new", "/usr/share/third"])
      #expect(try await eventually { try await client.ended() == ["main": 0] })
      #expect(client.output(of: "main") == ["one", "two", "new", "three"])
      // None of it was unpacked by containerd, not even the pause image; and it was the transfer service that asked.
      let content = try await containerd.shell.succeed("ctr -n k8s.io content list")
      #expect(!content.contains("application/vnd.oci.image.layer"), "\(content)")
      let log = SmallFile.tail(of: "\(containerd.directory)/log", bytes: 4 << 20)
      #expect(log.contains("Calling cri transfer service"))

      try await containerd.pull("box:1", snapshotter: "overlayfs", namespace: "k8s.io")
      let (ours, theirs) = (
        try await containerd.files(of: "box:1", snapshotter: "nagaya", options: "--rw", namespace: "k8s.io"),
        try await containerd.files(of: "box:1", snapshotter: "overlayfs", options: "--rw", namespace: "k8s.io")
      )
      let differences = Set(ours).symmetricDifference(PullTests.withoutMarks(theirs))
      #expect(differences.isEmpty && ours.count > 20, "\(kind.rawValue): \(differences.sorted())")
      try await client.remove(pod)
    }
  }

  @Test func `a pod's image volume is lazy, and all of it goes with the pod`() async throws {
    try await with { containerd, daemon, client in
      let (box, model) = ("\(containerd.registry)/box:1", "\(containerd.registry)/model:1")
      try await containerd.push("box:1", ContainerdTests.layers, compression: .gzip)
      try await containerd.push("model:1", ["mkdir weights && echo heavy > weights/first && echo x > other"])
      for image in [box, model] { try await client.pull(image) }
      let pod = try await client.runPod()
      _ = try await client.start(
        "main", in: pod, image: box, ["/a/file", "/b/new", "/model/weights/first"], volume: model)
      #expect(try await eventually { try await client.ended() == ["main": 0] })
      #expect(client.output(of: "main") == ["one", "new", "heavy"])
      let content = try await containerd.shell.succeed("ctr -n k8s.io content list")
      #expect(!content.contains("application/vnd.oci.image.layer"), "\(content)")

      try await client.remove(pod)
      for image in [box, model, "\(containerd.registry)/pause:1"] { try await client.remove(image: image) }
      #expect(try await eventually { try Directory.names(in: "\(daemon.root)/snapshots/s").isEmpty })
    }
  }
}
