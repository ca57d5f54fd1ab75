import TestSupport
import Testing

@testable import LinuxSystem

@Suite struct MountTableTests {
  @Test func `A line with optional fields and octal escapes is read`() throws {
    let line = #"36 35 98:0 /root\0401 /mnt\134a rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue"#
    let entry = try #require(try MountTable(parsing: Array(line.utf8)).entries.first)
    #expect(entry.mountID == 36)
    #expect(entry.parentID == 35)
    #expect((entry.major, entry.minor) == (98, 0))
    #expect(entry.root == "/root 1")
    #expect(entry.mountPoint == #"/mnt\a"#)
    #expect(entry.options == ["rw", "noatime"])
    #expect(entry.fileSystemType == "ext3")
    #expect(entry.source == "/dev/root")
    #expect(entry.superOptions == ["rw", "errors=continue"])
    #expect(!entry.isReadOnly)
  }

  @Test(arguments: [
    "", "36", "36 35 98:0 / / rw - ext3", "x 35 98:0 / / rw - ext3 dev rw", "36 35 98 / / rw - ext3 dev rw",
    "36 35 98:99999999999 / / rw - ext3 dev rw", "36 35 98:0 / / rw shared:1 ext3 dev rw",
    "-1 35 98:0 / / rw - ext3 dev rw",
  ])
  func `A malformed line is refused with its number`(line: String) {
    let good = "1 1 8:0 / / rw - ext4 /dev/sda rw\n"
    guard !line.isEmpty else { return }
    #expect(throws: MountTableError(reason: .malformed, line: 2)) { try MountTable(parsing: Array((good + line).utf8)) }
  }

  @Test func `The kernel's own table is understood`() throws {
    let table = try Mounts.table()
    #expect(table.top(at: "/proc")?.fileSystemType == "proc")
  }

  @Test func `Arbitrary and mutated bytes never do harm`() throws {
    var generator = SeededGenerator(seed: 13)
    let seed = try OpenFile("/proc/self/mountinfo", .read).read(limit: 1 << 20)
    for _ in 0..<2000 {
      var bytes = seed.prefix(Int.random(in: 0...min(600, seed.count), using: &generator)).map { $0 }
      for _ in 0..<Int.random(in: 0...20, using: &generator) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        default:
          bytes.insert(contentsOf: [92, 52, 48, 48, 32].prefix(Int.random(in: 0...5, using: &generator)), at: index)
        }
      }
      if let table = try? MountTable(parsing: bytes) {
        #expect(table.entries.count <= bytes.split(separator: 10).count)
      }
    }
  }
}
