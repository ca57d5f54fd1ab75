import Testing

@testable import LinuxSystem

@Suite struct OwnMemoryTests {
  private static let smaps = """
    1000-3000 r--p 00000000 fe:00 12 /usr/bin/program
    Rss:                   8 kB
    Anonymous:             0 kB
    VmFlags: rd mr mw me
    3000-9000 r-xp 00002000 fe:00 12 /usr/bin/program
    Rss:                  24 kB
    Anonymous:             0 kB
    VmFlags: rd ex mr mw me
    9000-a000 r-xp 00000000 fe:00 13 /usr/lib/patched library.so
    Rss:                   4 kB
    Anonymous:             4 kB
    a000-b000 r-xp 00000000 00:00 0
    Anonymous:             0 kB
    b000-c000 rw-p 00000000 fe:00 13 /usr/lib/library.so
    Anonymous:             0 kB
    f000-11000 r-xp 00000000 00:00 0 [vdso]
    Anonymous:             0 kB
    12000-14000 r-xp 00000000 fe:00 14 /usr/lib/library.so
    Anonymous:             0 kB

    """

  @Test func `only code that can be read again is let go`() {
    #expect(OwnMemory.codeOfFiles(Self.smaps) == [0x3000..<0x9000, 0x12000..<0x14000])
  }

  @Test(arguments: [
    "", "x", "r-xp r-xp r-xp", "zz-1 r-xp 0 0 0 /a\nAnonymous: 0 kB", "9-1 r-xp 0 0 0 /a\nAnonymous: 0",
  ])
  func `what cannot be read is left alone`(_ text: String) { #expect(OwnMemory.codeOfFiles(text).isEmpty) }

  @Test func `a process goes on after it has given memory back`() {
    OwnMemory.keepSmall()
    let before = (0..<1000).map { [UInt8](repeating: UInt8($0 % 256), count: 1000) }
    OwnMemory.giveBack()
    #expect(before.enumerated().allSatisfy { $1.count == 1000 && $1[999] == UInt8($0 % 256) })
  }
}
