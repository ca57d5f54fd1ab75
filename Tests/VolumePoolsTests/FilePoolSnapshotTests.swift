import LinuxSystem
import TestSupport
import Testing

@testable import VolumePools

/// Snapshots of pools in files, on a file system with reflinks and on one without.
@Suite struct FilePoolSnapshotTests {
  enum Place: CaseIterable, Sendable {
    case copying, sharing
  }

  static let placesAndTypes = Place.allCases.flatMap { place in FileSystemType.allCases.map { (place, $0) } }

  private func with(_ place: Place, _ body: (PoolFixture) async throws -> Void) async throws {
    let fixture = place == .sharing ? try await PoolFixture.withReflinks() : try PoolFixture()
    defer { fixture.remove() }
    try await body(fixture)
  }

  @Test(arguments: placesAndTypes)
  func `A snapshot of a mounted volume holds what it held, whatever becomes of it`(place: Place, type: FileSystemType)
    async throws
  { try await with(place) { try await $0.checkSnapshot(type) } }

  @Test(arguments: placesAndTypes)
  func `A clone holds what its source held`(place: Place, type: FileSystemType) async throws {
    try await with(place) { try await $0.checkClone(type) }
  }

  @Test(arguments: Place.allCases)
  func `A raw volume's bytes are kept, and zeros are behind them`(place: Place) async throws {
    try await with(place) { try await $0.checkRawSnapshot() }
  }

  @Test func `What cannot be is refused and leaves nothing`() async throws {
    try await with(.copying) { try await $0.checkSnapshotRefusals() }
  }

  @Test(arguments: Place.allCases)
  func `Many at once wait for what they need, and for no more`(place: Place) async throws {
    try await with(place) { try await $0.checkSnapshotsAtOnce() }
  }

  @Test(arguments: [FilePool.Step.snapshotIntent, .copyFrozen, .snapshotFile, .snapshotRecord], Place.allCases)
  func `A crash while a snapshot is taken leaves none or a whole one, and nothing frozen`(
    step: FilePool.Step, place: Place
  ) async throws {
    try await with(place) {
      try await $0.checkCrash(snapshottingAfter: step.rawValue, survives: step == .snapshotRecord)
    }
  }

  @Test(arguments: [FilePool.Step.createIntent, .createFile, .createRecord], Place.allCases)
  func `A crash while a snapshot is restored leaves nothing or a whole volume`(step: FilePool.Step, place: Place)
    async throws
  {
    try await with(place) {
      try await $0.checkCrash(restoringAfter: step.rawValue, survives: step == .createRecord)
    }
  }

  @Test(arguments: [FilePool.Step.createIntent, .copyFrozen, .createFile, .createRecord])
  func `A crash while a volume is cloned leaves nothing or a whole volume, and nothing frozen`(step: FilePool.Step)
    async throws
  {
    try await with(.copying) {
      try await $0.checkCrash(restoringAfter: step.rawValue, cloning: true, survives: step == .createRecord)
    }
  }

  @Test(arguments: [FilePool.Step.dropIntent, .dropFile, .dropRecord])
  func `A crash while a snapshot is deleted is followed by finishing it`(step: FilePool.Step) async throws {
    try await with(.copying) { try await $0.checkCrash(droppingAfter: step.rawValue) }
  }

  /// As if the process that should have thawed it had been killed, too.
  @Test func `What a crash left frozen is thawed at the next start`() async throws {
    try await with(.copying) { fixture in
      do {
        let point = NamedCrashPoint("snapshotIntent")
        let pool = try await fixture.open(limitBytes: nil) { try point.reached($0.rawValue) }
        _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
        _ = try await fixture.mount("data", pool, .ext4)
        await #expect(throws: NamedCrashPoint.Crash.self) { try await pool.createSnapshot("snap", of: "data") }
      }
      let target = "\(fixture.path)/mnt-data"
      try await Command.run("fsfreeze", ["-f", target])
      let pool = try await fixture.open(limitBytes: nil)
      // Not frozen: it can be frozen.
      try FileSystem.frozen(target, deadline: .seconds(5)) {}
      // Somebody else's freeze is not ours to end.
      try await Command.run("fsfreeze", ["-f", target])
      await #expect(throws: VolumeError.self) { try await pool.createSnapshot("snap", of: "data") }
      try await Command.run("fsfreeze", ["-u", target])
      _ = try await pool.createSnapshot("snap", of: "data")
    }
  }

