import Foundation
import LayerStore
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// Random images (`scripts/random-images`), each unpacked by containerd's overlayfs and mounted by us, in three formats.
///
/// `NAGAYA_FUZZ_IMAGES=N` and `NAGAYA_FUZZ_SEED=S`: images `S` to `S + N - 1`.
@Suite(.serialized) struct DifferentialTests {
  private static func setting(_ name: String, _ usual: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? usual
  }

  private static let atOnce = 25

  /// The resolver and the snapshotter are asked as containerd asks them; containerd unpacks for itself.
  @Test func `random images look as overlayfs shows them`() async throws {
    let (count, first) = (Self.setting("NAGAYA_FUZZ_IMAGES", 300), Self.setting("NAGAYA_FUZZ_SEED", 1))
    let numbers = Array(first..<first + count)
    var (compared, different, left, refused) = (0, 0, 0, 0)
    for start in stride(from: 0, to: count, by: Self.atOnce) {
      // Both ways of being asked for bytes, in turn.
      let fill: FillChoice = start / Self.atOnce % 2 == 0 ? .fuse : .fanotify
      let batch = try await RandomImages(Array(numbers[start..<min(count, start + Self.atOnce)]), fill).compare()
      for line in batch.differences { Issue.record("image \(line)") }
      compared += batch.compared
      different += Set(batch.differences.map { $0.split(separator: " ").prefix(2) }).count
      left += batch.leftToContainerd
      refused += batch.refused
    }
    figure("differential.images", compared, "count")
    figure("differential.differences", different, "count")
    figure("differential.left_to_containerd", left, "count")
    figure("differential.refused_by_overlayfs", refused, "count")
    #expect(compared > count)
  }

  /// The same with nothing left out: a registry, pulls, containerd's own unpacking of what we leave to it.
  @Test(arguments: [ImageKind.gzip, .eStargz, .zstdChunked])
  func `random images are pulled and look as overlayfs shows them`(kind: ImageKind) async throws {
    let first = Self.setting("NAGAYA_FUZZ_SEED", 1)
    try await ImagesDaemon.with { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        try await containerd.shell.succeed(
          "'\(PlatformInstance.root)/scripts/random-images' \(first) 4 \(containerd.directory)/random")
        for seed in first..<first + 4 {
          let image = "box:\(seed)"
          let layers = (0..<1 + seed % 4).map { "cp \(containerd.directory)/random/\(seed)/layer-\($0).tar ../archive" }
          try await containerd.push(kind, image, layers, daemon)
          // What overlayfs refuses is no image.
          guard (try? await containerd.pull(image, snapshotter: "overlayfs")) != nil else { continue }
          try await containerd.pull(image)
          func files(_ snapshotter: String) async throws -> Set<String> {
            PullTests.withoutMarks(
              try await containerd.files(
                of: image, snapshotter: snapshotter, options: "--rw", timesOfDirectories: false))
          }
          let differences = try await files("nagaya").symmetricDifference(try await files("overlayfs")).sorted()
          #expect(differences.isEmpty, "image \(seed), \(kind.rawValue)")
        }
      }
    }
  }
}
