import Glibc
import TestSupport
import Testing

@testable import LinuxSystem

@Suite struct DurableFileTests {
  @Test func `A write replaces the whole content and leaves no temporary file`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = directory.path + "/record"
    try DurableFile.write(Array("a longer first content".utf8), to: path)
    try DurableFile.write(Array("second".utf8), to: path)
    #expect(try DurableFile.read(path) == Array("second".utf8))
    #expect(try Directory.names(in: directory.path) == ["record"])
  }

  @Test func `A missing file reads as nil, a too long one is refused`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    #expect(try DurableFile.read(directory.path + "/none") == nil)
    try DurableFile.write([1, 2, 3], to: directory.path + "/three")
    #expect(throws: SystemError("read", directory.path + "/three", errno: EFBIG)) {
      try DurableFile.read(directory.path + "/three", limit: 2)
    }
  }

  @Test func `Renaming without replacing keeps what is there`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try DurableFile.write([1], to: directory.path + "/a")
    try DurableFile.write([2], to: directory.path + "/b")
    #expect(throws: SystemError("renameat2", directory.path + "/b", errno: EEXIST)) {
      try DurableFile.rename(directory.path + "/a", to: directory.path + "/b", replacing: false)
    }
    #expect(try DurableFile.read(directory.path + "/b") == [2])
  }

  @Test func `A lock is held by one at a time`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    func take() throws -> Bool { try FileLock(directory.path + "/lock") != nil }
    do {
      let first = try FileLock(directory.path + "/lock")
      let isFirst = first != nil
      #expect(isFirst)
      #expect(try !take())
      _ = consume first
    }
    #expect(try take())
  }

  @Test func `Errors name call, path and reason`() throws {
    #expect("\(SystemError("mount", "/mnt/x", errno: ENOENT))" == "mount /mnt/x: No such file or directory")
  }
}

