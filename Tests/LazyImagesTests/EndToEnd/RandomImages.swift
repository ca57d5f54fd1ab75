import EStargz
import Foundation
import LayerStore
import LinuxSystem
import Locking
import OCI
import PlatformHarness

@testable import LazyImages

/// Some of the images that `scripts/random-images` makes, unpacked by containerd and mounted by us side by side.
struct RandomImages {
  struct Findings: Sendable {
    var compared = 0
    /// `SEED FORMAT - FILE`: as overlayfs shows it; `+`: as we do.
    var differences: [String] = []
    /// Images of which we take no layer, or not all.
    var leftToContainerd = 0
    /// What overlayfs refuses is no image.
    var refused = 0
  }

  let seeds: [Int]
  let fill: FillChoice
  private static let kinds: [(name: String, kind: ImageKind)] = [
    ("gzip", .gzip), ("estargz", .eStargz), ("zstdchunked", .zstdChunked),
  ]

  init(_ seeds: [Int], _ fill: FillChoice) {
    self.seeds = seeds
    self.fill = fill
  }

  func compare() async throws -> Findings {
    let box = Box()
    try await ResolverFixture.inDirectory { directory in
      try await ContainerdFixture.with(tables: "") { containerd in
        let place = "\(directory)/compared"
        let unpacked = try await unpack(containerd, in: directory, place)
        box.findings.withLock { $0.refused = seeds.count - unpacked.count }
        let images = try await layers(of: unpacked, in: "\(directory)/made")
        let origins = MemoryOrigins([], images: images)
        try await ResolverFixture.with(origins, in: directory, fill: fill) { resolver, _ in
          let snapshotter = try Snapshotter(
            root: SnapshotterConfiguration(root: "\(directory)/r", socket: ""), layers: resolver,
            logger: SnapshotterFixture.quiet)
          for seed in unpacked {
            for (name, _) in Self.kinds {
              let image = try Self.reference(seed, name)
              guard let layers = images[image] else { continue }
              guard try await mount(image, layers, at: "\(place)/\(seed)/\(name)", snapshotter) else {
                box.findings.withLock { $0.leftToContainerd += 1 }
                continue
              }
            }
          }
          let lines = try await Shell().succeed(
            "cd \(place) && '\(PlatformInstance.root)/scripts/list-files' --compare *", seconds: 600
          ).split(separator: "\n").map(String.init)
          box.findings.withLock {
            $0.compared = lines.last.flatMap { Int($0) } ?? 0
            $0.differences = lines.dropLast()
          }
          try Self.unmount(below: place)
          try snapshotter.close()
        }
      }
    }
    return box.findings.withLock { $0 }
  }

  private static func reference(_ seed: Int, _ name: String) throws -> ImageReference {
    try ImageReference("random.test/box-\(name):\(seed)")
  }

  private static func unmount(below place: String) throws {
    for mount in try Mounts.table().mounts(under: place).reversed() { try Mounts.unmount(mount.mountPoint) }
  }

  /// Has containerd unpack the images and mount them at `PLACE/SEED/truth`.
  /// - Returns: those that it takes.
  private func unpack(_ containerd: ContainerdFixture, in directory: String, _ place: String) async throws -> [Int] {
    let list = try await containerd.shell.succeed(
      """
      '\(PlatformInstance.root)/scripts/random-images' \(seeds[0]) \(seeds.count) \(directory)/made
      for seed in \(seeds.map(String.init).joined(separator: " ")); do
        mkdir -p \(place)/$seed/truth
        if ctr images import --snapshotter overlayfs \(directory)/made/$seed/image.tar >/dev/null 2>&1; then
          ctr images mount --rw --snapshotter overlayfs random.test/box:$seed \(place)/$seed/truth >/dev/null && echo $seed
        else
          rm -r \(place)/$seed
        fi
      done
      """, seconds: 600)
    return list.split(separator: "\n").compactMap { Int($0) }
  }

  private func layers(of seeds: [Int], in directory: String) async throws -> [ImageReference: [TestLayer]] {
    var images: [ImageReference: [TestLayer]] = [:]
    for seed in seeds {
      for (name, kind) in Self.kinds {
        var layers: [TestLayer]? = []
        for number in 0..<1 + seed % 4 {
          let archive = try SmallFile.read("\(directory)/\(seed)/layer-\(number).tar")
          do { layers?.append(try await TestLayer(archive, kind)) } catch let error as LayerTOCError
            where error.reason == .dependsOnOrder
          { layers = nil }
        }
        // What shows the same files only as it is stays as it is.
        images[try Self.reference(seed, name)] = layers
      }
    }
    return images
  }

  /// Asks the snapshotter for an image's layers as containerd does, and mounts a container's file system.
  /// - Returns: false if containerd would have to unpack a layer.
  private func mount(
    _ image: ImageReference, _ layers: [TestLayer], at target: String, _ snapshotter: Snapshotter
  ) async throws -> Bool {
    var parent = ""
    for (number, layer) in layers.enumerated() {
      let chainID = "\(image) \(number)"
      var labels = TestLayers.labels(layer.descriptor.digest, chainID: chainID)
      labels["containerd.io/snapshot/cri.image-ref"] = "\(image)"
      labels["containerd.io/snapshot/cri.image-layers"] = layers[number...].map { "\($0.descriptor.digest)" }.joined(
        separator: ",")
      do {
        _ = try await snapshotter.prepare("\(chainID) unpacking", parent: parent, labels: labels)
        return false
      } catch SnapshotError.layerExists { parent = chainID }
    }
    try Directory.make(target)
    for mount in try await snapshotter.prepare("\(image) container", parent: parent, labels: [:]) {
      try Mounts.mount(mount.source, at: target, type: mount.type, options: mount.options)
    }
    return true
  }

  /// Closures that escape can hold it.
  private final class Box: Sendable {
    let findings = Mutex(Findings())
  }
}