  @Test func `A file system is thawed at its deadline, and who reads for longer is told`() async throws {
    let directory = try PoolFixture()
    defer { directory.remove() }
    let image = directory.path + "/disk"
    try OpenFile(image, .createNew).truncate(to: 64 << 20)
    let target = directory.path + "/mnt"
    try Directory.make(target)
    try await Command.run("mkfs.ext4", ["-q", image])
    try Mounts.mount(try LoopDevice.attach(image).path, at: target, type: "ext4")
    let error = #expect(throws: SystemError.self) {
      try FileSystem.frozen(target, deadline: .milliseconds(1)) {
        // Ends when it is thawed.
        try DurableFile.write([1], to: target + "/one")
      }
    }
    #expect(error?.errno == 110)
    #expect(try DurableFile.read(target + "/one") == [1])
    #expect(throws: CrashPoint.Crash.self) {
      try FileSystem.frozen(target, deadline: .seconds(60)) { throw CrashPoint.Crash() }
    }
    try DurableFile.write([2], to: target + "/two")
  }

  @Test func `Without reflinks a mounted volume waits for no long copies`() async throws {
    try await with(.copying) { fixture in
      let pool = try await fixture.open(frozenCopyBytes: 16 << 20)
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 128 << 20, fileSystem: .ext4))
      let target = try await fixture.mount("data", pool, .ext4)
      try DurableFile.write([UInt8](repeating: 1, count: 32 << 20), to: target + "/large")
      let error = await #expect(throws: VolumeError.self) { try await pool.createSnapshot("snap", of: "data") }
      #expect(error.map { "\($0)".contains("no reflinks") } == true)
      #expect(await pool.snapshots().isEmpty)
      try Mounts.unmount(target)
      // Its device is still shown: nobody can be made to wait.
      await #expect(throws: VolumeError.self) { try await pool.createSnapshot("snap", of: "data") }
      try await pool.detach("data")
      _ = try await pool.createSnapshot("snap", of: "data")
      #expect(try fixture.files() == ["data.img", "data.json", "snap.img", "snap.json"])
    }
  }

  /// What is promised is there, whatever is written to whichever of the sharers.
  @Test func `Shared blocks are counted once, and what may have to be written anew is kept free`() async throws {
    let fixture = try await PoolFixture.withReflinks(bytes: 1 << 30)
    defer { fixture.remove() }
    let pool = try await fixture.open(limitBytes: nil)
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 256 << 20, fileSystem: .ext4))
    let target = try await fixture.mount("data", pool, .ext4)
    let bytes = [UInt8](repeating: 1, count: 128 << 20)
    try DurableFile.write(bytes, to: target + "/large")
    try FileSystem.sync(target)
    let before = try await pool.capacity(for: nil)
    _ = try await pool.createSnapshot("one", of: "data")
    let after = try await pool.capacity(for: nil)
    let cost = before.availableBytes - after.availableBytes
    #expect(cost >= 128 << 20 && cost <= 160 << 20)
    _ = try await pool.createSnapshot("two", of: "data")
    let second = try await pool.capacity(for: nil)
    // The two share all they have.
    #expect(after.availableBytes - second.availableBytes < 8 << 20)
    // All is written anew: what was kept free for that is taken.
    try OpenFile(target + "/large", .readWrite).write(bytes)
    try FileSystem.sync(target)
    let written = try await pool.capacity(for: nil)
    #expect(written.availableBytes >= second.availableBytes - (16 << 20))
    #expect(written.availableBytes <= second.availableBytes + (160 << 20))
    try await pool.deleteSnapshot("one")
    try await pool.deleteSnapshot("two")
    try Mounts.unmount(target)
    try await pool.delete("data")
    #expect(try await pool.capacity(for: nil).allocatedBytes == 0)
  }

  @Test func `Arbitrary bytes are no record of a snapshot`() {
    var generator = SeededGenerator(seed: 18)
    let volume = VolumeRecord(VolumeRequest(name: "v", bytes: 4096, fileSystem: .xfs), bytes: 4096)
    let good = SnapshotRecord("s", of: volume, bytes: 4096, promisedBytes: 4096)
    #expect(SnapshotRecord(good.encoded, name: "s") == good)
    for _ in 0..<3000 {
      var bytes = good.encoded
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
      }
      if let record = SnapshotRecord(bytes, name: "s") { #expect(record.bytes > 0 && record.promisedBytes >= 0) }
    }
  }
}
