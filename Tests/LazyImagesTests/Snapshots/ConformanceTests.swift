import ContainerdAPI
import GRPCCore
import LinuxSystem
import PlatformHarness
import Testing

@testable import LazyImages

/// The 21 cases that containerd asks of every snapshotter (its package core/snapshots/testsuite), on real mounts.
@Suite(.serialized) struct ConformanceTests {
  static let root = ["containerd.io/gc.root": "2026-01-01T00:00:00Z"]

  /// Layers of a snapshotter look as if one directory had been changed step by step.
  private func check(_ scripts: String..., redirecting: Bool = false) async throws {
    try await SnapshotterFixture.with { snapshotter in
      let flat = "\(snapshotter.path)/flat"
      try await snapshotter.shell.succeed("mkdir -m 755 \(flat)")
      var parent = ""
      for (index, script) in scripts.enumerated() {
        try await snapshotter.shell.succeed("cd \(flat) && umask 022 && \(script)")
        try await snapshotter.layer("layer-\(index)", on: parent, script)
        parent = "layer-\(index)"
        let (found, expected) = (try await snapshotter.listing(of: parent), try await files(in: flat))
        #expect(found == expected)
      }
    }
  }

  @Test func `1 Basic`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let first = "printf 'foo\\n' > foo && chmod 777 foo && mkdir -p a/b/c"
      let second = "printf 'bar\\n' > bar && chmod 777 bar && printf 'bar\\n' > foo && rm -r a/b"
      let flat = "\(snapshotter.path)/flat"
      let key = "preparing"
      try await snapshotter.mounted(try await snapshotter.prepare(key, "", Self.root)) {
        try await snapshotter.shell.succeed("cd \($0) && \(first)")
      }
      try await snapshotter.commit("committed", key, Self.root)
      let committed = try await snapshotter.stat("committed")
      #expect(committed.parent.isEmpty && committed.kind == .committed)
      #expect(await refusal { _ = try await snapshotter.stat(key) } == .notFound)

      let before = try await snapshotter.shell.succeed("mkdir -m 755 \(flat) && cd \(flat) && \(first)")
      #expect(before.isEmpty)
      try await snapshotter.mounted(try await snapshotter.prepare("next", "committed", Self.root)) {
        let (found, expected) = (try await files(in: $0), try await files(in: flat))
        #expect(found == expected)
        try await snapshotter.shell.succeed("cd \($0) && \(second)")
      }
      let next = try await snapshotter.stat("next")
      #expect(next.parent == "committed" && next.kind == .active)
      try await snapshotter.commit("committed-next", "next", Self.root)
      let committedNext = try await snapshotter.stat("committed-next")
      #expect(committedNext.parent == "committed" && committedNext.kind == .committed)
      #expect(await refusal { _ = try await snapshotter.stat("next") } == .notFound)
      let walked = try await snapshotter.list()
      #expect(walked.contains(committed) && walked.contains(committedNext))

