import Foundation
import PlatformHarness

/// A registry with the benchmark's images in all their variants; they are made once and kept below `.build`.
struct BenchRegistry {
  let registry: DockerRegistry

  /// Starts the registry and makes what is missing in it.
  /// - Parameter directory: keeps the images and the registry's storage.
  init(_ directory: String, _ images: [BenchImage]) async throws {
    let shell = Shell()
    report("the images: \(directory)")
    let names = images.map(\.rawValue).joined(separator: " ")
    try await shell.succeed(
      "'\(PlatformInstance.root)/scripts/build-bench-images' '\(directory)' \(names)", seconds: 7200)
    registry = try await DockerRegistry(storage: "\(directory)/registry")
    do {
      for image in images { try await push(image, directory) }
    } catch {
      registry.stop()
      throw error
    }
  }

  private func push(_ image: BenchImage, _ directory: String) async throws {
    let stamp = "\(directory)/registry/.ready-\(image.rawValue)-2"
    guard !FileManager.default.fileExists(atPath: stamp) else { return }
    report("converting \(image.rawValue) with stargz-snapshotter's and SOCI's own tools")
    let work = "\(directory)/.convert-\(UInt32.random(in: 0..<1 << 24))"
    let engine = try await ImageEngine(.overlayfs, in: work, nagaya: "")
    do { try await push(image, directory, engine, work) } catch {
      await engine.destroy()
      throw error
    }
    await engine.destroy()
    _ = FileManager.default.createFile(atPath: stamp, contents: nil)
  }

  private func push(_ image: BenchImage, _ directory: String, _ engine: ImageEngine, _ work: String) async throws {
    func name(_ variant: ImageVariant) -> String { "\(registry.host)/\(variant.name(of: image))" }
    let plain = name(.plain)
    for variant in image.variants where [ImageVariant.plain, .soci].contains(variant) {
      let base = name(variant).dropLast(":latest".count)
      try await engine.shell.succeed(
        """
        set -e
        tar -C '\(directory)/\(image.rawValue)' -cf '\(work)/plain.tar' .
        ctr images import --local --no-unpack --base-name \(base) '\(work)/plain.tar' >/dev/null
        rm '\(work)/plain.tar'
        ctr images push --plain-http --local \(name(variant)) >/dev/null
        """, seconds: 1800)
    }
    for (variant, option) in [(ImageVariant.estargz, "--estargz"), (.zstdChunked, "--zstdchunked")]
    where image.variants.contains(variant) {
      try await engine.shell.succeed(
        """
        set -e
        ctr-remote images convert \(option) --oci \(plain) \(name(variant)) >/dev/null
        ctr images push --plain-http --local \(name(variant)) >/dev/null
        """, seconds: 3600)
    }
    guard image.variants.contains(.soci) else { return }
    try await engine.shell.succeed(
      """
      ctr images tag \(name(.estargz)) \(name(.estargzShared))
      ctr images push --plain-http --local \(name(.estargzShared)) >/dev/null
      """, seconds: 1800)
    try await engine.shell.succeed(
      """
      set -e
      mkdir -p \(ImageEngine.sociDirectory) '\(work)/soci-store'
      unshare -m --propagation private bash -ec "
        mount --bind '\(work)/soci-store' \(ImageEngine.sociDirectory)
        soci --address '\(work)/c.sock' --namespace bench create \(name(.soci))
        soci --address '\(work)/c.sock' --namespace bench push --plain-http --quiet \(name(.soci))" >&2
      rmdir \(ImageEngine.sociDirectory)
      """, seconds: 3600)
  }

  func stop() { registry.stop() }
}
