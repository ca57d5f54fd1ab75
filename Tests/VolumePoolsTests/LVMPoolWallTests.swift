import LinuxSystem
import TestSupport
import Testing

@testable import VolumePools

/// What a pool in LVM does for whoever had the blocks before, for its neighbours in the group, and when LVM fails.
@Suite(.serialized, .enabled(if: Guest.isHere, "needs LVM: run in scripts/in-guest, by LVMGuestTests"))
struct LVMPoolWallTests {
  private static let thin = LVMPool.Kind.thin(pool: LVMPlace.thinPool)

  @Test(arguments: [LVMPool.Wiping.zero, .discard, .none])
  func `A raw volume shows nothing of who had its blocks before, unless told to`(wipes: LVMPool.Wiping) async throws {
    try await LVMPlace.with { place in
      var configuration = place.configuration
      configuration.wipes = wipes
      let pool = try await place.open(configuration)
      _ = try await pool.create(VolumeRequest(name: "before", bytes: 32 << 20))
      try OpenFile(try await pool.attach("before"), .readWrite).write([UInt8](repeating: 0x5A, count: 32 << 20))
      try await pool.delete("before")

      _ = try await pool.create(VolumeRequest(name: "after", bytes: 16 << 20))
      let device = try await pool.attach("after")
      #expect(try Self.foreignPages(device, bytes: 4 << 20).isEmpty)
      let shown = try OpenFile(device, .read)  // in use while it grows
      _ = try await pool.expand("after", to: 32 << 20)
      #expect(try shown.read(limit: 1, at: (32 << 20) - 1).count == 1)
      let foreign = try Self.foreignPages(device, bytes: 32 << 20)
      switch wipes {
      // The guest's disk reads as zeros where it was discarded.
      case .zero, .discard: #expect(foreign.isEmpty)
      // That there is something to be seen at all, in what it had and in what it grew by.
      case .none:
        #expect(foreign.count > 300)
        #expect(foreign.contains { $0 < 12 << 20 } && foreign.contains { $0 > 17 << 20 })
      }
    }
  }

  /// Where, of a page in every 64 KiB, there is anything but zeros.
  private static func foreignPages(_ device: String, bytes: Int64) throws -> [Int64] {
    let file = try OpenFile(device, .read)
    let zeros = [UInt8](repeating: 0, count: 4096)
    return try stride(from: 0, to: bytes, by: 64 << 10).filter { try file.read(limit: 4096, at: $0) != zeros }
  }

  @Test func `A new volume has no file system of who had its blocks before`() async throws {
    try await LVMPlace.with { place in
      var configuration = place.configuration
      configuration.wipes = .none
      let pool = try await place.open(configuration)
      _ = try await pool.create(VolumeRequest(name: "before", bytes: 320 << 20))
      try await Command.run("mkfs.xfs", ["-q", "-K", try await pool.attach("before")])
      try await pool.delete("before")
      _ = try await pool.create(VolumeRequest(name: "raw", bytes: 320 << 20))
      let raw = try await pool.attach("raw")
      #expect(try await Command.result("blkid", ["-p", raw]).exitCode == 2)
      try await Command.run("mkfs.xfs", ["-q", "-K", raw])
      try await pool.delete("raw")
      _ = try await pool.create(VolumeRequest(name: "after", bytes: 320 << 20, fileSystem: .ext4))
      _ = try await pool.attach("after")
      try await pool.prepareFileSystem("after")
    }
  }

