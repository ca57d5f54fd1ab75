import CRI
import Foundation
import GRPCCore
import JSONDocument
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// An image whose configuration claims another image's content, so that others get its own in that one's place: containerd
/// finds layers by what configurations say.
@Suite(.serialized) struct ChainIDAttacks {
  private static let (right, wrong) = (
    ["echo right > file", "echo above > second"], ["echo wrong > file", "echo above > second"]
  )

  private func with(
    options: String = "", _ body: @Sendable (ContainerdFixture, ImagesDaemon) async throws -> Void
  ) async throws {
    try await ImagesDaemon.with(options: options) { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { try await body($0, daemon) }
    }
  }

  /// Pushes the victim `box:right` and the liar `box:lie`, which has other layers below the same configuration.
  private func push(_ kind: ImageKind, _ containerd: ContainerdFixture, _ daemon: ImagesDaemon) async throws {
    try await containerd.push(kind, "box:right", Self.right, daemon)
    try await containerd.push(kind, "box:wrong", Self.wrong, daemon)
    func manifest(_ tag: String) async throws -> ImageManifest {
      let accepted = [MediaType.manifest, MediaType.index].map { "-H 'Accept: \($0)'" }.joined(separator: " ")
      func get(_ name: String) async throws -> JSONValue {
        let text = try await containerd.shell.succeed(
          "curl -sf \(accepted) http://\(containerd.registry)/v2/box/manifests/\(name)")
        return try JSONValue(parsing: Array(text.utf8))
      }
      var json = try await get(tag)
      if let index = ImageIndex(json: json), let first = index.manifests.first {
        json = try await get(first.digest.description)
      }
      return try #require(ImageManifest(json: json))
    }
    var lie = try await manifest("wrong")
    lie.config = try await manifest("right").config
    let path = "\(containerd.directory)/lie.json"
    try DurableFile.write(lie.json.encoded(), to: path)
    try await containerd.shell.succeed(
      """
      curl -sf -X PUT -H 'Content-Type: \(MediaType.manifest)' --data-binary @\(path) \
        http://\(containerd.registry)/v2/box/manifests/lie
      """)
  }

  @Test(arguments: [ImageKind.plain, .gzip, .zstd])
  func `a plain layer that is not what its image says is refused when it is pulled`(_ kind: ImageKind) async throws {
    try await with { containerd, daemon in
      try await push(kind, containerd, daemon)
      let held = try await attempt(
        Attack(.tenantAdmin, "plain image that claims another's layers, \(kind.rawValue)", on: .otherImages)
      ) {
        var refusal = ""
        do { try await containerd.pull("box:lie") } catch { refusal = "\(error)" }
        try await containerd.pull("box:right")
        let seen = try await containerd.run("box:right", "/file /second")
        return .check(refusal.contains("refused") && seen == "right\nabove\n", "\(seen) \(refusal)")
      }
      #expect(held)
    }
  }

  @Test(arguments: [ImageKind.eStargz, .zstdChunked])
  func `a lazy layer that is not what its image says does not get into another namespace`(_ kind: ImageKind)
    async throws
  {
    try await with(options: "--background-rate 0") { containerd, daemon in
      try await push(kind, containerd, daemon)
      let held = try await attempt(
        Attack(
          .tenantAdmin, "lazy image that claims another's layers, two namespaces, \(kind.rawValue)", on: .otherImages)
      ) {
        try await containerd.pull("box:lie")
        try await containerd.pull("box:right", namespace: "other")
        let files = try await containerd.files(of: "box:right", snapshotter: "nagaya", namespace: "other")
        try await containerd.pull("box:right", snapshotter: "overlayfs", namespace: "other")
        let truth = try await containerd.files(of: "box:right", snapshotter: "overlayfs", namespace: "other")
        let differences = PullTests.withoutMarks(files).symmetricDifference(PullTests.withoutMarks(truth))
        return .check(differences.isEmpty && files.count > 3, "\(differences)")
      }
      #expect(held)
    }
  }