@Suite struct LoopDeviceTests {
  @Test func `A loop device shows a file, follows its growth and is found by the file`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = directory.path + "/disk"
    let file = try OpenFile(path, .createNew)
    try file.truncate(to: 64 << 20)
    let device = try LoopDevice.attach(path)
    #expect(try device.size() == 64 << 20)
    #expect(device.usesDirectIO)
    #expect(device.backingFile == path)
    #expect(try LoopDevice.attached(to: path) == [device])
    try file.truncate(to: 96 << 20)
    try device.refreshSize()
    #expect(try device.size() == 96 << 20)
    try device.detach()
    try device.detach()
    #expect(try LoopDevice.attached(to: path).isEmpty)
  }

  @Test func `A device whose file was removed is still found by the file's name`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = directory.path + "/disk"
    try OpenFile(path, .createNew).truncate(to: 1 << 20)
    let device = try LoopDevice.attach(path)
    try Directory.removeFile(path)
    #expect(try LoopDevice.attached(to: path) == [device])
    try device.detach()
  }

  @Test func `A device whose file has the same path in another mount namespace is not taken for ours`() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let pool = directory.path + "/pool"
    let disk = pool + "/disk"
    try Directory.make(pool)
    let script = """
      mount -t tmpfs tmpfs \(pool) && truncate -s 1M \(disk) && losetup -f --show \(disk) > \(directory.path)/new \
      && mv \(directory.path)/new \(directory.path)/name && exec sleep 1000
      """
    let world = Task { try await Command.run("unshare", ["-m", "sh", "-c", script], timeout: .seconds(1000)) }
    defer { world.cancel() }
    try await eventually("it has its device") { FileStatus.exists(directory.path + "/name") }
    let name = (SmallFile.text(directory.path + "/name") ?? "").split(separator: "\n").first ?? ""
    let theirs = LoopDevice(number: try #require(Int(name.dropFirst("/dev/loop".count))))
    defer { try? theirs.detach() }
    // The kernel shows their file under the very path that ours has.
    #expect(theirs.backingFile == disk)
    #expect(try LoopDevice.attached(to: disk).isEmpty)
    try OpenFile(disk, .createNew).truncate(to: 1 << 20)
    let ours = try LoopDevice.attach(disk)
    #expect(try LoopDevice.attached(to: disk) == [ours])
    #expect(try LoopDevice.below(pool).map(\.device) == [ours])
    let (one, other) = (try theirs.backing(), try ours.backing())
    #expect(one != nil && one != other)
    try ours.detach()
    #expect(theirs.backingFile == disk)
    try theirs.detach()
    world.cancel()
    _ = await world.result
    // Without its namespace the kernel shows what is left of a path: a device is found by its file all the same.
    let kept = directory.path + "/kept"
    try Directory.make(kept)
    try await Command.run(
      "unshare",
      ["-m", "sh", "-c", "mount --bind \(kept) \(pool) && truncate -s 1M \(pool)/own && losetup -f \(pool)/own"])
    let own = try LoopDevice.attached(to: kept + "/own")
    #expect(own.count == 1 && own.first?.backingFile != kept + "/own")
    #expect(try LoopDevice.below(kept).map(\.device) == own)
    for device in own { try device.detach() }
  }

  @Test func `A device whose file was removed and made anew shows the removed one`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = directory.path + "/disk"
    try OpenFile(path, .createNew).truncate(to: 1 << 20)
    let removed = try LoopDevice.attach(path)
    defer { try? removed.detach() }
    try Directory.removeFile(path)
    try OpenFile(path, .createNew).truncate(to: 1 << 20)
    #expect(try LoopDevice.attached(to: path).isEmpty)
    let new = try LoopDevice.attach(path)
    #expect(try LoopDevice.attached(to: path) == [new])
    try new.detach()
  }

  @Test func `Many tasks attach at the same time and each gets its own device`() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let devices = try await withThrowingTaskGroup(of: LoopDevice.self) { group in
      for index in 0..<24 {
        group.addTask {
          let path = "\(directory.path)/disk\(index)"
          try OpenFile(path, .createNew).truncate(to: 1 << 20)
          return try LoopDevice.attach(path)
        }
      }
      return try await group.reduce(into: Set<LoopDevice>()) { $0.insert($1) }
    }
    #expect(devices.count == 24)
    for device in devices { try device.detach() }
  }

  @Test func `A mounted file system is bound read-only, trimmed, measured and unmounted`() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = directory.path + "/disk"
    try OpenFile(path, .createNew).truncate(to: 64 << 20)
    let device = try LoopDevice.attach(path)
    try await Command.run("mkfs.ext4", ["-q", "-E", "nodiscard", device.path])
    let target = directory.path + "/mnt"
    let bound = directory.path + "/bound"
    try Directory.make(target)
    try Directory.make(bound)
    try Mounts.mount(device.path, at: target, type: "ext4", options: ["noatime", "errors=remount-ro"])
    try DurableFile.write([7], to: target + "/seven")
    try Mounts.bind(target, at: bound, readOnly: true)
    let table = try Mounts.table()
    #expect(table.top(at: bound)?.isReadOnly == true)
    #expect(table.top(at: target)?.isReadOnly == false)
    #expect(table.mounts(ofDevice: LoopDevice.major, device.minor).count == 2)
    #expect(throws: SystemError.self) { try DurableFile.write([8], to: bound + "/eight") }
    #expect(try DurableFile.read(bound + "/seven") == [7])
    #expect(try FileSystem.trim(target) > 0)
    let usage = try FileSystemUsage(of: target)
    #expect(usage.totalBytes > 32 << 20 && usage.totalBytes <= 64 << 20)
    #expect(usage.freeInodes < usage.totalInodes)
    try Mounts.unmount(bound)
    try Mounts.unmount(bound)
    try Mounts.unmount(target)
    #expect(try Mounts.table().mounts(under: directory.path).isEmpty)
  }
}

@Suite struct CommandTests {
  @Test func `Output is returned`() async throws {
    #expect(try await Command.run("echo", ["hello"]).standardOutput == "hello\n")
  }

  @Test func `A failing program is named with its exit code and last words`() async throws {
    await #expect(
      throws: CommandError.failed(
        program: "sh", arguments: ["-c", "echo first >&2; echo last >&2; exit 3"], exitCode: 3, errorTail: "first; last"
      )
    ) { try await Command.run("sh", ["-c", "echo first >&2; echo last >&2; exit 3"]) }
  }

  @Test func `A missing program is named`() async throws {
    await #expect(throws: CommandError.notFound(program: "no-such-program-here")) {
      try await Command.run("no-such-program-here")
    }
  }

  @Test func `A program that takes too long is ended`() async throws {
    await #expect(
      throws: CommandError.timedOut(program: "sleep", arguments: ["60"], after: .milliseconds(100))
    ) { try await Command.run("sleep", ["60"], timeout: .milliseconds(100)) }
  }
}