  @Test func `What is not Nagaya's is counted and not touched`() async throws {
    try await LVMPlace.with { place in
      let whole = try await { try await place.open().capacity() }()
      try await Command.run("lvcreate", ["-q", "-y", "-n", "nagaya.x", "-L", "64m", LVMPlace.group])
      try await Command.run("lvcreate", ["-q", "-y", "-n", "other", "-L", "1g", "--addtag", "nagaya", LVMPlace.group])
      let pool = try await place.open()
      #expect(await pool.strays.sorted() == ["test-group/nagaya.x", "test-group/other"])
      #expect(await pool.volumes().isEmpty)
      let capacity = try await pool.capacity()
      #expect(capacity.allocatedBytes == 0)
      #expect(capacity.availableBytes == whole.availableBytes - 1088 << 20)
      await #expect(
        throws: VolumeError.conflict(
          volume: "x", reason: "as logical volume test-group/nagaya.x, which is not of this pool")
      ) { try await pool.create(VolumeRequest(name: "x", bytes: 64 << 20)) }
      try await pool.delete("x")
      try await pool.delete("other")
      #expect(try await place.volumes().sorted() == ["nagaya.x", "other"])
      #expect(try await place.volumes("lv_active").count == 2)
    }
  }

  @Test func `Disks that take no more count as full`() async throws {
    try await LVMPlace.with { place in
      try await Command.run("pvchange", ["-q", "-x", "n", Guest.disks[1]])
      let pool = try await place.open()
      let available = try await pool.capacity().maximumVolumeBytes
      let made: Volume
      do { made = try await pool.create(VolumeRequest(name: "all", bytes: available, fileSystem: .ext4)) } catch {
        try await Command.run("pvchange", ["-q", "-x", "y", Guest.disks[1]])
        throw error
      }
      try await Command.run("pvchange", ["-q", "-x", "y", Guest.disks[1]])
      #expect(made.bytes == available)
      try await eventually("the disk's space is seen") {
        try await pool.capacity().availableBytes > 1 << 30
      }
    }
  }

  @Test func `A thin pool promises as much as it was told, to its neighbours too`() async throws {
    try await LVMPlace.with(Self.thin) { place in
      try await Command.run("lvcreate", ["-q", "-y", "-V", "1g", "--thinpool", "thin", "-n", "other", LVMPlace.group])
      var configuration = place.configuration
      configuration.overprovisionRatio = 1.5
      let pool = try await place.open(configuration)
      let capacity = try await pool.capacity()
      #expect(capacity.totalBytes == 3 << 30)
      #expect(capacity.allocatedBytes == 1 << 30)
      #expect(capacity.maximumVolumeBytes == 2 << 30)
      _ = try await pool.create(VolumeRequest(name: "a", bytes: 1 << 30, fileSystem: .xfs))
      await #expect(
        throws: VolumeError.noSpace(
          volume: "b", pool: "fast", requestedBytes: 1028 << 20, availableBytes: 1 << 30)
      ) { try await pool.create(VolumeRequest(name: "b", bytes: 1025 << 20)) }
      await #expect(
        throws: VolumeError.noSpace(volume: "a", pool: "fast", requestedBytes: 2 << 30, availableBytes: 1 << 30)
      ) { try await pool.expand("a", to: 3 << 30) }
    }
  }

  @Test func `A thin pool that fills takes no more and says how full it is`() async throws {
    try await LVMPlace.with(Self.thin) { place in
      var configuration = place.configuration
      configuration.dataLimitPercent = 2
      let pool = try await place.open(configuration)
      _ = try await pool.create(VolumeRequest(name: "a", bytes: 128 << 20))
      #expect(try await pool.capacity().availableBytes > 0)
      try OpenFile(try await pool.attach("a"), .readWrite).write([UInt8](repeating: 1, count: 64 << 20))
      let device = try OpenFile(try await pool.attach("a"), .readWrite)
      try device.sync()
      try await eventually("the thin pool is found to be full") { try await pool.capacity().availableBytes == 0 }
      for act in [
        { _ = try await pool.create(VolumeRequest(name: "b", bytes: 64 << 20)) },
        { _ = try await pool.expand("a", to: 256 << 20) },
      ] as [() async throws -> Void] {
        let error = await #expect(throws: VolumeError.self) { try await act() }
        guard case .poolFull(_, "fast", let reason) = error else {
          Issue.record("not refused as full: \(String(describing: error))")
          continue
        }
        #expect(reason.contains("thin pool test-group/thin has 3.1") && reason.contains("limit 2.0 %"))
      }
      #expect(try await place.volumes("lv_size") == ["128.00m"])
    }
  }

  @Test func `A thin pool that shows old blocks is not used`() async throws {
    try await LVMPlace.with(Self.thin) { place in
      try await Command.run("lvchange", ["-q", "-Zn", "test-group/thin"])
      let refusal = await #expect(throws: VolumeError.self) { try await place.open() }
      var configuration = place.configuration
      configuration.wipes = .none
      let opened = try? await place.open(configuration)
      try await Command.run("lvchange", ["-q", "-Zy", "test-group/thin"])
      #expect(refusal.map { "\($0)" }?.contains("lvchange -Zy test-group/thin") == true)
      #expect(opened != nil)
    }
  }

  @Test func `What is missing is named with its remedy`() async throws {
    try await LVMPlace.with { place in
      for (group, kind, remedy) in [
        ("none", LVMPool.Kind.thick, "vgcreate"), (LVMPlace.group, .thin(pool: "none"), "lvcreate --type thin-pool"),
        ("../etc", .thick, "is no name of LVM"), ("-y", .thick, "is no name of LVM"),
        (LVMPlace.group, .thin(pool: "a b"), "is no name of LVM"),
      ] {
        var configuration = place.configuration
        configuration.group = group
        configuration.kind = kind
        let error = await #expect(throws: VolumeError.self) { try await place.open(configuration) }
        guard case .poolUnavailable("fast", let reason) = error else {
          Issue.record("\(group): \(String(describing: error))")
          continue
        }
        #expect(reason.contains(remedy))
      }
    }
  }

  @Test func `While another holds LVM's lock nothing waits for ever, and then all goes on`() async throws {
    try await LVMPlace.with { place in
      var configuration = place.configuration
      configuration.deadline = .seconds(3)
      let pool = try await place.open(configuration)
      do {
        let lock = try FileLock("/run/lock/lvm/V_\(LVMPlace.group)")
        let isHeld = lock != nil
        #expect(isHeld)
        let error = await #expect(throws: VolumeError.self) {
          try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
        }
        #expect(error.map { "\($0)" }?.contains("another lvm command holds the group's lock") == true)
        _ = lock
      }
      configuration.deadline = .seconds(120)
      try await eventually("the group answers again") {
        (try? await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))) != nil
      }
      #expect(try await place.volumes() == ["nagaya.data"])
    }
  }

  @Test func `A group that goes away is a fault of its volumes, not their end`() async throws {
    try await LVMPlace.with { place in
      let pool = try await place.open()
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
      #expect(await pool.volume("data")?.fault == nil)
      try await Command.run("vgrename", ["-q", LVMPlace.group, "elsewhere"])
      let (deletion, found): (VolumeError?, Bool)
      deletion = await #expect(throws: VolumeError.self) {
        try await eventually("it is seen") {
          try await pool.capacity().volumes == 0  // until what was known is too old
        }
      }
      found = await pool.volume("data")?.fault?.contains("is not there") == true
      try await Command.run("vgrename", ["-q", "elsewhere", LVMPlace.group])
      #expect(found)
      guard case .poolUnavailable = deletion else {
        Issue.record("\(String(describing: deletion))")
        return
      }
      try await eventually("it is well again") { await pool.volume("data").map { $0.fault == nil } == true }
    }
  }

  @Test func `One call of lvm serves many who ask`() async throws {
    try await LVMPlace.with { place in
      let pool = try await place.open()
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
      let before = await pool.reports
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<50 { group.addTask { _ = await pool.volume("data") } }
      }
      #expect(await pool.reports == before + 1)
      try await pool.delete("data")
      #expect(await pool.volume("data") == nil)
    }
  }
}
