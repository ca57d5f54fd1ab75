import Glibc
import LinuxSystem
import Testing

@testable import VolumePools

@Suite struct FilePoolTests {
  @Test(arguments: [FileSystemType.xfs, .ext4])
  func `A volume is made, formatted, written, kept to its size, trimmed and removed`(type: FileSystemType) async throws
  {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    let volume = try await pool.create(VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: type))
    #expect(volume.bytes == 320 << 20)
    #expect(volume.fault == nil)
    let device = try await pool.attach("data")
    try await pool.prepareFileSystem("data")
    let target = fixture.path + "/mnt"
    try Directory.make(target)
    try Mounts.mount(device, at: target, type: type.rawValue)
    let refused = try fill(target + "/big", upTo: 400 << 20)
    #expect(refused == ENOSPC)
    let full = try FileStatus(of: fixture.image("data"))?.allocatedBytes ?? 0
    #expect(full > 200 << 20 && full <= (320 << 20) + (1 << 20))
    try Directory.removeFile(target + "/big")
    try FileSystem.sync(target)
    try FileSystem.trim(target)
    let trimmed = try FileStatus(of: fixture.image("data"))?.allocatedBytes ?? .max
    #expect(trimmed < full / 2)
    await #expect(throws: VolumeError.self) { try await pool.delete("data") }
    try Mounts.unmount(target)
    try await pool.delete("data")
    try await pool.delete("data")
    #expect(try fixture.files().isEmpty)
    #expect(try fixture.devices().isEmpty)
  }

  /// Writes until refused; the errno of the refusal, 0 if there was none.
  private func fill(_ path: String, upTo bytes: Int64) throws -> Int32 {
    let file = try OpenFile(path, .createNew)
    let chunk = [UInt8](repeating: 0xA5, count: 4 << 20)
    var offset: Int64 = 0
    do throws(SystemError) {
      while offset < bytes {
        try file.write(chunk, at: offset)
        offset += Int64(chunk.count)
      }
      try file.sync()
    } catch { return error.errno }
    return 0
  }

  @Test func `Data survives growing while mounted, and staging again checks without formatting`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 300 << 20, fileSystem: .xfs))
    let device = try await pool.attach("data")
    try await pool.prepareFileSystem("data")
    let target = fixture.path + "/mnt"
    try Directory.make(target)
    try Mounts.mount(device, at: target, type: "xfs")
    try DurableFile.write([1, 2, 3], to: target + "/kept")
    let before = try FileSystemUsage(of: target).totalBytes
    #expect(try await pool.expand("data", to: 600 << 20) == 600 << 20)
    try await pool.growFileSystem("data", mountPoint: target)
    #expect(try FileSystemUsage(of: target).totalBytes > before + 250 << 20)
    try Mounts.unmount(target)
    try await pool.detach("data")
    #expect(try fixture.devices().isEmpty)
    let again = try await pool.attach("data")
    try await pool.prepareFileSystem("data")
    try Mounts.mount(again, at: target, type: "xfs")
    #expect(try DurableFile.read(target + "/kept") == [1, 2, 3])
    try Mounts.unmount(target)
  }

  /// A part of a volume that somebody mounts (`subPath`) has the name that he gives it.
  @Test func `A directory that is called like a device is no use of it`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    _ = try await pool.create(VolumeRequest(name: "raw", bytes: 16 << 20))
    let device = try await pool.attach("raw")
    let (theirs, shown) = (fixture.path + "/theirs", fixture.path + "/shown")
    for path in [theirs, shown + "/a", shown + "/b", shown + "/own"] { try Directory.make(path) }
    try Mounts.mount("tmpfs", at: theirs, type: "tmpfs")
    let name = String(device.dropFirst("/dev".count))
    for (path, place) in [(name, "a"), ("/dev\(name)", "b")] {
      try Directory.make(theirs + path)
      try Mounts.bind(theirs + path, at: "\(shown)/\(place)")
    }
    try await pool.detach("raw")
    #expect(try fixture.devices().isEmpty)
    // The node itself is one.
    let again = try await pool.attach("raw")
    try OpenFile(shown + "/node", .createIfMissing).sync()
    try Mounts.bind(again, at: shown + "/node")
    await #expect(throws: VolumeError.self) { try await pool.detach("raw") }
    try Mounts.unmount(shown + "/node")
    try await pool.delete("raw")
  }

  @Test func `ext4 grows when it is next prepared`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
    let device = try await pool.attach("data")
    try await pool.prepareFileSystem("data")
    #expect(try await pool.expand("data", to: 256 << 20) == 256 << 20)
    try await pool.prepareFileSystem("data")
    let target = fixture.path + "/mnt"
    try Directory.make(target)
    try Mounts.mount(device, at: target, type: "ext4")
    #expect(try FileSystemUsage(of: target).totalBytes > 200 << 20)
    try Mounts.unmount(target)
  }

  @Test func `What others wrote is never formatted over`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: .xfs))
    let device = try await pool.attach("data")
    try await Command.run("mkfs.ext4", ["-q", device])
    await #expect(throws: VolumeError.foreignData(volume: "data", found: "TYPE=ext4")) {
      try await pool.prepareFileSystem("data")
    }
  }

  @Test func `Asking again gives the same volume, asking differently is refused`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    let request = VolumeRequest(name: "data", bytes: 100 << 20, fileSystem: .ext4, parameters: ["pool": "default"])
    let first = try await pool.create(request)
    #expect(try await pool.create(request) == first)
    var larger = request
    larger.bytes = 200 << 20
    await #expect(throws: VolumeError.self) { try await pool.create(larger) }
    var other = request
    other.fileSystem = .xfs
    await #expect(throws: VolumeError.self) { try await pool.create(other) }
    #expect(await pool.volumes() == [first])
  }

  @Test func `Sizes are rounded up to blocks and to the file system's least`() async throws {
    #expect(try FilePool.roundedSize(10 << 20, limit: 0, fileSystem: .xfs, volume: "v") == 300 << 20)
    #expect(try FilePool.roundedSize((300 << 20) + 1, limit: 0, fileSystem: .xfs, volume: "v") == (300 << 20) + 4096)
    #expect(try FilePool.roundedSize(0, limit: 0, fileSystem: nil, volume: "v") == 1 << 30)
    for (bytes, limit): (Int64, Int64) in [(-1, 0), (.max, 0), (2, 1), (10 << 20, 20 << 20), (.min, .min)] {
      #expect(throws: VolumeError.self) {
        try FilePool.roundedSize(bytes, limit: limit, fileSystem: .xfs, volume: "v")
      }
    }
  }

  @Test(arguments: [
    "", ".", "..", "../escape", "a/b", "/etc/passwd", ".hidden", "-option", "a\0b", "a b", "ä",
    String(repeating: "a", count: 129),
  ])
  func `A hostile name is refused and touches nothing`(name: String) async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    await #expect(throws: VolumeError.invalidName(name)) {
      try await pool.create(VolumeRequest(name: name, bytes: 64 << 20))
    }
    await #expect(throws: VolumeError.invalidName(name)) { try await pool.expand(name, to: 1 << 20) }
    try await pool.delete(name)
    #expect(try Directory.names(in: fixture.path) == ["pool"])
    #expect(try fixture.files().isEmpty)
  }

  @Test func `Fifty creations at once never promise more than the pool has`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open(limitBytes: 1 << 30)
    let made = await withTaskGroup(of: Bool.self) { group in
      for index in 0..<50 {
        group.addTask {
          (try? await pool.create(VolumeRequest(name: "v\(index)", bytes: 64 << 20))) != nil
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(made == 16)
    let capacity = try await pool.capacity(for: nil)
    #expect(capacity.allocatedBytes == 1 << 30)
    #expect(capacity.availableBytes == 0)
    #expect(capacity.maximumVolumeBytes == 0)
    await #expect(
      throws: VolumeError.noSpace(volume: "one", pool: "default", requestedBytes: 8 << 20, availableBytes: 0)
    ) { try await pool.create(VolumeRequest(name: "one", bytes: 8 << 20)) }
    try await pool.delete("v0")
    try await pool.delete("v1")
    await #expect(throws: VolumeError.self) { try await pool.expand("v2", to: 1 << 30) }
  }

  @Test func `A pool is held by one process at a time`() async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    let pool = try await fixture.open()
    await #expect(throws: VolumeError.poolInUse(pool: "default", directory: fixture.pool)) { try await fixture.open() }
    _ = await pool.volumes()
  }
}
