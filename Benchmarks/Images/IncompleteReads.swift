import Foundation
import PlatformHarness

/// Cold pages of a layer that is not complete: what is read is here, but the kernel does not know it and asks. Beside a plain
/// EROFS mount, by both ways of asking.
struct IncompleteReads {
  let starts: ColdStarts

  private static let file = "srv/data.bin"
  /// What is here of the file's 96 MiB.
  private static let bytes = 72 << 20

  func measure(runs: Int) async throws -> [Figure] {
    report("reading cold pages of an incomplete layer, four readers at once")
    let erofs = try await read(.erofs, "auto", runs)
    var figures: [Figure] = []
    print("four readers of 128 KiB: plain EROFS \(Int(erofs)) MB/s")
    for fill in ["fanotify", "fuse"] {
      let ours = try await read(.nagayaEstargz, fill, runs)
      print("  nagaya, \(fill): \(Int(ours)) MB/s")
      figures.append(Figure(name: "read.incomplete_parallel.\(fill)", value: ours / erofs, unit: "x"))
    }
    return figures
  }

  /// MB/s, the median.
  private func read(_ mode: ImageMode, _ fill: String, _ runs: Int) async throws -> Double {
    let options = mode.isOurs ? ["--fill", fill, "--background-rate", "1"] : []
    return try await starts.withEngine(mode, "incomplete-\(fill)", options: options) { engine in
      let root = "\(engine.directory)/mnt"
      let name = "\(starts.plain.host)/\(engine.mode.variant.name(of: starts.image))"
      try await engine.shell.succeed(
        """
        cd \(engine.directory); mkdir -p \(root)
        ctr images pull --plain-http --snapshotter \(engine.mode.snapshotter) \(name) > pull.log 2>&1 || { cat pull.log; exit 1; }
        ctr images mount --snapshotter \(engine.mode.snapshotter) \(name) \(root) >/dev/null
        """, seconds: 600)
      try FileReads.inOrder("\(root)/\(Self.file)", limit: Self.bytes)
      var speeds: [Double] = []
      for number in 1...runs {
        try await Reading.dropCaches(engine)
        speeds.append(try FileReads.inParallel("\(root)/\(Self.file)", seed: UInt64(number), limit: Self.bytes))
      }
      try await engine.shell.succeed("ctr images unmount \(root) >/dev/null")
      return speeds.percentile(0.5)
    }
  }
}
