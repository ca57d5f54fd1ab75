import LinuxSystem
import Testing

@testable import VolumePools

/// Snapshots, clones and restores, as every kind of pool has them.
extension PoolPlace {
  private func open() async throws -> Pool { try await open(afterStep: nil) }

  func mount(_ volume: String, _ pool: Pool, _ type: FileSystemType) async throws -> String {
    let device = try await pool.attach(volume)
    try await pool.prepareFileSystem(volume)
    let target = "\(path)/mnt-\(volume)"
    try Directory.make(target)
    try Mounts.mount(device, at: target, type: type.rawValue, options: type.mountOptions)
    try await pool.growFileSystem(volume, mountPoint: target)
    return target
  }

  private func written(_ name: String, _ bytes: [UInt8], at target: String) throws {
    try DurableFile.write(bytes, to: "\(target)/\(name)")
  }

  /// Taken of a volume in use: what is made from it holds what the volume held, larger or not, beside it and without it.
  func checkSnapshot(_ type: FileSystemType) async throws {
    let pool = try await open()
    _ = try await pool.create(
      VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: type, parameters: ["pool": "p"]))
    let data = try await mount("data", pool, type)
    try written("kept", [1], at: data)
    let before = try await pool.capacity(for: type).availableBytes
    let snapshot = try await pool.createSnapshot("snap", of: "data")
    #expect(snapshot.bytes == 320 << 20 && snapshot.volume == "data" && snapshot.fileSystem == type)
    #expect(snapshot.parameters == ["pool": "p"] && snapshot.fault == nil && snapshot.takenAt > 1 << 60)
    #expect(try await pool.capacity(for: type).availableBytes < before)
    #expect(try await pool.createSnapshot("snap", of: "data") == snapshot)
    #expect(await pool.snapshots() == [snapshot])
    #expect(await pool.snapshot("snap") == snapshot)
    // It is not frozen any more, and may change.
    try written("kept", [2], at: data)
    try written("new", [3], at: data)

    var request = VolumeRequest(name: "same", bytes: 0, fileSystem: type, source: .snapshot("snap"))
    let same = try await pool.create(request)
    #expect(same.bytes == 320 << 20 && same.source == .snapshot("snap"))
    #expect(try await pool.create(request) == same)
    let restored = try await mount("same", pool, type)
    #expect(try DurableFile.read(restored + "/kept") == [1])
    #expect(try DurableFile.read(restored + "/new") == nil)
    try written("kept", [4], at: restored)
    #expect(try DurableFile.read(data + "/kept") == [2])

    try Mounts.unmount(data)
    try await pool.delete("data")
    #expect(await pool.snapshot("snap") == snapshot)
    request.name = "larger"
    request.bytes = 600 << 20
    #expect(try await pool.create(request).bytes == 600 << 20)
    let larger = try await mount("larger", pool, type)
    #expect(try DurableFile.read(larger + "/kept") == [1])
    #expect(try FileSystemUsage(of: larger).totalBytes > 500 << 20)

