import LinuxSystem
import Testing

@testable import VolumePools

/// Snapshots of pools in LVM, thick and thin, do what those of every pool do (`PoolConformance`).
@Suite(.serialized, .enabled(if: Guest.isHere, "needs LVM: run in scripts/in-guest, by LVMGuestTests"))
struct LVMSnapshotTests {
  static let thin = LVMPool.Kind.thin(pool: LVMPlace.thinPool)
  static let kinds = [LVMPool.Kind.thick, thin]

  @Test(arguments: zip(kinds, [FileSystemType.xfs, .ext4]))
  func `A snapshot of a mounted volume holds what it held`(kind: LVMPool.Kind, type: FileSystemType) async throws {
    try await LVMPlace.with(kind) { try await $0.checkSnapshot(type) }
  }

  @Test(arguments: zip(kinds, [FileSystemType.ext4, .xfs]))
  func `A clone holds what its source held`(kind: LVMPool.Kind, type: FileSystemType) async throws {
    try await LVMPlace.with(kind) { try await $0.checkClone(type) }
  }

  @Test(arguments: kinds)
  func `A raw volume's bytes are kept, and zeros are behind them`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { place in
      // What the disk has of others.
      if kind == .thick {
        try await Command.run("lvcreate", ["-q", "-y", "-Wn", "-Zn", "-n", "dirt", "-L", "256M", LVMPlace.group])
        let dirt = try OpenFile("/dev/\(LVMPlace.group)/dirt", .readWrite)
        for offset in 0..<64 { try dirt.write([UInt8](repeating: 0xEE, count: 4 << 20), at: Int64(offset) << 22) }
        try dirt.sync()
      }
      if kind == .thick { try await Command.run("lvremove", ["-q", "-y", "\(LVMPlace.group)/dirt"]) }
      try await place.checkRawSnapshot()
    }
  }

  @Test(arguments: kinds)
  func `What cannot be is refused and leaves nothing`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkSnapshotRefusals() }
  }

  @Test(arguments: kinds)
  func `Many at once wait for what they need`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkSnapshotsAtOnce() }
  }

  @Test(arguments: [LVMPool.Step.snapshotVolume, .copyBegun, .snapshotCopy, .snapshotRecord])
  func `A crash while a snapshot is taken leaves none or a whole one`(step: LVMPool.Step) async throws {
    try await LVMPlace.with { place in
      try await place.checkCrash(snapshottingAfter: step.rawValue, survives: step == .snapshotRecord)
      #expect(try await place.volumes().filter { $0.contains("copy") }.isEmpty)
    }
  }

  @Test(arguments: [LVMPool.Step.createVolume, .createCopy, .createWipe, .createRecord])
  func `A crash while a snapshot is restored leaves nothing or a whole volume`(step: LVMPool.Step) async throws {
    try await LVMPlace.with {
      try await $0.checkCrash(restoringAfter: step.rawValue, survives: step == .createRecord)
    }
  }

  @Test func `A crash while a volume in use is cloned leaves nothing`() async throws {
    try await LVMPlace.with { try await $0.checkCrash(restoringAfter: "copyBegun", cloning: true, survives: false) }
  }

  @Test func `A crash while a snapshot is deleted is followed by finishing it`() async throws {
    try await LVMPlace.with { try await $0.checkCrash(droppingAfter: "dropVolume") }
  }

  @Test func `A crash in a thin pool is mended, too`() async throws {
    try await LVMPlace.with(Self.thin) {
      try await $0.checkCrash(snapshottingAfter: "snapshotVolume", survives: true)
    }
    for step in ["createVolume", "createCopy"] {
      try await LVMPlace.with(Self.thin) { try await $0.checkCrash(restoringAfter: step, survives: false) }
    }
    try await LVMPlace.with(Self.thin) { try await $0.checkCrash(droppingAfter: "dropVolume") }
  }

  /// What is set aside for what is written meanwhile is bounded; the copy is given up, not the volume.
  @Test func `A thick volume that is written to faster than it is copied says so`() async throws {
    try await LVMPlace.with { place in
      let pool = try await place.open { step in
        guard step == .copyBegun else { return }
        let file = try OpenFile("\(place.path)/mnt-data/large", .createIfMissing)
        for offset in 0..<50 { try file.write([UInt8](repeating: 7, count: 4 << 20), at: Int64(offset) << 22) }
        try file.sync()
      }
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: .ext4))
      let target = try await place.mount("data", pool, .ext4)
      let error = await #expect(throws: VolumeError.self) { try await pool.createSnapshot("snap", of: "data") }
      #expect(error.map { "\($0)".contains("were written to it meanwhile") } == true)
      #expect(try await place.volumes() == ["nagaya.data"])
      #expect(try FileStatus(of: target + "/large")?.size == 200 << 20)
      try Mounts.unmount(target)
      try await pool.detach("data")
      _ = try await pool.createSnapshot("snap", of: "data")
    }
  }
}
