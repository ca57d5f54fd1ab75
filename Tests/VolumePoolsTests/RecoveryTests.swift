import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import VolumePools

@Suite struct RecoveryTests {
  @Test(arguments: [FilePool.Step.createIntent, .createFile, .createRecord])
  func `A crash while creating leaves nothing or a whole volume, and creating again works`(step: FilePool.Step)
    async throws
  {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let request = VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4)
    try await crash(fixture, at: step) { _ = try await $0.create(request) }
    let pool = try await fixture.open()
    let found = await pool.volumes()
    #expect(found.isEmpty == (step != .createRecord))
    #expect(try fixture.files().isEmpty == found.isEmpty)
    let volume = try await pool.create(request)
    #expect(await pool.volumes() == [volume])
    #expect(try fixture.files() == ["data.img", "data.json"])
  }

  @Test(arguments: [FilePool.Step.deleteIntent, .deleteDevice, .deleteFile, .deleteRecord])
  func `A crash while deleting is followed by finishing it`(step: FilePool.Step) async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    try await crash(fixture, at: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
      _ = try await pool.attach("data")
      try await pool.delete("data")
    }
    let pool = try await fixture.open()
    #expect(await pool.volumes().isEmpty)
    #expect(try fixture.files().isEmpty)
    #expect(try fixture.devices().isEmpty)
    #expect(try await pool.capacity(for: nil).allocatedBytes == 0)
  }

  @Test(arguments: [FilePool.Step.expandIntent, .expandFile, .expandDevice, .expandRecord])
  func `A crash while growing is followed by finishing it`(step: FilePool.Step) async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    try await crash(fixture, at: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
      _ = try await pool.attach("data")
      _ = try await pool.expand("data", to: 128 << 20)
    }
    let pool = try await fixture.open()
    #expect(await pool.volume("data")?.bytes == 128 << 20)
    #expect(try FileStatus(of: fixture.image("data"))?.size == 128 << 20)
    #expect(try await pool.capacity(for: nil).allocatedBytes == 128 << 20)
    let device = try await pool.attach("data")
    let found = try #require(try fixture.devices().first { $0.path == device })
    #expect(try found.size() == 128 << 20)
  }

  @Test(arguments: [FilePool.Step.attachDevice, .formatIntent, .formatDone, .formatRecord])
  func `A crash while attaching or formatting leaks no device, and preparing again makes the volume usable`(
    step: FilePool.Step
  ) async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    try await crash(fixture, at: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
      _ = try await pool.attach("data")
      try await pool.prepareFileSystem("data")
    }
    let pool = try await fixture.open()
    #expect(try fixture.devices().isEmpty)
    let device = try await pool.attach("data")
    try await pool.prepareFileSystem("data")
    let target = fixture.path + "/mnt"
    try Directory.make(target)
    try Mounts.mount(device, at: target, type: "ext4")
    try Mounts.unmount(target)
  }

  @Test func `A restart leaves mounted volumes mounted`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let target = fixture.path + "/mnt"
    try Directory.make(target)
    try await useAndDrop(fixture) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
      let device = try await pool.attach("data")
      try await pool.prepareFileSystem("data")
      try Mounts.mount(device, at: target, type: "ext4")
    }
    let pool = try await fixture.open()
    #expect(try fixture.devices().count == 1)
    try DurableFile.write([1], to: target + "/one")
    await #expect(throws: VolumeError.self) { try await pool.delete("data") }
    #expect(await pool.volume("data") != nil)
    try Mounts.unmount(target)
  }

  @Test func `A volume whose device somebody still holds stays until that lets it go`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
    let device = try await pool.attach("data")
    do {
      let holder = try OpenFile(device, .read)
      await #expect(throws: VolumeError.inUse(volume: "data", by: "\(device) is open")) {
        try await pool.delete("data")
      }
      #expect(try FileStatus(of: fixture.image("data")) != nil)
      _ = holder.path
    }
    try await pool.delete("data")
    #expect(try fixture.files().isEmpty)
    #expect(try fixture.devices().isEmpty)
  }

  @Test func `Files of no volume and damaged records are reported and left alone`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    try Directory.make(fixture.pool + "/volumes")
    try Directory.make(fixture.pool + "/records")
    try DurableFile.write([1], to: fixture.image("orphan"))
    for (name, text) in [
      ("bad", "{"), ("other", #"{"version":1,"name":"x","bytes":1,"state":"ready"}"#),
      ("deep", String(repeating: "[", count: 5000)),
    ] {
      try DurableFile.write(Array(text.utf8), to: "\(fixture.pool)/records/\(name).json")
    }
    try OpenFile(fixture.pool + "/records/half.json.writing", .createNew).write([1])
    let pool = try await fixture.open()
    #expect(await pool.strays.count == 4)
    #expect(try fixture.files() == ["orphan.img", "bad.json", "deep.json", "other.json"])
    await #expect(throws: VolumeError.self) { try await pool.create(VolumeRequest(name: "orphan", bytes: 64 << 20)) }
    #expect(try DurableFile.read(fixture.image("orphan")) == [1])
  }

  @Test func `A volume whose file is gone says so`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20))
    try Directory.removeFile(fixture.image("data"))
    #expect(await pool.volume("data")?.fault?.contains("missing") == true)
    try await pool.delete("data")
  }

  @Test func `Arbitrary bytes are no record`() {
    var generator = SeededGenerator(seed: 17)
    let good = VolumeRecord(VolumeRequest(name: "v", bytes: 4096, fileSystem: .xfs), bytes: 4096)
    #expect(VolumeRecord(good.encoded, name: "v") == good)
    for _ in 0..<3000 {
      var bytes = good.encoded
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
      }
      if let record = VolumeRecord(bytes, name: "v") { #expect(record.bytes > 0 && record.name == "v") }
    }
  }

  /// Opens the pool, runs `body` into the crash, and lets the pool go as the end of a process would.
  private func crash(_ fixture: PoolFixture, at step: FilePool.Step, _ body: (FilePool) async throws -> Void)
    async throws
  {
    let point = CrashPoint(step)
    await #expect(throws: CrashPoint.Crash.self) {
      let pool = try await fixture.open { try point.reached($0) }
      try await body(pool)
    }
    #expect(point.fired)
  }

  private func useAndDrop(_ fixture: PoolFixture, _ body: (FilePool) async throws -> Void) async throws {
    let pool = try await fixture.open()
    try await body(pool)
  }
}