    try await pool.deleteSnapshot("snap")
    try await pool.deleteSnapshot("snap")
    #expect(await pool.snapshots().isEmpty)
    #expect(try DurableFile.read(larger + "/kept") == [1])
    // What was made of it is what it was asked for, also without it.
    #expect(try await pool.create(request).bytes == 600 << 20)
    for (name, target) in [("same", restored), ("larger", larger)] {
      try Mounts.unmount(target)
      try await pool.delete(name)
    }
    #expect(try await remains().isEmpty)
    #expect(try await shownDevices() == 0)
    #expect(try await pool.capacity(for: nil).allocatedBytes == 0)
  }

  /// A volume made of another one, in use or not, and of one that was never formatted.
  func checkClone(_ type: FileSystemType) async throws {
    let pool = try await open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 300 << 20, fileSystem: type))
    _ = try await pool.create(VolumeRequest(name: "blank", bytes: 0, fileSystem: type, source: .volume("data")))
    try Mounts.unmount(try await mount("blank", pool, type))
    try await pool.delete("blank")
    let data = try await mount("data", pool, type)
    try written("kept", [1], at: data)
    let request = VolumeRequest(name: "clone", bytes: 380 << 20, fileSystem: type, source: .volume("data"))
    #expect(try await pool.create(request).bytes == 380 << 20)
    try written("kept", [2], at: data)
    let clone = try await mount("clone", pool, type)
    #expect(try DurableFile.read(clone + "/kept") == [1])
    #expect(try FileSystemUsage(of: clone).totalBytes > FileSystemUsage(of: data).totalBytes)
    try Mounts.unmount(data)
    try await pool.detach("data")
    _ = try await pool.create(VolumeRequest(name: "idle", bytes: 0, fileSystem: type, source: .volume("data")))
    #expect(try await shownDevices() == 1)
    try await pool.delete("data")
    let idle = try await mount("idle", pool, type)
    #expect(try DurableFile.read(idle + "/kept") == [2])
    for (name, target) in [("clone", clone), ("idle", idle)] {
      try Mounts.unmount(target)
      try await pool.delete(name)
    }
    #expect(try await remains().isEmpty)
  }

  /// A raw volume's bytes, and zeros behind them.
  func checkRawSnapshot() async throws {
    let pool = try await open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
    let pattern = [UInt8](repeating: 0x5A, count: 1 << 20)
    do {
      let device = try OpenFile(try await pool.attach("data"), .readWrite)
      for offset: Int64 in [0, 17 << 20, 63 << 20] { try device.write(pattern, at: offset) }
      try device.sync()
    }
    try await pool.detach("data")
    _ = try await pool.createSnapshot("snap", of: "data")
    try await pool.delete("data")
    _ = try await pool.create(VolumeRequest(name: "copy", bytes: 96 << 20, source: .snapshot("snap")))
    do {
      let device = try OpenFile(try await pool.attach("copy"), .read)
      for offset: Int64 in [0, 17 << 20, 63 << 20] { #expect(try device.read(limit: 1 << 20, at: offset) == pattern) }
      for offset: Int64 in [1 << 20, 64 << 20, 95 << 20] {
        #expect(try device.read(limit: 1 << 20, at: offset).allSatisfy { $0 == 0 })
      }
    }
    try await pool.detach("copy")
    try await pool.delete("copy")
    try await pool.deleteSnapshot("snap")
    #expect(try await remains().isEmpty)
  }

  /// What is refused, and that nothing is left of it.
  func checkSnapshotRefusals() async throws {
    let pool = try await open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
    _ = try await pool.create(VolumeRequest(name: "other", bytes: 32 << 20, fileSystem: .ext4))
    let snapshot = try await pool.createSnapshot("snap", of: "data")
    await #expect(throws: VolumeError.snapshotConflict(snapshot: "snap", reason: "of volume data")) {
      try await pool.createSnapshot("snap", of: "other")
    }
    for missing in ["none", "../x", ""] {
      await #expect(throws: VolumeError.notFound(volume: missing)) {
        try await pool.createSnapshot("fresh", of: missing)
      }
      await #expect(throws: VolumeError.sourceNotFound(volume: "v", source: .snapshot(missing))) {
        try await pool.create(VolumeRequest(name: "v", bytes: 0, fileSystem: .ext4, source: .snapshot(missing)))
      }
      await #expect(throws: VolumeError.sourceNotFound(volume: "v", source: .volume(missing))) {
        try await pool.create(VolumeRequest(name: "v", bytes: 0, fileSystem: .ext4, source: .volume(missing)))
      }
    }
    for name in ["", "..", "../escape", "a/b", "-y", String(repeating: "a", count: 129)] {
      await #expect(throws: VolumeError.invalidName(name)) { try await pool.createSnapshot(name, of: "data") }
      try await pool.deleteSnapshot(name)
    }
    let ofSnapshot = VolumeSource.snapshot("snap")
    for request in [
      VolumeRequest(name: "v", bytes: 60 << 20, fileSystem: .ext4, source: ofSnapshot),
      VolumeRequest(name: "v", bytes: 0, limitBytes: 60 << 20, fileSystem: .ext4, source: ofSnapshot),
      VolumeRequest(name: "v", bytes: 0, fileSystem: nil, source: ofSnapshot),
      VolumeRequest(name: "v", bytes: 320 << 20, fileSystem: .xfs, source: ofSnapshot),
      VolumeRequest(name: "v", bytes: 1 << 45, fileSystem: .ext4, source: ofSnapshot),
      VolumeRequest(name: "v", bytes: 64 << 20, fileSystem: .ext4, source: .volume("v")),
      // Volumes that are there, made of nothing or of something else.
      VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4, source: ofSnapshot),
      VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4, source: .volume("data")),
    ] {
      await #expect(throws: VolumeError.self, "\(request)") { try await pool.create(request) }
    }
    _ = try await pool.create(VolumeRequest(name: "v", bytes: 0, fileSystem: .ext4, source: ofSnapshot))
    await #expect(throws: VolumeError.self) {
      try await pool.create(VolumeRequest(name: "v", bytes: 64 << 20, fileSystem: .ext4, source: .volume("data")))
    }
    await #expect(throws: VolumeError.self) {
      try await pool.create(VolumeRequest(name: "v", bytes: 64 << 20, fileSystem: .ext4))
    }
    #expect(await pool.snapshots() == [snapshot])
    #expect(await pool.volumes().map(\.name) == ["data", "other", "v"])
    // A snapshot and a volume may have the same name.
    _ = try await pool.createSnapshot("data", of: "v")
    try await pool.deleteSnapshot("data")
    #expect(await pool.volume("data") != nil)
  }

  /// Many at once, each waiting for others that it needs.
  func checkSnapshotsAtOnce() async throws {
    let pool = try await open()
    for name in ["a", "b"] { _ = try await pool.create(VolumeRequest(name: name, bytes: 32 << 20, fileSystem: .ext4)) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<4 {
        group.addTask { _ = try await pool.createSnapshot("s\(number % 2)", of: number % 2 == 0 ? "a" : "b") }
        group.addTask {
          let source = VolumeSource.volume(number % 2 == 0 ? "a" : "b")
          _ = try await pool.create(
            VolumeRequest(name: "c\(number % 2)", bytes: 0, fileSystem: .ext4, source: source))
        }
        group.addTask { try? await pool.delete("none") }
      }
      try await group.waitForAll()
    }
    #expect(await pool.volumes().map(\.name) == ["a", "b", "c0", "c1"])
    #expect(await pool.snapshots().map(\.name) == ["s0", "s1"])
  }

  // MARK: Crashes

  /// - Parameter survives: whether the snapshot is whole after the crash.
  func checkCrash(snapshottingAfter step: String, survives: Bool) async throws {
    try await crashing(after: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
      let data = try await mount("data", pool, .ext4)
      try written("kept", [1], at: data)
      _ = try await pool.createSnapshot("snap", of: "data")
    }
    let pool = try await open()
    #expect(await pool.snapshots().isEmpty != survives)
    let remains = try await remains().count
    // The volume's are there in any case.
    #expect(survives ? remains > 1 : remains <= 2)
    try written("kept", [2], at: "\(path)/mnt-data")
    _ = try await pool.createSnapshot("snap", of: "data")
    try Mounts.unmount("\(path)/mnt-data")
    try await pool.delete("data")
    _ = try await pool.create(VolumeRequest(name: "back", bytes: 0, fileSystem: .ext4, source: .snapshot("snap")))
    let back = try await mount("back", pool, .ext4)
    #expect(try DurableFile.read(back + "/kept") == [survives ? 1 : 2])
    try Mounts.unmount(back)
  }

  /// - Parameters:
  ///   - cloning: of a volume in use; else of a snapshot.
  ///   - survives: whether the volume is whole after the crash.
  func checkCrash(restoringAfter step: String, cloning: Bool = false, survives: Bool) async throws {
    let source: VolumeSource = cloning ? .volume("data") : .snapshot("snap")
    let request = VolumeRequest(name: "new", bytes: 96 << 20, fileSystem: .ext4, source: source)
    do {
      let pool = try await open()
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
      try written("kept", [1], at: try await mount("data", pool, .ext4))
      _ = try await pool.createSnapshot("snap", of: "data")
    }
    try await crashing(after: step) { _ = try await $0.create(request) }
    let pool = try await open()
    #expect((await pool.volume("new") != nil) == survives)
    try written("again", [1], at: "\(path)/mnt-data")
    #expect(try await pool.create(request).bytes == 96 << 20)
    let new = try await mount("new", pool, .ext4)
    #expect(try DurableFile.read(new + "/kept") == [1])
    try Mounts.unmount(new)
  }

  func checkCrash(droppingAfter step: String) async throws {
    try await crashing(after: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
      _ = try await pool.createSnapshot("snap", of: "data")
      try await pool.deleteSnapshot("snap")
    }
    let pool = try await open()
    #expect(await pool.snapshots().isEmpty)
    try await pool.delete("data")
    #expect(try await remains().isEmpty)
    #expect(try await pool.capacity(for: nil).allocatedBytes == 0)
  }

  private func crashing(after step: String, _ body: (Pool) async throws -> Void) async throws {
    let point = NamedCrashPoint(step)
    await #expect(throws: NamedCrashPoint.Crash.self) {
      let pool = try await open { try point.reached($0) }
      try await body(pool)
    }
    #expect(point.fired)
  }
}
