import ContainerdAPI
import GRPCCore
import LayerStore
import LinuxSystem
import Locking
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// Layers that need no unpacking, as containerd's unpacker and metadata store ask for them.
@Suite(.serialized) struct RemoteSnapshotTests {
  /// Runs a body with a snapshotter over test layers.
  private func with(
    gate: @escaping @Sendable (LayerKey) async throws -> Void = { _ in },
    _ body: @Sendable (SnapshotterFixture, TestLayers) async throws -> Void
  ) async throws {
    let made = Mutex<TestLayers?>(nil)
    try await SnapshotterFixture.with(layers: { path in
      let layers = TestLayers(path, gate: gate)
      made.withLock { $0 = layers }
      return layers
    }) { snapshotter in
      try await body(snapshotter, try #require(made.withLock { $0 }))
    }
  }

  private func target(_ chainID: String, _ parent: String) -> String {
    #"labels."containerd.io/snapshot.ref"=="\#(chainID)",parent=="\#(parent)""#
  }

  @Test func `prepare answers that a layer is there, and containerd finds it`() async throws {
    try await with { snapshotter, layers in
      let digest = try await layers.add("echo lazy > file && chown 3:4 file")
      let labels = TestLayers.labels(digest, chainID: "sha256:chain1")
      let code = await refusal { try await snapshotter.prepare("default/1/extract-1 sha256:chain1", "", labels) }
      #expect(code == .alreadyExists)
      let found = try await snapshotter.list(target("sha256:chain1", ""))
      #expect(found.count == 1 && found[0].kind == .committed && found[0].parent.isEmpty && found[0].labels == labels)
      // Its key was not used up.
      #expect(await refusal { _ = try await snapshotter.stat("default/1/extract-1 sha256:chain1") } == .notFound)
      let request = try #require(layers.log.requests.first)
      #expect(request.layer == digest && request.image.description == "registry.test/some/image:1")
      #expect(request.following == [digest] && request.labels == labels)

      // Again, as a second namespace or a repeated call asks: the same snapshot, no second look.
      #expect(await refusal { try await snapshotter.prepare("other/2/x", "", labels) } == .alreadyExists)
      #expect(try await snapshotter.list(target("sha256:chain1", "")) == found)
      #expect(layers.log.requests.count == 1)

      let mounts = try await snapshotter.view("view", found[0].name)
      #expect(mounts[0].type == "bind" && mounts[0].options == ["ro", "rbind"])
      let text = try await snapshotter.mounted(mounts) {
        try await snapshotter.shell.succeed(
          "cat \($0)/file && stat -c '%u:%g' \($0)/file && ! touch \($0)/x 2>/dev/null")
      }
      #expect(text == "lazy\n3:4\n")
      #expect(try await snapshotter.usage(found[0].name) == LayerUsage(bytes: 4096, inodes: 7))
    }
  }

  @Test func `a layer is given to those alone who name its blob, as long as it is not proven`() async throws {
    try await with { snapshotter, layers in
      let (right, wrong) = (try await layers.add("echo right > file"), try await layers.add("echo wrong > file"))
      // An image says that the wrong blob is the right content.
      let lie = TestLayers.labels(wrong, chainID: right.description)
      #expect(await refusal { try await snapshotter.prepare("liar/1/x", "", lie) } == .alreadyExists)
      #expect(await refusal { try await snapshotter.prepare("liar/2/x", "", lie) } == .alreadyExists)
      let truth = TestLayers.labels(right, chainID: right.description)
      let mounts = try await snapshotter.prepare("victim/3/x", "", truth)
      #expect(mounts.map(\.options) == [["rw", "rbind"]])
      // Nor does anybody get it who names no blob.
      try await snapshotter.prepare("victim/4/x", "", ["containerd.io/snapshot.ref": right.description])
    }
  }

  @Test func `what is not lazy is unpacked as ever`() async throws {
    try await with { snapshotter, layers in
      let unknown = Digest(of: [1, 2, 3])
      let labels = TestLayers.labels(unknown, chainID: "sha256:chain1")
      let mounts = try await snapshotter.prepare("extract", "", labels)
      #expect(mounts[0].options == ["rw", "rbind"] && layers.log.requests.count == 1)
      try await snapshotter.commit("committed", "extract", labels)
      // No layer is named: nobody is asked.
      try await snapshotter.prepare("other", "", ["containerd.io/snapshot.ref": "sha256:chain2"])
      #expect(layers.log.requests.count == 1)
      // Neither is for a container's own snapshot.
      try await snapshotter.prepare("container", "committed", ["containerd.io/snapshot/cri.image-ref": "a/b:1"])
      #expect(layers.log.requests.count == 1)
    }
  }

  @Test func `lower layers of both kinds make one file system`() async throws {
    try await with { snapshotter, layers in
      func lazy(_ script: String, _ chainID: String, on parent: String) async throws -> String {
        let labels = TestLayers.labels(try await layers.add(script), chainID: chainID)
        #expect(await refusal { try await snapshotter.prepare("x", parent, labels) } == .alreadyExists)
        return try #require(try await snapshotter.list(target(chainID, parent)).first).name
      }
      let bottom = try await lazy(
        "mkdir a b && echo 1 > a/one && echo 1 > b/gone && ln b/gone b/link", "c1", on: "")
      try await snapshotter.layer(
        "middle", on: bottom,
        "chmod 1750 . && chown 3:4 . && echo 2 > a/two && rm b/gone && rm -r b && mkdir b && echo 2 > b/new")
      let top = try await lazy(
        "mkdir a && echo 3 > a/three && : > a/.wh.one && chmod 1711 . && chown 9:9 .", "c3", on: "middle")
      let mounts = try await snapshotter.prepare("container", top)
      #expect(mounts.count == 1 && mounts[0].type == "overlay" && mounts[0].options.contains("xino=auto"))
      let seen = try await snapshotter.mounted(mounts) {
        try await snapshotter.shell.succeed(
          """
          cd \($0) && find . | LC_ALL=C sort && cat a/two a/three b/new && echo written > a/three && cat a/three
          rm a/two && test ! -e a/two && stat -c '%a %u %g' . && find . -printf '%D\\n' | sort -u | wc -l
          """)
      }
      #expect(seen == ".\n./a\n./a/three\n./a/two\n./b\n./b/new\n2\n3\n2\nwritten\n1750 3 4\n1\n")
      // The layer below is as it was.
      #expect(try await snapshotter.listing(of: top).contains { $0.contains("a/two") })
      // Whoever asks again gets the same mounts.
      #expect(try await snapshotter.mounts("container") == mounts)
    }
  }

  @Test func `the last snapshot of a layer releases it`() async throws {
    try await with { snapshotter, layers in
      let digest = try await layers.add("echo x > file")
      let labels = TestLayers.labels(digest, chainID: "c1")
      #expect(await refusal { try await snapshotter.prepare("x", "", labels) } == .alreadyExists)
      // The same layer on another parent is another snapshot.
      try await snapshotter.layer("base", "true")
      #expect(await refusal { try await snapshotter.prepare("x", "base", labels) } == .alreadyExists)
      let names = try await snapshotter.names([#"labels."containerd.io/snapshot.ref"==c1"#])
      #expect(names.count == 2 && names[0] == "c1")
      try await snapshotter.view("view", names[0])
      #expect(try layers.isMounted(digest))
      try await snapshotter.remove("view")
      try await snapshotter.remove(names[0])
      #expect(layers.log.releases.isEmpty)
      #expect(try layers.isMounted(digest))
      try await snapshotter.remove(names[1])
      #expect(layers.log.releases == [LayerKey(digest)])
      #expect(try !layers.isMounted(digest))
      #expect(try Directory.names(in: "\(snapshotter.root)/s").count == 1)
    }
  }

  @Test func `a slow layer holds nobody else up, and is asked for once`() async throws {
    let (gates, gate) = AsyncStream.makeStream(of: Void.self)
    try await with(gate: { _ in for await _ in gates { break } }) { snapshotter, layers in
      let digest = try await layers.add("echo x > file")
      let labels = TestLayers.labels(digest, chainID: "c1")
      try await withThrowingTaskGroup(of: RPCError.Code?.self) { group in
        for index in 0..<20 {
          group.addTask { await refusal { try await snapshotter.prepare("extract-\(index)", "", labels) } }
        }
        #expect(await eventually { !layers.log.requests.isEmpty })
        // Everything else goes on.
        try await snapshotter.prepare("other")
        try await snapshotter.layer("base", "true")
        #expect(try await snapshotter.list().count == 2)
        gate.finish()
        for try await code in group { #expect(code == .alreadyExists) }
      }
      #expect(layers.log.requests.count == 1 && layers.log.mostAtOnce == 1)
      #expect(try await snapshotter.list().count == 3)
    }
  }

  @Test func `a call that its client gave up leaves nothing`() async throws {
    // Whoever gives up waiting has not been let in, and lets nobody else in: a stream would end for all with the first that is
    // cancelled, and the server may hear of the other's end later.
    let isOpen = Mutex(false)
    let wait: @Sendable (LayerKey) async throws -> Void = { _ in
      while !isOpen.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
    }
    try await with(gate: wait) { snapshotter, layers in
      let digest = try await layers.add("echo x > file")
      let labels = TestLayers.labels(digest, chainID: "c1")
      let calls = Task { try await snapshotter.prepare("extract", "", labels) }
      let waiting = Task { try await snapshotter.prepare("waiting", "", labels) }
      #expect(await eventually { !layers.log.requests.isEmpty })
      waiting.cancel()
      calls.cancel()
      _ = await calls.result
      _ = await waiting.result
      // The layer's turn is over although it was never resolved.
      #expect(await eventually { layers.log.resolvingNow.values.allSatisfy { $0 == 0 } })
      #expect(try await snapshotter.list().isEmpty)
      #expect(try Directory.names(in: "\(snapshotter.root)/s").isEmpty)
      isOpen.withLock { $0 = true }
      #expect(await refusal { try await snapshotter.prepare("extract", "", labels) } == .alreadyExists)
    }
  }

  @Test func `older clients' labels name a layer, too`() throws {
    let digest = Digest(of: [1])
    let request = try #require(
      LayerRequest(labels: [
        "containerd.io/snapshot/remote/stargz.reference": "ghcr.io/a/b:1",
        "containerd.io/snapshot/remote/stargz.digest": "\(digest)",
        "containerd.io/snapshot/remote/stargz.layers": "\(digest),sha256:cut",
        "containerd.io/snapshot/cri.manifest-digest": "\(digest)",
      ]))
    #expect(request.image.repository == "a/b" && request.layer == digest)
    #expect(request.following == [digest] && request.manifest == digest)
    #expect(LayerRequest(labels: ["containerd.io/snapshot/cri.image-ref": "a/b:1"]) == nil)
    #expect(
      LayerRequest(labels: [
        "containerd.io/snapshot/cri.image-ref": "A B", "containerd.io/snapshot/cri.layer-digest": "\(digest)",
      ]) == nil)
  }

  @Test func `a layer that can't be mounted makes its children fail, and nothing else`() async throws {
    try await with { snapshotter, layers in
      let digest = try await layers.add("echo x > file")
      #expect(
        await refusal { try await snapshotter.prepare("x", "", TestLayers.labels(digest, chainID: "c1")) }
          == .alreadyExists)
      try await snapshotter.shell.succeed("rm \(layers.directory)/l*/layer.tar")
      #expect(await refusal { try await snapshotter.prepare("child", "c1") } == .unavailable)
      #expect(await refusal { try await snapshotter.view("child", "c1") } == .unavailable)
      #expect(try await snapshotter.names([]) == ["c1"])
      try await snapshotter.remove("c1")
    }
  }
}