  /// Once all of it is here, it is known, and refused to whoever asks.
  @Test(arguments: [ImageKind.eStargz, .zstdChunked])
  func `a lazy layer that is not what its image says is refused by name once it is complete`(_ kind: ImageKind)
    async throws
  {
    try await with { containerd, daemon in
      try await push(kind, containerd, daemon)
      try await containerd.pull("box:lie")
      try await containerd.shell.succeed(
        "ctr run -d --snapshotter nagaya \(containerd.registry)/box:lie liar /app wait")
      let held = try await attempt(
        Attack(.tenantAdmin, "lazy image that claims another's layers, complete, \(kind.rawValue)", on: .otherImages)
      ) {
        try await containerd.pull("box:right")
        try await eventually("the layer is refused") {
          (try? await containerd.run("box:right", "/file")) == nil
        }
        let status = try await daemon.shell.succeed(
          "nagaya images --root \(daemon.root) --run \(daemon.run) \(containerd.registry)/box:lie")
        return .check(status.contains("refused: ") && status.contains("it is below liar"), status)
      }
      #expect(held)
      try await containerd.shell.succeed(
        "ctr tasks kill -s KILL liar; ctr tasks delete -f liar; ctr containers delete liar")
      // Without the liar's image it is as if there had been none.
      try await containerd.shell.succeed(
        "for i in lie right; do ctr images remove --sync \(containerd.registry)/box:$i; done")
      try await containerd.pull("box:right")
      #expect(try await containerd.run("box:right", "/file") == "right\n")
    }
  }

  @Test(arguments: [ImageKind.eStargz, .zstdChunked])
  func `a pod gets no other image's layers within one namespace`(_ kind: ImageKind) async throws {
    let link = "/tmp/nsti-containerd-\(UInt32.random(in: 0 ... .max)).sock"
    defer { unlink(link) }
    // Nothing is found out in the background: the start itself is the gate.
    try await with(options: "--containerd-socket \(link) --background-rate 0") { containerd, daemon in
      try #require(symlink(containerd.address, link) == 0)
      try await push(kind, containerd, daemon)
      let (lie, right) = ("\(containerd.registry)/box:lie", "\(containerd.registry)/box:right")
      try await RuntimeClient.with(containerd, imageSocket: "\(daemon.run)/image-service.sock") { client in
        let held = try await attempt(
          Attack(.pod, "lazy image that claims another's layers, one namespace, \(kind.rawValue)", on: .otherImages)
        ) {
          try await client.pull(lie)
          let pod = try await client.runPod()
          _ = try await client.start("liar", in: pod, image: lie, ["wait"])
          try await client.pull(right)
          var refusal = ""
          do { _ = try await client.start("victim", in: pod, image: right, ["/file"]) } catch {
            refusal = (error as? RPCError)?.message ?? "\(error)"
          }
          let seen = client.output(of: "victim")
          try await client.remove(pod)
          return .check(refusal.contains("names other content than it holds") && seen.isEmpty, "\(refusal) \(seen)")
        }
        #expect(held)
        for image in [lie, right] { try await client.remove(image: image) }
        try await eventually("the layers are gone") {
          try await containerd.shell.succeed("ctr -n k8s.io snapshots --snapshotter nagaya list").split(separator: "\n")
            .count <= 2
        }
        try await client.pull(right)
        let pod = try await client.runPod("second")
        _ = try await client.start("victim", in: pod, image: right, ["/file"])
        try await eventually("the container has ended") { try await client.ended()["victim"] == 0 }
        #expect(client.output(of: "victim") == ["right"])
        try await client.remove(pod)
      }
    }
  }

  /// Two blobs of one content are no lie: the same archive in another compression is proven, and started.
  @Test func `an honest image of another blob starts`() async throws {
    let link = "/tmp/nsti-containerd-\(UInt32.random(in: 0 ... .max)).sock"
    defer { unlink(link) }
    try await with(options: "--containerd-socket \(link) --background-rate 0") { containerd, daemon in
      try #require(symlink(containerd.address, link) == 0)
      try await containerd.push(.eStargz, "box:1", Self.right, daemon)
      // The same archives, compressed anew.
      try await containerd.shell.succeed(
        """
        cd \(containerd.directory)
        skopeo copy --quiet --insecure-policy --tmpdir . --src-tls-verify=false --dest-tls-verify=false \
          --dest-compress-format zstd --dest-force-compress-format \
          docker://\(containerd.registry)/box:1 docker://\(containerd.registry)/box:2
        """, seconds: 120)
      try await RuntimeClient.with(containerd, imageSocket: "\(daemon.run)/image-service.sock") { client in
        let pod = try await client.runPod()
        for tag in ["1", "2"] {
          let image = "\(containerd.registry)/box:\(tag)"
          try await client.pull(image)
          _ = try await client.start("box\(tag)", in: pod, image: image, ["/file", "/second"])
          try await eventually("the container has ended") { try await client.ended()["box\(tag)"] == 0 }
          #expect(client.output(of: "box\(tag)") == ["right", "above"])
        }
        try await client.remove(pod)
      }
    }
  }
}