      try await snapshotter.shell.succeed("cd \(flat) && \(second)")
      try await snapshotter.mounted(try await snapshotter.view("nextnext", "committed-next", Self.root)) {
        let (found, expected) = (try await files(in: $0), try await files(in: flat))
        #expect(found == expected)
      }
      try await snapshotter.remove("nextnext")
      #expect(await refusal { try await snapshotter.remove("committed") } == .failedPrecondition)
      try await snapshotter.remove("committed-next")
      try await snapshotter.remove("committed")
      #expect(try await snapshotter.list().isEmpty)
    }
  }

  @Test func `2 StatActive`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.mounted(try await snapshotter.prepare("active")) {
        try await snapshotter.shell.succeed("echo foo > \($0)/foo")
        let info = try await snapshotter.stat("active")
        #expect(info.name == "active" && info.kind == .active && info.parent.isEmpty)
      }
    }
  }

  @Test func `3 StatCommitted`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.mounted(try await snapshotter.prepare("active")) {
        try await snapshotter.shell.succeed("echo foo > \($0)/foo")
        // While it is still mounted, as containerd's suite does.
        try await snapshotter.commit("committed", "active")
        let info = try await snapshotter.stat("committed")
        #expect(info.name == "committed" && info.kind == .committed && info.parent.isEmpty)
      }
    }
  }

  @Test func `4 Transitivity`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("a", "echo foo > foo")
      try await snapshotter.layer("b", on: "a", "echo foo bar > foo")
      let b = try await snapshotter.stat("b")
      let parent = try await snapshotter.stat(b.parent)
      #expect(b.parent == "a" && parent.parent.isEmpty)
    }
  }

  @Test func `5 PrepareView with a key that is taken fails`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("a", "true")
      try await snapshotter.prepare("new", "a")
      #expect(await refusal { try await snapshotter.view("new", "a") } == .alreadyExists)
      #expect(await refusal { try await snapshotter.prepare("new", "a") } == .alreadyExists)
      try await snapshotter.view("view", "a")
      #expect(await refusal { try await snapshotter.view("view", "a") } == .alreadyExists)
      #expect(await refusal { try await snapshotter.prepare("a") } == .alreadyExists)
      #expect(await refusal { try await snapshotter.commit("a", "new") } == .alreadyExists)
    }
  }

  private func base(_ snapshotter: SnapshotterFixture) async throws {
    try await snapshotter.prepare("c1-a", "", Self.root)
    try await snapshotter.commit("c1", "c1-a", Self.root)
    try await snapshotter.prepare("c2-a", "c1", Self.root)
    try await snapshotter.commit("c2", "c2-a", Self.root)
    try await snapshotter.prepare("a1", "c2", Self.root)
    try await snapshotter.prepare("a2", "", Self.root)
    try await snapshotter.view("v1", "c2", Self.root)
    try await snapshotter.view("v2", "", Self.root)
  }

  @Test func `6 Update`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let began = Moment.now
      try await base(snapshotter)
      let ended = Moment.now
      let cases: [(String, Containerd_Services_Snapshots_V1_Kind, String)] = [
        ("c1", .committed, ""), ("c2", .committed, "c1"), ("a1", .active, "c2"), ("a2", .active, ""),
        ("v1", .view, "c2"), ("v2", .view, ""),
      ]
      for (name, kind, parent) in cases {
        var info = try await snapshotter.stat(name)
        #expect(info.name == name && info.kind == kind && info.parent == parent)
        #expect(info.createdAt.moment >= began && info.createdAt.moment <= ended && info.createdAt == info.updatedAt)
        let created = info.createdAt

        info.parent = "doesnotexist"
        info.labels = ["l1": "v1", "l2": "v2", "l3": "v3", "containerd.io/gc.root": "now"]
        let before = Moment.now
        var updated = try await snapshotter.update(info)
        #expect(updated.createdAt == created && updated.kind == kind && updated.parent == parent)
        #expect(updated.updatedAt.moment >= before && updated.updatedAt.moment <= Moment.now)
        #expect(updated.labels == info.labels)

        updated.labels = ["l1": "updated", "l4": "v4"]
        updated = try await snapshotter.update(updated, ["labels.l1", "labels.l2"])
        #expect(updated.labels == ["l1": "updated", "l3": "v3", "containerd.io/gc.root": "now"])

        updated.labels = ["l4": "v4", "containerd.io/gc.root": "now"]
        updated = try await snapshotter.update(updated, ["labels"])
        #expect(updated.labels == ["l4": "v4", "containerd.io/gc.root": "now"])
        #expect(try await snapshotter.stat(name) == updated)

        updated.parent = "doesnotexist"
        let refused = updated
        #expect(await refusal { _ = try await snapshotter.update(refused, ["parent"]) } == .invalidArgument)
      }
    }
  }

  @Test func `7 Remove`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.prepare("committed-a")
      try await snapshotter.commit("committed-1", "committed-a")
      try await snapshotter.prepare("reuse-1", "committed-1")
      try await snapshotter.remove("reuse-1")
      try await snapshotter.view("reuse-1", "committed-1")
      try await snapshotter.remove("reuse-1")
      try await snapshotter.prepare("reuse-1")
      try await snapshotter.remove("committed-1")
      try await snapshotter.commit("committed-1", "reuse-1")
    }
  }

  @Test func `8 Walk`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let plain = ["containerd.io/gc.root": "check-walk"]
      func labels(_ value: String) -> [String: String] { ["l": value, "containerd.io/gc.root": "check-walk"] }
      try await snapshotter.prepare("a-np", "", plain)
      try await snapshotter.prepare("p-tmp", "", plain)
      try await snapshotter.commit("p", "p-tmp", plain)
      try await snapshotter.prepare("a", "p", plain)
      try await snapshotter.view("v", "p", plain)
      try await snapshotter.prepare("p-wl-tmp", "", plain)
      try await snapshotter.commit("p-wl", "p-wl-tmp", labels("1"))
      try await snapshotter.prepare("a-wl", "p-wl", labels("2"))
      try await snapshotter.view("v-wl", "p-wl", labels("3"))
      try await snapshotter.prepare("a-np-wl", "", labels("2"))
      let root = #"labels."containerd.io/gc.root"==check-walk"#
      let cases: [([String], [String])] = [
        (["a-np", "p", "a", "v", "p-wl", "a-wl", "v-wl", "a-np-wl"], [root]),
        (["a-np", "a", "a-wl", "a-np-wl"], ["kind==active,\(root)"]), (["v", "v-wl"], ["kind==view,\(root)"]),
        (["p", "p-wl"], ["kind==committed,\(root)"]), (["p", "a-np-wl"], ["name==p", "name==a-np-wl"]),
        (["a-wl"], ["name==a-wl,labels.l"]), (["a", "v"], ["parent==p"]),
        (["a", "v", "a-wl", "v-wl"], [#"parent!="","# + root]),
        (["p-wl", "a-wl", "v-wl", "a-np-wl"], ["labels.l"]), (["a-wl", "a-np-wl"], ["labels.l==2"]),
      ]
      for (names, filters) in cases { #expect(try await snapshotter.names(filters) == names.sorted(), "\(filters)") }
    }
  }

  @Test func `9 LayerFileUpdate`() async throws {
    try await check(
      """
      mkdir -m 700 etc && printf 'mydomain 10.0.0.1' > etc/hosts && printf PATH=/usr/bin > etc/profile
      """,
      """
      printf 'mydomain 10.0.0.2' > etc/hosts && printf PATH=/usr/bin > etc/profile && chmod 666 etc/profile &&
      mkdir -m 700 root && printf PATH=/usr/sbin:/usr/bin > root/.bashrc
      """)
  }

  @Test func `10 RemoveDirectoryInLowerLayer`() async throws {
    try await check(
      "mkdir -m 700 lib && : > lib/hidden", "rm -r lib && mkdir -m 700 lib && : > lib/not-hidden", ": > lib/newfile")
  }

  @Test func `11 Chown`() async throws {
    try await check(
      "mkdir -p -m 700 opt/a/b && printf hello > opt/a/b/file.txt",
      "chown 1:1 opt opt/a opt/a/b opt/a/b/file.txt")
  }

  @Test func `12 DirectoryPermissionOnCommit`() async throws {
    try await check(
      """
      mkdir -m 700 dir1 dir2 dir3 dir4 dir5 && printf ... > dir4/f1 && printf ... > dir5/f1 &&
      chown 1:1 dir1 dir2 dir3 dir5 dir5/f1
      """, "chown 0:0 dir2 && rm -r dir3 && chown 1:1 dir4 dir4/f1",
      "mkdir -m 700 dir3 && chown 1:1 dir3 && rm -r dir5 && mkdir -m 700 dir5 && chown 1:1 dir5")
  }

  @Test func `13 RemoveIntermediateSnapshot`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("base", "true")
      try await snapshotter.prepare("intermediate", "base")
      try await snapshotter.commit("committed", "intermediate")
      try await snapshotter.prepare("top", "committed")
      #expect(await refusal { try await snapshotter.remove("committed") } == .failedPrecondition)
      try await snapshotter.remove("top")
      try await snapshotter.remove("committed")
      try await snapshotter.remove("base")
      #expect(try Directory.names(in: "\(snapshotter.root)/s").isEmpty)
    }
  }

  @Test func `14 DeletedFilesInChildSnapshot`() async throws {
    try await check("echo foo > foo && echo foobar > foobar", "rm foobar", "true")
  }

  @Test func `15 MoveFileFromLowerLayer`() async throws {
    try await check(
      "mkdir -m 700 dir1 dir2 && printf Hello > dir1/f1 && printf ... > dir2/f2",
      "mkdir -m 700 dir3 && printf Hello > dir3/f1 && rm -r dir1 && ln dir2/f2 dir3/f2 && rm dir2/f2")
  }

  @Test func `16 ViewReadonly`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.layer("one", "true")
      try await snapshotter.layer("two", on: "one", "true")
      for (parent, error) in [("", "Read-only"), ("one", "Read-only"), ("two", "Read-only")] {
        try await snapshotter.mounted(try await snapshotter.view("view of \(parent)", parent)) {
          let output = try await snapshotter.shell("touch \($0)/testfile")
          #expect(!output.succeeded && output.error.contains(error))
        }
        try await snapshotter.remove("view of \(parent)")
      }
    }
  }

  @Test func `17 StatInWalk`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await base(snapshotter)
      try await snapshotter.client.list(.init(), options: snapshotter.options) { response in
        for try await message in response.messages {
          for info in message.info { #expect(try await snapshotter.stat(info.name) == info) }
        }
      }
    }
  }

  @Test func `18 CloseTwice`() async throws {
    let path = "/tmp/nst\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    defer { SnapshotterFixture.clean(path) }
    let configuration = SnapshotterConfiguration(root: path, socket: "")
    let snapshotter = try Snapshotter(root: configuration, layers: NoLayers(), logger: SnapshotterFixture.quiet)
    _ = try await snapshotter.prepare("prepare", parent: "", labels: [:])
    try await snapshotter.commit("prepare", as: "committed", labels: [:], parent: "")
    try await snapshotter.remove("committed")
    try snapshotter.close()
    try snapshotter.close()
  }

  @Test func `19 RootPermission`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      try await snapshotter.mounted(try await snapshotter.prepare("preparing")) { root in
        let status = try await snapshotter.shell.succeed("stat -c '%a %u %g' \(root)")
        #expect(status == "755 0 0\n")
      }
    }
  }

  /// A directory of a lower layer is not renamed: overlayfs answers EXDEV, and programs copy (containerd's suite leaves
  /// it out for overlayfs, too).
  @Test func `20 Rename`() async throws {
    try await check(
      "mkdir -m 700 dir1 somefiles && printf 'was here first!' > somefiles/f1 && printf 'nothing' > somefiles/f2",
      """
      printf 'new content 1' > somefiles/f1-overwrite && mv somefiles/f1-overwrite somefiles/f1 &&
      mv somefiles/f2 somefiles/f3
      """)
  }

  @Test func `21 128LayersMount`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let flat = "\(snapshotter.path)/flat"
      try await snapshotter.shell.succeed("mkdir -m 755 \(flat)")
      var parent = ""
      for index in 0..<128 {
        let script =
          index == 0
          ? """
          echo 'way at the bottom' > bottom && echo 'FIRST!' > overwriteme && mkdir addhere onlyme &&
          echo 'bye!' > onlyme/bottom
          """
          : """
          echo '\(index) WAS HERE!' > overwriteme && echo same > addhere/file-\(index) && rm -r onlyme && mkdir onlyme &&
          echo 'only me!' > onlyme/file-\(index)
          """
        try await snapshotter.shell.succeed("cd \(flat) && \(script)")
        try await snapshotter.layer("committed-\(index)", on: parent, script)
        parent = "committed-\(index)"
        if index % 32 == 31 {
          let (found, expected) = (try await snapshotter.listing(of: parent), try await files(in: flat))
          #expect(found == expected)
        }
      }
    }
  }
}
