import Glibc
import LinuxSystem
import Locking
import Testing

@testable import VolumePools

/// A fresh place for one pool, and what lies there for volumes. What all kinds of pools do alike is tested on it.
protocol PoolPlace: Sendable {
  associatedtype Pool: VolumeBackend

  /// A directory for mounts.
  var path: String { get }
  /// - Parameter afterStep: is told the names of the pool's steps.
  func open(afterStep: (@Sendable (String) throws -> Void)?) async throws -> Pool
  /// Files or logical volumes, by names.
  func remains() async throws -> [String]
  /// Devices of volumes.
  func shownDevices() async throws -> Int
}

/// Ends a change after one step, once, as a crash would: nothing behind it is run.
final class NamedCrashPoint: Sendable {
  struct Crash: Error {}
  private let step: String
  private let hasFired = Mutex(false)

  init(_ step: String) { self.step = step }

  var fired: Bool { hasFired.withLock { $0 } }

  func reached(_ reached: String) throws {
    guard reached == step else { return }
    hasFired.withLock { $0 = true }
    throw Crash()
  }
}

extension PoolPlace {
  private func open() async throws -> Pool { try await open(afterStep: nil) }

  private func mounted(_ pool: Pool, _ type: FileSystemType) async throws -> String {
    let device = try await pool.attach("data")
    try await pool.prepareFileSystem("data")
    let target = path + "/mnt"
    try Directory.make(target)
    try Mounts.mount(device, at: target, type: type.rawValue)
    return target
  }

