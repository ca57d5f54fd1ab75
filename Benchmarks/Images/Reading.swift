import Foundation
import PlatformHarness

/// Reading an image whose layers are complete: the walk of all files, and the large file in order and at random.
///
/// Each time with a cold page cache, in one run of the machine for all of them: overlayfs walks unpacked files, and
/// containerd's erofs snapshotter reads a plain EROFS mount.
struct Reading {
  let starts: (BenchImage) -> ColdStarts

  /// What it reads.
  static let images: [BenchImage] = [.python, .deep]
  private static let file = "srv/data.bin"
  /// Images of earlier days, for the daemon's memory.
  private static let knownImages = 100

  private struct Sample {
    var walk: [Double] = []
    var walkAgain: [Double] = []
    var sequential: [Double] = []
    var random: [Double] = []
    var files = 0
  }

  func measure(runs: Int) async throws -> [Figure] {
    try await complete(runs) + deep(runs) + IncompleteReads(starts: starts(.python)).measure(runs: runs)
  }

  /// Layers that are complete.
  private func complete(_ runs: Int) async throws -> [Figure] {
    report("walking and reading complete layers")
    var samples: [ImageMode: Sample] = [:]
    var (idle, filling) = (Double.nan, Double.nan)
    for mode in [ImageMode.overlayfs, .erofs, .nagayaEstargz] {
      samples[mode] = try await starts(.python).withEngine(mode, "read", knownImages: Self.knownImages) { engine in
        let root = "\(engine.directory)/mnt"
        let peak = Task { await Self.mostResident(engine.snapshotterPID) }
        try await Self.mount(.python, engine, root, starts(.python))
        peak.cancel()
        filling = await peak.value ?? filling
        let sample = try await read(root, runs, engine)
        try await engine.shell.succeed("ctr images unmount \(root) >/dev/null")
        if let pid = engine.snapshotterPID {
          // Idle is who has had nothing to do for a while.
          try await Task.sleep(for: .seconds(15))
          idle = try AppBenchmark.resident(of: pid)
        }
        return sample
      }
    }
    return show(samples, idle: idle, filling: filling)
  }

  /// Pulls an image, mounts it and waits until nothing of it is missing.
  private static func mount(_ image: BenchImage, _ engine: ImageEngine, _ root: String, _ starts: ColdStarts)
    async throws
  {
    let name = "\(starts.plain.host)/\(engine.mode.variant.name(of: image))"
    try await engine.shell.succeed(
      """
      cd \(engine.directory); mkdir -p \(root)
      ctr images pull --plain-http --snapshotter \(engine.mode.snapshotter) \(name) > pull.log 2>&1 || { cat pull.log; exit 1; }
      ctr images mount --snapshotter \(engine.mode.snapshotter) \(name) \(root) >/dev/null
      find \(root) -type f -exec cat {} + > /dev/null
      """, seconds: 600)
    guard engine.mode.isOurs else { return }
    try await engine.shell.succeed(
      """
      for i in $(seq 1200); do
        curl -s --unix-socket \(engine.directory)/run/status.sock http://status/metrics \
          | grep -qx 'nagaya_images_layers{state="filling"} 0' && exit 0
        sleep 0.1
      done
      curl -s --unix-socket \(engine.directory)/run/status.sock http://status/metrics; exit 1
      """, seconds: 150)
  }

  /// The walk of 127 layers beside overlayfs.
  private func deep(_ runs: Int) async throws -> [Figure] {
    report("walking 127 layers")
    var walks: [ImageMode: [Double]] = [:]
    for mode in [ImageMode.overlayfs, .nagayaEstargz] {
      walks[mode] = try await starts(.deep).withEngine(mode, "deep") { engine in
        let root = "\(engine.directory)/mnt"
        try await Self.mount(.deep, engine, root, starts(.deep))
        var seconds: [Double] = []
        for _ in 1...runs {
          try await Self.dropCaches(engine)
          seconds.append(try FileReads.walk(root).seconds)
        }
        try await engine.shell.succeed("ctr images unmount \(root) >/dev/null")
        return seconds
      }
    }
    let (ours, theirs) = (walks[.nagayaEstargz]?.percentile(0.5) ?? .nan, walks[.overlayfs]?.percentile(0.5) ?? .nan)
    print("walk of 127 layers: \(Figure.rounded(ours)) s, overlayfs \(Figure.rounded(theirs)) s")
    return [Figure(name: "walk.127_layers", value: ours / theirs, unit: "x")]
  }

  /// Megabytes, looked at every 50 ms until the task is cancelled.
  private static func mostResident(_ pid: Int32?) async -> Double? {
    guard let pid else { return nil }
    var most = 0.0
    while !Task.isCancelled {
      most = max(most, (try? AppBenchmark.resident(of: pid)) ?? 0)
      try? await Task.sleep(for: .milliseconds(50))
    }
    return most
  }

  private func read(_ root: String, _ runs: Int, _ engine: ImageEngine) async throws -> Sample {
    var sample = Sample()
    for number in 1...runs {
      try await Self.dropCaches(engine)
      let (first, files) = try FileReads.walk(root)
      sample.walk.append(first)
      sample.walkAgain.append(try FileReads.walk(root).seconds)
      sample.files = files
      try await Self.dropCaches(engine)
      sample.sequential.append(try FileReads.inOrder("\(root)/\(Self.file)"))
      try await Self.dropCaches(engine)
      sample.random.append(try FileReads.atRandom("\(root)/\(Self.file)", seed: UInt64(number)))
    }
    return sample
  }

  static func dropCaches(_ engine: ImageEngine) async throws {
    try await engine.shell.succeed("sync; echo 3 > /proc/sys/vm/drop_caches")
  }

  private func show(_ samples: [ImageMode: Sample], idle: Double, filling: Double) -> [Figure] {
    var table = TextTable(
      "complete layers, cold page cache", "files", "walk s", "again s", "in order MB/s", "4 KiB reads/s")
    func median(_ mode: ImageMode, _ value: (Sample) -> [Double]) -> Double {
      samples[mode].map { value($0).percentile(0.5) } ?? .nan
    }
    for mode in [ImageMode.overlayfs, .erofs, .nagayaEstargz] {
      table.add(
        mode == .nagayaEstargz ? "nagaya" : mode.snapshotter, "\(samples[mode]?.files ?? 0)",
        "\((median(mode, \.walk) * 1000).rounded() / 1000)", "\((median(mode, \.walkAgain) * 1000).rounded() / 1000)",
        "\(Int(median(mode, \.sequential)))", "\(Int(median(mode, \.random)))")
    }
    print("")
    table.show()
    print(
      "resident memory, \(Self.knownImages) images known: \(Int(idle)) MB idle, \(Int(filling)) MB at most while filling"
    )
    let ours = ImageMode.nagayaEstargz
    return [
      Figure(name: "walk.ratio_to_overlayfs", value: median(ours, \.walk) / median(.overlayfs, \.walk), unit: "x"),
      Figure(
        name: "read.sequential_ratio", value: median(ours, \.sequential) / median(.erofs, \.sequential), unit: "x"),
      Figure(name: "read.random_ratio", value: median(ours, \.random) / median(.erofs, \.random), unit: "x"),
      Figure(name: "images.resident_idle", value: idle, unit: "MB", digits: 1),
      Figure(name: "images.resident_filling", value: filling, unit: "MB", digits: 1),
    ]
  }
}
