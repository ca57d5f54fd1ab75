import ContainerdAPI
import GRPCCore
import LayerStore
import LinuxSystem
import OCI
import PlatformHarness
import Testing

@testable import LazyImages

/// What containerd and its clients rely on beyond the conformance cases.
@Suite(.serialized) struct SemanticsTests {
  @Test func `a parent must be there and committed`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      #expect(await refusal { try await snapshotter.prepare("a", "nobody") } == .notFound)
      try await snapshotter.prepare("active")
      #expect(await refusal { try await snapshotter.prepare("a", "active") } == .invalidArgument)
      try await snapshotter.view("view")
      #expect(await refusal { try await snapshotter.view("a", "view") } == .invalidArgument)
      #expect(try await snapshotter.names([]) == ["active", "view"])
      #expect(try Directory.names(in: "\(snapshotter.root)/s").count == 2)
    }
  }

  @Test func `refusals have containerd's codes`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("committed", "true")
      try await snapshotter.view("view", "committed")
      #expect(await refusal { try await snapshotter.commit("x", "view") } == .failedPrecondition)
      #expect(await refusal { try await snapshotter.commit("x", "committed") } == .failedPrecondition)
      #expect(await refusal { try await snapshotter.commit("x", "nobody") } == .notFound)
      #expect(await refusal { _ = try await snapshotter.mounts("committed") } == .failedPrecondition)
      #expect(await refusal { _ = try await snapshotter.mounts("nobody") } == .notFound)
      #expect(await refusal { try await snapshotter.remove("nobody") } == .notFound)
      #expect(await refusal { _ = try await snapshotter.usage("nobody") } == .notFound)
      #expect(await refusal { _ = try await snapshotter.update(.with { $0.name = "nobody" }) } == .notFound)
      #expect(await refusal { _ = try await snapshotter.list("name=") } == .invalidArgument)
      try await snapshotter.prepare("active", "committed")
      #expect(await refusal { try await snapshotter.commit("x", "active", parent: "other") } == .invalidArgument)
      try await snapshotter.commit("x", "active", parent: "committed")
    }
  }

  @Test func `labels of a commit replace those of the active snapshot`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.prepare("active", "", ["a": "1", "b": "2"])
      try await snapshotter.commit("committed", "active", ["b": "3"])
      let info = try await snapshotter.stat("committed")
      #expect(info.labels == ["b": "3"] && info.createdAt == info.updatedAt)
    }
  }

  @Test func `a snapshot of nothing is a bind mount, one of many an overlay`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let bare = try await snapshotter.prepare("bare")
      #expect(bare.count == 1 && bare[0].type == "bind" && bare[0].options == ["rw", "rbind"])
      #expect(try await snapshotter.view("bare view")[0].options == ["ro", "rbind"])
      try await snapshotter.commit("one", "bare")
      let view = try await snapshotter.view("view", "one")
      #expect(view[0].type == "bind" && view[0].source == bare[0].source && view[0].options == ["ro", "rbind"])
      let active = try await snapshotter.prepare("active", "one")
      #expect(active[0].type == "overlay" && active[0].source == "overlay")
      #expect(active[0].options.contains("lowerdir=\(bare[0].source)"))
      #expect(try await snapshotter.mounts("active") == active)
      try await snapshotter.commit("two", "active")
      let both = try await snapshotter.view("both", "two")
      #expect(both[0].type == "overlay" && !both[0].options.contains { $0.hasPrefix("upperdir=") })
      let lower = try #require(both[0].options.first { $0.hasPrefix("lowerdir=") })
      #expect(lower.hasSuffix(":\(bare[0].source)"))
    }
  }

  @Test func `a child's root has its parent's owner and permissions`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("base", "chown 7:8 . && chmod 1770 .")
      let root = try await snapshotter.mounted(try await snapshotter.prepare("child", "base")) {
        try await snapshotter.shell.succeed("stat -c '%a %u %g' \($0)")
      }
      #expect(root == "1770 7 8\n")
    }
  }

  @Test func `usage counts a snapshot's own files, and links once`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer(
        "base",
        "head -c 1000000 /dev/zero | tr '\\0' x > large && ln large again && mkdir d && ln large d/third && sync .")
      let base = try await snapshotter.usage("base")
      #expect(base.inodes == 3 && base.bytes >= 1_000_000 && base.bytes < 1_100_000)
      #expect(try await snapshotter.usage("base") == base)
      try await snapshotter.mounted(try await snapshotter.prepare("child", "base")) {
        try await snapshotter.shell.succeed("echo x > \($0)/small && sync \($0)/small")
      }
      let child = try await snapshotter.usage("child")
      #expect(child.inodes == 2 && child.bytes < 100_000)
      try await snapshotter.mounted(try await snapshotter.mounts("child")) {
        try await snapshotter.shell.succeed("echo x > \($0)/more")
      }
      #expect(try await snapshotter.usage("child").inodes == 3)
      try await snapshotter.view("view", "base")
      #expect(try await snapshotter.usage("view") == LayerUsage(bytes: 0, inodes: 0))
    }
  }

  @Test func `names that are not UTF-8 and trees of any depth are counted and removed`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.mounted(try await snapshotter.prepare("deep")) { root in
        try await snapshotter.shell.succeed(
          """
          cd \(root) && python3 - <<'P'
          import os
          os.mkdir(b"latin-\\xe9"); open(b"latin-\\xe9/\\xff", "w").close(); os.symlink("/etc", "link")
          for i in range(3000):
              os.mkdir("d" * 100); os.chdir("d" * 100)
          P
          """)
      }
      #expect(try await snapshotter.usage("deep").inodes == 1 + 3 + 3000)
      try await snapshotter.remove("deep")
      #expect(try Directory.names(in: "\(snapshotter.root)/s").isEmpty)
      #expect(FileStatus.exists("/etc/passwd"))
    }
  }

  @Test func `cleanup removes what has no record, and nothing else`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("kept", "echo x > file")
      try Directory.make("\(snapshotter.root)/s/777/fs/some/where")
      try await snapshotter.cleanUp()
      #expect(try Directory.names(in: "\(snapshotter.root)/s") == ["1"])
      #expect(try await snapshotter.listing(of: "kept").count == 2)
    }
  }

  @Test func `id mappings become mount options, and the root gets the container's owner`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("base", "chown 5:6 .")
      let labels = [SnapshotLabel.uidMapping: "0:100000:65536", SnapshotLabel.gidMapping: "0:200000:10,10:300000:5"]
      let mounts = try await snapshotter.prepare("mapped", "base", labels)
      #expect(mounts[0].options.prefix(2) == ["uidmap=0:100000:65536", "gidmap=0:200000:10,10:300000:5"])
      let upper = try #require(mounts[0].options.first { $0.hasPrefix("upperdir=") }).dropFirst(9)
      #expect(try await snapshotter.shell.succeed("stat -c '%u %g' \(upper)") == "100005 200006\n")
      #expect(try await snapshotter.view("view", "base", labels)[0].options.prefix(1) == ["uidmap=0:100000:65536"])
      for bad in ["", "0:1", "0:1:0", "a:b:c", "0:1:2:3", "1:0:5", "0:4294967295:2", "-1:0:1", "0:0:1,"] {
        let labels = [SnapshotLabel.uidMapping: bad, SnapshotLabel.gidMapping: "0:0:1"]
        #expect(await refusal { try await snapshotter.prepare("bad", "base", labels) } == .invalidArgument, "\(bad)")
      }
      #expect(
        await refusal { try await snapshotter.prepare("half", "base", [SnapshotLabel.uidMapping: "0:1:2"]) }
          == .invalidArgument)
    }
  }

  @Test func `hostile names and labels are refused, and nothing stays of them`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let long = String(repeating: "k", count: 1 << 20)
      for key in ["", long, "a\0b"] {
        #expect(await refusal { try await snapshotter.prepare(key) } == .invalidArgument)
        #expect(await refusal { _ = try await snapshotter.stat(key) } == .invalidArgument)
        #expect(await refusal { try await snapshotter.remove(key) } == .invalidArgument)
        #expect(await refusal { try await snapshotter.commit(key, "x") } == .invalidArgument)
      }
      #expect(await refusal { try await snapshotter.prepare("a", long) } == .invalidArgument)
      let value = String(repeating: "v", count: 4096)
      for labels in [["k": value], ["k": "a\0b"], ["": "v"]] {
        #expect(await refusal { try await snapshotter.prepare("a", "", labels) } == .invalidArgument)
      }
      try await snapshotter.prepare("fits", "", ["k": String(value.dropLast())])
      for name in [
        "../../../etc", "/", "a/../b", "'; DROP TABLE snapshots; --", "長屋\n\t\u{1F980}", "e\u{301}", "\u{e9}",
      ] {
        try await snapshotter.prepare(name)
        #expect(try await snapshotter.stat(name).name.utf8.elementsEqual(name.utf8))
      }
      #expect(try await snapshotter.list().count == 8)
      #expect(try Directory.names(in: "\(snapshotter.root)/s").count == 8)
      // Larger than a message may be: the connection answers, and lives on.
      let tooLong = String(repeating: "k", count: 17 << 20)
      #expect(await refusal { try await snapshotter.prepare(tooLong) } != nil)
      #expect(try await snapshotter.list().count == 8)
    }
  }

  @Test func `many snapshots are made, listed and removed at once`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("base", "echo x > file")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<250 {
          group.addTask {
            try await snapshotter.prepare("active-\(index)", "base", ["number": "\(index)"])
            _ = try await snapshotter.names(["labels.number==\(index)"])
            if index % 2 == 0 { try await snapshotter.remove("active-\(index)") }
            if index % 5 == 0 { try await snapshotter.cleanUp() }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await snapshotter.list("kind==active").count == 125)
      #expect(try Directory.names(in: "\(snapshotter.root)/s").count == 126)
      #expect(Set(try await snapshotter.list().map(\.name)).count == 126)
    }
  }

  @Test func `of many with one key, one is made`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let answers = await withTaskGroup(of: RPCError.Code?.self, returning: [RPCError.Code?].self) { group in
        for _ in 0..<40 { group.addTask { await refusal { try await snapshotter.prepare("same") } } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(answers.count { $0 == nil } == 1 && answers.count { $0 == .alreadyExists } == 39)
      let directories = try Directory.names(in: "\(snapshotter.root)/s")
      #expect(directories.count == 1)
    }
  }
}