  /// A volume's life, with its size as a wall.
  func checkLife(_ type: FileSystemType) async throws {
    let pool = try await open()
    let volume = try await pool.create(VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: type))
    #expect(volume.bytes == 320 << 20)
    #expect(volume.fault == nil)
    let target = try await mounted(pool, type)
    #expect(try fill(target + "/big", upTo: 400 << 20) == ENOSPC)
    try Directory.removeFile(target + "/big")
    try FileSystem.sync(target)
    await #expect(throws: VolumeError.inUse(volume: "data", by: "mounted at \(target)")) {
      try await pool.delete("data")
    }
    await #expect(throws: VolumeError.self) { try await pool.detach("data") }
    #expect(await pool.volume("data") == volume)
    try Mounts.unmount(target)
    try await pool.delete("data")
    try await pool.delete("data")
    #expect(try await remains().isEmpty)
    #expect(try await shownDevices() == 0)
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

  /// Data survives growing, mounted where the kernel does that, and being staged again.
  func checkGrowth(_ type: FileSystemType) async throws {
    let pool = try await open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 300 << 20, fileSystem: type))
    var target = try await mounted(pool, type)
    try DurableFile.write([1, 2, 3], to: target + "/kept")
    let before = try FileSystemUsage(of: target).totalBytes
    #expect(try await pool.expand("data", to: 600 << 20, limitBytes: 0) == 600 << 20)
    #expect(try await pool.expand("data", to: 500 << 20, limitBytes: 0) == 600 << 20)
    do { try await pool.growFileSystem("data", mountPoint: target) } catch VolumeError.growNeedsUnmount {
      try Mounts.unmount(target)
      target = try await mounted(pool, type)
    }
    #expect(try FileSystemUsage(of: target).totalBytes > before + 250 << 20)
    try Mounts.unmount(target)
    try await pool.detach("data")
    try await pool.detach("data")
    #expect(try await shownDevices() == 0)
    target = try await mounted(pool, type)
    #expect(try DurableFile.read(target + "/kept") == [1, 2, 3])
    try Mounts.unmount(target)
    await #expect(throws: VolumeError.self) { try await pool.expand("data", to: 0, limitBytes: 1 << 20) }
    await #expect(throws: VolumeError.notFound(volume: "none")) {
      try await pool.expand("none", to: 1 << 30, limitBytes: 0)
    }
  }

  func checkForeignData() async throws {
    let pool = try await open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: .xfs))
    let device = try await pool.attach("data")
    try await Command.run("mkfs.ext4", ["-q", "-E", "nodiscard", device])
    await #expect(throws: VolumeError.foreignData(volume: "data", found: "TYPE=ext4")) {
      try await pool.prepareFileSystem("data")
    }
  }

  func checkIdentity() async throws {
    let pool = try await open()
    let request = VolumeRequest(
      name: "data", bytes: 100 << 20, fileSystem: .ext4, parameters: ["pool": "default", "a key": "ä=!\n"])
    let first = try await pool.create(request)
    #expect(first.parameters == request.parameters)
    #expect(try await pool.create(request) == first)
    var larger = request
    larger.bytes = 200 << 20
    var other = request
    other.fileSystem = .xfs
    var renamed = request
    renamed.parameters = ["pool": "other"]
    for different in [larger, other, renamed] {
      await #expect(throws: VolumeError.self) { try await pool.create(different) }
    }
    #expect(await pool.volumes() == [first])
    for name in ["", ".", "..", "../escape", "a/b", "/etc", "-y", "a b", "a\0b", String(repeating: "a", count: 129)] {
      await #expect(throws: VolumeError.invalidName(name)) {
        try await pool.create(VolumeRequest(name: name, bytes: 64 << 20, fileSystem: .ext4))
      }
      try await pool.delete(name)
      try await pool.detach(name)
    }
    // What the rule allows every kind of pool can hold, however its own names are.
    for name in ["a-" + String(repeating: "b-", count: 63), "snap_tmeta", "A.b"] {
      let made = try await pool.create(VolumeRequest(name: name, bytes: 32 << 20, fileSystem: .ext4))
      #expect(await pool.volume(name) == made)
      try await pool.delete(name)
    }
    #expect(await pool.volumes() == [first])
  }

  /// All space can be given away, by one or by many at once, and no more.
  func checkSpace() async throws {
    let pool = try await open()
    let most = try await pool.capacity(for: .ext4).maximumVolumeBytes
    #expect(most >= 256 << 20)
    await #expect(
      throws: VolumeError.noSpace(
        volume: "more", pool: pool.poolName, requestedBytes: most + 4 << 20, availableBytes: most)
    ) { try await pool.create(VolumeRequest(name: "more", bytes: most + 4 << 20, fileSystem: .ext4)) }
    _ = try await pool.create(VolumeRequest(name: "all", bytes: most, fileSystem: .ext4))
    let full = try await pool.capacity(for: .ext4)
    #expect(full.availableBytes == 0)
    #expect(full.maximumVolumeBytes == 0)
    await #expect(
      throws: VolumeError.noSpace(volume: "one", pool: pool.poolName, requestedBytes: 32 << 20, availableBytes: 0)
    ) { try await pool.create(VolumeRequest(name: "one", bytes: 32 << 20, fileSystem: .ext4)) }
    await #expect(throws: VolumeError.self) { try await pool.expand("all", to: most + 32 << 20, limitBytes: 0) }
    #expect(await pool.volume("all")?.bytes == most)
    try await pool.delete("all")
    let share = most / 4 / (4 << 20) * (4 << 20)
    let made = await withTaskGroup(of: Bool.self) { group in
      for index in 0..<8 {
        group.addTask {
          (try? await pool.create(VolumeRequest(name: "v\(index)", bytes: share, fileSystem: .ext4))) != nil
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(made == 4)
    #expect(try await pool.capacity(for: .ext4).allocatedBytes == share * 4)
    #expect(await pool.volumes().count == 4)
  }

  /// - Parameter survives: whether the volume is whole after the crash.
  func checkCrash(creatingAfter step: String, survives: Bool) async throws {
    let request = VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4)
    try await crash(after: step) { _ = try await $0.create(request) }
    let pool = try await open()
    #expect(await pool.volumes().isEmpty != survives)
    #expect(try await remains().isEmpty != survives)
    let volume = try await pool.create(request)
    #expect(await pool.volumes() == [volume])
  }

  func checkCrash(deletingAfter step: String) async throws {
    try await crash(after: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
      _ = try await pool.attach("data")
      try await pool.delete("data")
    }
    let pool = try await open()
    #expect(await pool.volumes().isEmpty)
    #expect(try await remains().isEmpty)
    #expect(try await shownDevices() == 0)
    #expect(try await pool.capacity(for: nil).allocatedBytes == 0)
  }

  func checkCrash(growingAfter step: String, fileSystem: FileSystemType? = nil) async throws {
    try await crash(after: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: fileSystem))
      _ = try await pool.attach("data")
      _ = try await pool.expand("data", to: 128 << 20, limitBytes: 0)
    }
    let pool = try await open()
    #expect(await pool.volume("data")?.bytes == 128 << 20)
    #expect(try await pool.capacity(for: nil).allocatedBytes == 128 << 20)
    let device = try OpenFile(try await pool.attach("data"), .read)
    #expect(try device.read(limit: 4096, at: (128 << 20) - 4096).count == 4096)
    #expect(try device.read(limit: 1, at: 128 << 20).isEmpty)
  }

  func checkCrash(formattingAfter step: String) async throws {
    try await crash(after: step) { pool in
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
      _ = try await pool.attach("data")
      try await pool.prepareFileSystem("data")
    }
    let pool = try await open()
    #expect(try await shownDevices() == 0)
    try Mounts.unmount(try await mounted(pool, .ext4))
  }

  /// Opens the pool, runs `body` into the crash, and lets the pool go as the end of a process would.
  private func crash(after step: String, _ body: (Pool) async throws -> Void) async throws {
    let point = NamedCrashPoint(step)
    await #expect(throws: NamedCrashPoint.Crash.self) {
      let pool = try await open { try point.reached($0) }
      try await body(pool)
    }
    #expect(point.fired)
  }

  func checkRestartWhileMounted() async throws {
    let target = try await { try await mounted(try await madePool(), .ext4) }()
    let pool = try await open()
    #expect(try await shownDevices() == 1)
    try DurableFile.write([1], to: target + "/one")
    await #expect(throws: VolumeError.self) { try await pool.delete("data") }
    #expect(await pool.volume("data") != nil)
    try Mounts.unmount(target)
    let device = try await pool.attach("data")
    do {
      let holder = try OpenFile(device, .read)
      await #expect(throws: VolumeError.inUse(volume: "data", by: "\(device) is open")) {
        try await pool.delete("data")
      }
      _ = holder.path
    }
    try await pool.delete("data")
    #expect(try await remains().isEmpty)
  }

  private func madePool() async throws -> Pool {
    let pool = try await open()
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 64 << 20, fileSystem: .ext4))
    return pool
  }

  func checkOneProcess() async throws {
    let pool = try await open()
    do {
      _ = try await open()
      Issue.record("a pool was opened twice")
    } catch VolumeError.poolInUse {}
    _ = await pool.volumes()
  }
}
