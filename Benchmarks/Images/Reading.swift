import Foundation
import Glibc
import PlatformHarness
import TestSupport

/// Reading an image whose layers are complete: the walk of all files, and the large file in order and at random.
///
/// Each time with a cold page cache, in one run of the machine for all of them: overlayfs walks unpacked files, and
/// containerd's erofs snapshotter reads a plain EROFS mount.
struct Reading {
  let starts: ColdStarts

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
    report("walking and reading complete layers")
    var samples: [ImageMode: Sample] = [:]
    var (idle, filling) = (Double.nan, Double.nan)
    for mode in [ImageMode.overlayfs, .erofs, .nagayaEstargz] {
      samples[mode] = try await starts.withEngine(mode, "read", knownImages: Self.knownImages) { engine in
        let root = "\(engine.directory)/mnt"
        let peak = Task { await Self.mostResident(engine.snapshotterPID) }
        try await mount(engine, root)
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

  /// Pulls the image, mounts it and waits until nothing of it is missing.
  private func mount(_ engine: ImageEngine, _ root: String) async throws {
    let image = "\(starts.plain.host)/\(engine.mode.variant.name)"
    try await engine.shell.succeed(
      """
      cd \(engine.directory); mkdir -p \(root)
      ctr images pull --plain-http --snapshotter \(engine.mode.snapshotter) \(image) > pull.log 2>&1 || { cat pull.log; exit 1; }
      ctr images mount --snapshotter \(engine.mode.snapshotter) \(image) \(root) >/dev/null
      cat \(root)/\(Self.file) > /dev/null
      """, seconds: 300)
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
      let (first, files) = try Self.walk(root)
      sample.walk.append(first)
      sample.walkAgain.append(try Self.walk(root).seconds)
      sample.files = files
      try await Self.dropCaches(engine)
      sample.sequential.append(try Self.readInOrder("\(root)/\(Self.file)"))
      try await Self.dropCaches(engine)
      sample.random.append(try Self.readAtRandom("\(root)/\(Self.file)", seed: UInt64(number)))
    }
    return sample
  }

  private static func dropCaches(_ engine: ImageEngine) async throws {
    try await engine.shell.succeed("sync; echo 3 > /proc/sys/vm/drop_caches")
  }

  struct Unreadable: Error, CustomStringConvertible {
    let path: String
    let number: Int32
    var description: String { "cannot read \(path): \(String(cString: strerror(number)))" }
  }

  /// Looks at every file's attributes, like `find -ls`.
  private static func walk(_ root: String) throws -> (seconds: Double, files: Int) {
    let start = ContinuousClock.now
    var files = 0
    var directories = [root]
    while let directory = directories.popLast() {
      guard let stream = opendir(directory) else { throw Unreadable(path: directory, number: errno) }
      defer { closedir(stream) }
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard name != ".", name != ".." else { continue }
        let path = "\(directory)/\(name)"
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Unreadable(path: path, number: errno) }
        files += 1
        if status.st_mode & S_IFMT == S_IFDIR { directories.append(path) }
      }
    }
    return ((ContinuousClock.now - start).seconds, files)
  }

  /// MB/s.
  private static func readInOrder(_ path: String) throws -> Double {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { throw Unreadable(path: path, number: errno) }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    let start = ContinuousClock.now
    var total = 0
    while true {
      let count = Glibc.read(file, &buffer, buffer.count)
      guard count >= 0 else { throw Unreadable(path: path, number: errno) }
      if count == 0 { break }
      total += count
    }
    return Double(total) / 1e6 / (ContinuousClock.now - start).seconds
  }

  /// Reads of 4 KiB a second, at places that are the same for all.
  private static func readAtRandom(_ path: String, seed: UInt64) throws -> Double {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { throw Unreadable(path: path, number: errno) }
    defer { close(file) }
    posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM)
    var random = SeededGenerator(seed: seed)
    var buffer = [UInt8](repeating: 0, count: 4096)
    let reads = 4000
    let start = ContinuousClock.now
    for _ in 0..<reads {
      let page = Int.random(in: 0..<(96 << 20) / 4096, using: &random)
      guard pread(file, &buffer, 4096, off_t(page * 4096)) == 4096 else {
        throw Unreadable(path: path, number: errno)
      }
    }
    return Double(reads) / (ContinuousClock.now - start).seconds
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
