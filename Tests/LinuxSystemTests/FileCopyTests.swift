import CLinux
import Glibc
import TestSupport
import Testing

@testable import LinuxSystem

/// Copies of files with holes, and file systems that are frozen meanwhile.
@Suite struct FileCopyTests {
  private func with(_ body: (TemporaryDirectory) async throws -> Void) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try await body(directory)
  }

  @Test func `A copy has the same bytes and the same holes, whatever they are`() async throws {
    try await with { directory in
      var random = SeededGenerator(seed: 31)
      for round in 0..<10 {
        let (source, target) = ("\(directory.path)/s\(round)", "\(directory.path)/t\(round)")
        let size = Int64.random(in: 0...24 << 20, using: &random)
        let file = try OpenFile(source, .createNew)
        try file.truncate(to: size)
        for _ in 0..<Int.random(in: 0...6, using: &random) where size > 0 {
          let start = Int64.random(in: 0..<size, using: &random)
          let count = Int(min(size - start, Int64.random(in: 1...3 << 20, using: &random)))
          try file.write([UInt8](repeating: .random(in: 1...255, using: &random), count: count), at: start)
        }
        try file.sync()
        try OpenFile(target, .createNew).sync()
        try FileCopy.copy(source, to: target)
        let (from, to) = (try #require(try FileStatus(of: source)), try #require(try FileStatus(of: target)))
        #expect(to.size == size)
        #expect(to.allocatedBytes <= from.allocatedBytes + 64 << 10)
        #expect(try await Command.result("cmp", [source, target]).exitCode == 0)
      }
    }
  }

  @Test func `A copy gives up at its deadline`() async throws {
    try await with { directory in
      try DurableFile.write([UInt8](repeating: 1, count: 4096), to: directory.path + "/s")
      try OpenFile(directory.path + "/t", .createNew).sync()
      let error = #expect(throws: SystemError.self) {
        try FileCopy.copy(directory.path + "/s", to: directory.path + "/t", deadline: .now)
      }
      #expect(error?.errno == ETIMEDOUT)
    }
  }

  /// A process that is killed closes what it has open, and does nothing else.
  @Test func `What froze a file system is gone, and it is thawed`() async throws {
    try await with { directory in
      let (image, target) = (directory.path + "/disk", directory.path + "/mnt")
      try OpenFile(image, .createNew).truncate(to: 64 << 20)
      try await Command.run("mkfs.ext4", ["-q", image])
      try Directory.make(target)
      try Mounts.mount(try LoopDevice.attach(image).path, at: target, type: "ext4")
      var (process, control): (Int32, Int32) = (0, -1)
      let root = try OpenFile(target, .directory)
      process = root.withDescriptor { nagaya_freeze_begin($0, 600_000, &control) }
      #expect(process > 0)
      let busy = #expect(throws: SystemError.self) { try FileSystem.frozen(target, deadline: .seconds(5)) {} }
      #expect(busy?.errno == EBUSY)
      close(control)
      // Returns when it is thawed.
      try DurableFile.write([1], to: target + "/one")
      try FileSystem.frozen(target, deadline: .seconds(60)) {}
      #expect(waitpid(process, nil, Int32(bitPattern: 0x4000_0000)) == process)
      // And if that process is killed, too: whoever comes next.
      process = root.withDescriptor { nagaya_freeze_begin($0, 600_000, &control) }
      kill(process, SIGKILL)
      #expect(waitpid(process, nil, Int32(bitPattern: 0x4000_0000)) == process)
      close(control)
      try FileSystem.thaw(target)
      try FileSystem.thaw(target)
      try DurableFile.write([2], to: target + "/two")
    }
  }
}
