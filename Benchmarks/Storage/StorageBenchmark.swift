import ArgumentParser
import Foundation
import PlatformHarness

/// What a volume costs, from the first call to where a container finds it, beside the bare commands that it takes; and what the
/// driver costs when nothing happens.
struct StorageBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "storage",
    abstract: "Make, format and mount volumes through the CSI driver, beside lvcreate, mkfs and mount.")

  @Option(help: "Kinds of pools: file, lvm-thick, lvm-thin. LVM's run in a guest that has its kernel.")
  var backend = StorageBackend.allCases

  @Option(help: "Runs of each, one after the other; the median counts.")
  var runs = 15

  @Option(help: "Volumes that are made at once.")
  var atOnce = 32

  @Option(help: "Volumes that are there while nothing happens.")
  var volumes = 1000

  @Option(help: "The build whose binary serves: debug or release.")
  var configurationName = "release"

  private static let bytes: Int64 = 320 << 20
  private static let fileSystem = "xfs"

  func run() async throws {
    var figures: [Figure] = []
    for backend in backend {
      if backend.needsGuest, !StorageBackend.isGuest {
        try StorageBackend.runInGuest(
          [
            "storage", "--backend", backend.rawValue, "--runs", "\(runs)", "--at-once", "\(min(atOnce, 8))",
            "--volumes", "\(min(volumes, 20))", "--configuration-name", configurationName,
          ], seconds: 1200, diskSize: "8G")
      } else {
        figures += try await measure(backend)
      }
    }
    if backend.contains(.file), !StorageBackend.isGuest {
      figures += try await CapacityVisibility(configuration: configurationName).measure()
    }
    Figure.show(figures)
  }

  private func measure(_ backend: StorageBackend) async throws -> [Figure] {
    let directory = "/tmp/nagaya-bench-storage-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await backend.prepare()
    let calls = try LVMCalls(in: directory)
    let process = try NagayaProcess(
      "\(PlatformInstance.root)/.build/\(configurationName)/nagaya",
      [
        "serve", "storage", "--driver-only", "--node-name", "bench", "--run-dir", "\(directory)/run",
        "--pool-dir", "\(directory)/pool", "--csi-socket", "\(directory)/csi.sock", "--log-level", "warning",
      ] + backend.arguments(), log: "\(directory)/log", path: [calls.directory])
    do {
      let figures = try await measure(backend, process, calls, directory)
      try await process.stop()
      return figures
    } catch {
      print(process.lastWords)
      try? await process.kill()
      throw error
    }
  }

  private func measure(
    _ backend: StorageBackend, _ process: NagayaProcess, _ calls: LVMCalls, _ directory: String
  ) async throws -> [Figure] {
    let driver = try BenchedDriver(in: directory, pool: backend.pool)
    let bare = BareVolumes(backend: backend, directory: directory)
    return try await driver.connected {
      var (ours, theirs): ([Double], [Double]) = ([], [])
      // The first of each warms up.
      for run in 0...runs {
        let (our, their) = try await (make(["v\(run)"], driver), bare.make(["b\(run)"], bytes: Self.bytes))
        try await bare.remove(["b\(run)"])
        try await remove(["v\(run)"], driver)
        if run > 0 {
          ours.append(our)
          theirs.append(their)
        }
      }
      let names = (0..<atOnce).map { "at-once-\($0)" }
      let together = try await make(names, driver)
      try await remove(names, driver)
      let bareTogether = try await bare.make(names, bytes: Self.bytes)
      try await bare.remove(names)

      let (our, their) = (ours.percentile(0.5), theirs.percentile(0.5))
      var table = TextTable(backend.rawValue, "one: p50 ms", "p90 ms", "\(atOnce) at once: ms")
      table.add("CreateVolume, stage, publish", Self.text(our), Self.text(ours.percentile(0.9)), Self.text(together))
      table.add("the bare commands", Self.text(their), Self.text(theirs.percentile(0.9)), Self.text(bareTogether))
      table.show()
      let name = backend.rawValue
      var figures = [
        Figure(name: "volume.create_overhead.\(name)", value: (our - their) * 1000, unit: "ms", digits: 1),
        Figure(name: "volume.create_ratio.\(name)", value: our / their, unit: "x"),
        Figure(name: "volume.at_once_ratio.\(name)", value: together / bareTogether, unit: "x"),
      ]
      figures += try await idle(backend, driver, process, calls)
      return figures
    }
  }

  /// With many volumes, and nobody who asks.
  private func idle(
    _ backend: StorageBackend, _ driver: BenchedDriver, _ process: NagayaProcess, _ calls: LVMCalls
  ) async throws -> [Figure] {
    for volume in 0..<volumes { try await driver.create("idle-\(volume)", bytes: 8 << 20, fileSystem: nil) }
    try await Task.sleep(for: .seconds(10))
    let before = calls.count
    let seconds = 30.0
    try await Task.sleep(for: .seconds(seconds))
    let resident = try AppBenchmark.resident(of: process.pid)
    let called = Double(calls.count - before) * 60 / seconds
    print("\(volumes) volumes, nobody asks: \(Int(resident)) MB resident, \(called) calls of lvm a minute")
    switch backend {
    case .file: return [Figure(name: "storage.idle_resident", value: resident, unit: "MB", digits: 1)]
    case .lvmThick: return [Figure(name: "storage.idle_lvm_calls", value: called, unit: "1/min", digits: 1)]
    case .lvmThin: return []
    }
  }

  /// - Returns: seconds until all are where containers find them.
  private func make(_ names: [String], _ driver: BenchedDriver) async throws -> Double {
    let began = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in names {
        group.addTask {
          try await driver.create(name, bytes: Self.bytes, fileSystem: Self.fileSystem)
          try await driver.stage(name, fileSystem: Self.fileSystem)
          try await driver.publish(name, fileSystem: Self.fileSystem)
        }
      }
      try await group.waitForAll()
    }
    return (ContinuousClock.now - began).seconds
  }

  private func remove(_ names: [String], _ driver: BenchedDriver) async throws {
    for name in names {
      try await driver.unpublish(name)
      try await driver.delete(name)
    }
  }

  private static func text(_ seconds: Double) -> String { "\(Figure.rounded(seconds * 1000))" }
}

/// Counts how often lvm is called by who finds it here first.
struct LVMCalls {
  let directory: String
  private let notes: String

  init(in place: String) throws {
    directory = "\(place)/counted"
    notes = "\(place)/lvm-calls"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let script = """
      #!/bin/sh
      echo "$*" >>\(notes)
      for program in /usr/sbin/lvm /sbin/lvm; do [ -x $program ] && exec $program "$@"; done
      exit 127
      """
    try script.write(toFile: "\(directory)/lvm", atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(directory)/lvm")
  }

  var count: Int {
    let text = FileManager.default.contents(atPath: notes) ?? Data()
    return text.count { $0 == UInt8(ascii: "\n") }
  }
}
