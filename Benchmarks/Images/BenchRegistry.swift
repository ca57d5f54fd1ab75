import Foundation
import PlatformHarness

/// A registry with the benchmark's image in all its variants; they are made once and kept below `.build`.
struct BenchRegistry {
  let registry: DockerRegistry

  /// Starts the registry and makes what is missing in it.
  /// - Parameter directory: keeps the image and the registry's storage.
  init(_ directory: String) async throws {
    let shell = Shell()
    report("the image: \(directory)")
    try await shell.succeed("'\(PlatformInstance.root)/scripts/build-bench-images' '\(directory)'", seconds: 1800)
    registry = try await DockerRegistry(storage: "\(directory)/registry")
    do { try await convert(directory) } catch {
      registry.stop()
      throw error
    }
  }

  private func convert(_ directory: String) async throws {
    let stamp = "\(directory)/registry/.ready-1"
    guard !FileManager.default.fileExists(atPath: stamp) else { return }
    report("converting it with stargz-snapshotter's and SOCI's own tools")
    let work = "/tmp/nagaya-bench-convert-\(UInt32.random(in: 0..<1 << 24))"
    let engine = try await ImageEngine(.overlayfs, in: work, nagaya: "")
    do {
      func name(_ variant: ImageVariant) -> String { "\(registry.host)/\(variant.name)" }
      let plain = name(.plain)
      for variant in [ImageVariant.plain, .soci] {
        let base = name(variant).dropLast(":latest".count)
        try await engine.shell.succeed(
          """
          set -e
          tar -C '\(directory)/plain' -cf '\(work)/plain.tar' .
          ctr images import --local --no-unpack --base-name \(base) '\(work)/plain.tar' >/dev/null
          ctr images push --plain-http --local \(name(variant)) >/dev/null
          """, seconds: 300)
      }
      try await engine.shell.succeed(
        """
        set -e
        ctr-remote images convert --estargz --oci \(plain) \(name(.estargz)) >/dev/null
        ctr-remote images convert --zstdchunked --oci \(plain) \(name(.zstdChunked)) >/dev/null
        ctr images push --plain-http --local \(name(.estargz)) >/dev/null
        ctr images push --plain-http --local \(name(.zstdChunked)) >/dev/null
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
        """, seconds: 900)
    } catch {
      await engine.destroy()
      throw error
    }
    await engine.destroy()
    _ = FileManager.default.createFile(atPath: stamp, contents: nil)
  }

  func stop() { registry.stop() }
}
