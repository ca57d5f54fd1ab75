import Glibc
import Testing

@testable import LinuxSystem

/// Questions before files are read, memory and open files that processes share.
@Suite struct PreContentTests {
  @Test func `events of any bytes are taken apart without harm`() {
    var state: UInt64 = 7
    for size in 0..<400 {
      var bytes = (0..<size).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1
        return UInt8(truncatingIfNeeded: state >> 40) & (size % 3 == 0 ? 0xFF : 0x3F)
      }
      if size >= 8, size % 2 == 0 { bytes.replaceSubrange(0..<8, with: [UInt8(size & 0xFC), 0, 0, 0, 3, 0, 24, 0]) }
      bytes.withUnsafeBytes { PreContentEvent.parse($0) { #expect($0.number >= 0 && $0.range.lowerBound >= 0) } }
    }
  }

  @Test func `a reader of a marked file waits for the answer`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = "\(directory.path)/file"
    let file = try SharedDescriptor(path, .createNew)
    try file.truncate(to: 8192)
    let group = try PreContentGroup()
    try group.mark(file)
    // Through a descriptor that is older than the mark nobody is asked.
    try file.write([1, 2, 3], at: 4096)
    let counter = try SharedDescriptor("\(directory.path)/done", .createNew)
    let child = fork(reading: path)
    var events: [PreContentEvent] = []
    var poll = pollfd(fd: group.descriptor.number, events: Int16(POLLIN), revents: 0)
    #expect(Glibc.poll(&poll, 1, 10_000) == 1)
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      let count = (try? group.read(into: buffer)) ?? 0
      PreContentEvent.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { events.append($0) }
    }
    let event = try #require(events.first)
    #expect(events.count == 1 && event.process == child && event.range.contains(4096))
    #expect(!group.allow(event.number + 1))
    #expect(group.deny(event.number))
    close(event.number)
    var status: Int32 = 0
    waitpid(child, &status, 0)
    #expect(status != 0)
    _ = counter
  }

  /// A process that reads a byte and answers 0 if it got it.
  private func fork(reading path: String) -> pid_t {
    var process: pid_t = 0
    let words = ["dd", "if=\(path)", "of=/dev/null", "bs=1", "count=1", "skip=4096", "status=none"]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    posix_spawnp(&process, "dd", nil, nil, &arguments, nil)
    return process
  }

  @Test func `open files pass through a socket`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let listener = try PacketSocket.listen("\(directory.path)/socket")
    var status = stat()
    #expect(stat("\(directory.path)/socket", &status) == 0 && status.st_mode & 0o777 == 0o600)
    let client = try PacketSocket.connect("\(directory.path)/socket")
    let server = try listener.accept()
    #expect(try server.peerUser() == getuid())
    let files = try (0..<3).map { try SharedDescriptor("\(directory.path)/\($0)", .createNew) }
    try client.send("three", files: files)
    try client.send("none")
    let first = try #require(try server.receive())
    #expect(first.text == "three")
    #expect(try first.files.map { try $0.identity() } == files.map { try $0.identity() })
    #expect(first.files.allSatisfy { fcntl($0.number, F_GETFD) & FD_CLOEXEC != 0 })
    #expect(try server.receive()?.text == "none")
    #expect(throws: SystemError.self) { try PacketSocket.connect("\(directory.path)/nobody") }
  }

  @Test func `the other side's end is seen`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let listener = try PacketSocket.listen("\(directory.path)/socket")
    var client: PacketSocket? = try PacketSocket.connect("\(directory.path)/socket")
    let server = try listener.accept()
    try client?.send("last")
    client = nil
    #expect(try server.receive()?.text == "last")
    #expect(try server.receive() == nil)
  }

  @Test func `bits that one maps, another sees`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let file = try SharedDescriptor("\(directory.path)/bits", .createNew)
    try file.truncate(to: 64)
    let bits = SharedBits(try SharedMapping(file, count: 64), offset: 8, count: 100)
    let other = SharedBits(try SharedMapping(file, count: 64, writable: false), offset: 8, count: 100)
    #expect(other.firstClear() == 0)
    for bit in 0..<100 where bit != 63 { #expect(bits.set(bit)) }
    #expect(!bits.set(5) && other[5] && !other[63])
    #expect(other.firstClear() == 63 && other.firstClear(from: 64) == nil)
    #expect(other.areAllSet(0..<63) && !other.areAllSet(60..<64) && other.areAllSet(64..<100) && other.areAllSet(9..<9))
    #expect(bits.snapshot().count == 13)
    bits.clearAll()
    #expect(other.firstClear() == 0)
  }

  @Test func `a program in the background has left its parent`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    #expect(throws: SystemError.self) { try BackgroundProgram.start(["/no/such/program"]) }
    #expect(throws: SystemError.self) { try BackgroundProgram.start(["false"]) }
    try BackgroundProgram.start(["sh", "-c", "echo hello > '\(directory.path)/word'"])
    #expect(SmallFile.text("\(directory.path)/word") == "hello\n")
  }
}
