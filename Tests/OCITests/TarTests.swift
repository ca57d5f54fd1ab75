import TestSupport
import Testing

@testable import OCI

/// Writes members with content and returns the archive.
func archive(_ members: [(TarEntry, [UInt8])]) throws -> [UInt8] {
  var writer = TarWriter([UInt8]())
  for (entry, content) in members { try writer.append(entry, content: content) }
  try writer.finish()
  return writer.sink
}

/// Reads every member with its content.
func members(of bytes: [UInt8], limits: TarLimits = TarLimits()) throws -> [(TarEntry, [UInt8])] {
  var reader = TarReader(MemorySource(bytes), limits: limits)
  var all: [(TarEntry, [UInt8])] = []
  while let entry = try reader.next() { all.append((entry, try reader.readAll(limit: 64 << 20))) }
  return all
}

let everyKind: [(TarEntry, [UInt8])] = [
  (TarEntry("etc", .directory), []),
  (TarEntry("etc/empty", .file(size: 0), mode: 0o600, uid: 1000, gid: 100), []),
  (TarEntry("etc/motd", .file(size: 5), mode: 0o4755, modificationTime: 1_700_000_000), Array("hello".utf8)),
  (TarEntry("etc/link", .symbolicLink(target: "../outside/is/fine")), []),
  (TarEntry("etc/hard", .hardLink(target: "etc/motd")), []),
  (TarEntry("dev/null", .characterDevice(major: 1, minor: 3), mode: 0o666), []),
  (TarEntry("dev/loop0", .blockDevice(major: 7, minor: 0)), []),
  (TarEntry("run/fifo", .fifo), []),
  (TarEntry("d/" + String(repeating: "long/", count: 60) + "name", .file(size: 1)), [7]),
  (TarEntry(String(repeating: "x", count: 99), .directory), []),
  (TarEntry("長屋/メモ", .file(size: 513)), [UInt8](repeating: 1, count: 513)),
  (TarEntry("s", .symbolicLink(target: String(repeating: "t/", count: 100) + "e")), []),
  (TarEntry("big-ids", .file(size: 512), uid: 4_000_000_000, gid: 3_000_000), [UInt8](repeating: 2, count: 512)),
  (TarEntry("before-1970", .file(size: 0), modificationTime: -5), []),
  (
    TarEntry(
      "caps", .file(size: 0),
      extendedAttributes: ["security.capability": [1, 0, 0, 2, 0xFF, 0x0A], "user.empty": [], "user.a": [61]]), []
  ),
]

@Suite struct TarWriterTests {
  @Test func `every kind of member comes back as it was written`() throws {
    let back = try members(of: try archive(everyKind))
    #expect(back.map(\.0) == everyKind.map(\.0))
    #expect(back.map(\.1) == everyKind.map(\.1))
  }

  @Test func `a plain file's header has the bytes of the standard`() throws {
    let bytes = try archive([(TarEntry("a/b", .file(size: 3), mode: 0o640, uid: 8, gid: 9), Array("abc".utf8))])
    #expect(bytes.count == 512 + 512 + 1024)
    func field(_ range: Range<Int>) -> String { String(decoding: bytes[range].prefix { $0 != 0 }, as: UTF8.self) }
    #expect(field(0..<100) == "a/b")
    #expect(field(100..<108) == "0000640")
    #expect(field(108..<116) == "0000010")
    #expect(field(116..<124) == "0000011")
    #expect(field(124..<136) == "00000000003")
    #expect(field(136..<148) == "00000000000")
    #expect(bytes[156] == UInt8(ascii: "0"))
    #expect(Array(bytes[257..<265]) == Array("ustar\u{0}00".utf8))
    #expect(Digest(of: bytes).hex == "732026e650bea7107f4171411fab623fd129a5d4812d473d5d6c151eebf3602b")
  }

  @Test func `sizes beyond octal digits go into an extended header`() throws {
    let header = try TarHeader.encode(TarEntry("huge", .file(size: 1 << 36)))
    var reader = TarReader(MemorySource(header))
    let entry = try reader.next()
    #expect(entry?.size == 1 << 36)
  }

  @Test func `a file that shrank or grew while it was read is an error`() throws {
    var writer = TarWriter([UInt8]())
    try writer.begin(TarEntry("log", .file(size: 3)))
    try writer.write([1, 2])
    #expect(throws: TarError(.sizeMismatch(announced: 3, written: 2), path: "log")) { try writer.endEntry() }
    #expect(throws: TarError(.sizeMismatch(announced: 3, written: 4), path: "log")) { try writer.write([3, 4]) }
  }

  @Test(arguments: ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/./b", "nul\u{0}"])
  func `names that no one should unpack are not written`(_ name: String) {
    #expect(throws: TarError.self) { try archive([(TarEntry(name, .directory), [])]) }
  }
}

@Suite struct TarReaderTests {
  /// A header as another program might write it; the checksum is right.
  private func header(_ name: String, type: Character = "0", size: String = "00000000000", link: String = "") -> [UInt8]
  {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, _ offset: Int) {
      block.replaceSubrange(offset..<offset + text.utf8.count, with: Array(text.utf8))
    }
    put(name, 0)
    put("0000644", 100)
    put(size, 124)
    put(String(type), 156)
    put(link, 157)
    put("ustar\u{0}00", 257)
    let digits = String(TarHeader.checksum(block[...]), radix: 8)
    put(String(repeating: "0", count: 6 - digits.count) + digits + "\u{0} ", 148)
    return block
  }
  private let end = [UInt8](repeating: 0, count: 1024)

  @Test(arguments: ["../../etc/shadow", "a/../../b", "..", "./../x"])
  func `hostile names are refused`(_ name: String) {
    #expect(throws: TarError.self) { try members(of: header(name) + end) }
  }

  @Test(arguments: ["../x", "a/../../x"])
  func `hard links out of the archive are refused`(_ target: String) {
    #expect(throws: TarError.self) { try members(of: header("a", type: "1", link: target) + end) }
  }

  @Test(arguments: [
    ("./", "."), ("./a/b", "a/b"), ("a/", "a"), ("././a", "a"), ("a//b/./c", "a/b/c"), ("/", "."),
    ("/ko-app/x", "ko-app/x"), ("a/../b", "b"),
  ])
  func `names are taken as containerd cleans them`(_ name: String, _ path: String) throws {
    #expect(try members(of: header(name, type: "5") + end).map(\.0.path) == [path])
  }

  @Test(arguments: [0, 512, 1024, 4096]) func `the blocks that mark the end may be missing`(_ zeros: Int) throws {
    let whole = header("a", size: "00000000003") + [1, 2, 3]
    #expect(try members(of: whole + [UInt8](repeating: 0, count: 509 + zeros)).map(\.0.path) == ["a"])
    // Neither is padding needed.
    #expect(try members(of: whole).map(\.0.path) == ["a"])
    #expect(try members(of: [UInt8](repeating: 0, count: zeros)).isEmpty)
    #expect(throws: TarError.self) { try members(of: whole.dropLast()) }
    #expect(throws: TarError.self) {
      try members(of: whole + [UInt8](repeating: 0, count: 509) + header("b").dropLast())
    }
    #expect(throws: TarError.self) { try members(of: header("x", type: "L", size: "00000000001")) }
  }

  @Test func `a zero byte hidden in a long name is refused`() {
    let body = Array("20 path=a\u{0}../../../b\n".utf8)
    let record = Array("\(body.count) ".utf8) + body.drop { $0 != 0x20 }.dropFirst()
    var block = header("x", type: "x", size: "000000000\(String(record.count, radix: 8))") + record
    block += [UInt8](repeating: 0, count: 512 - record.count)
    #expect(throws: TarError.self) { try members(of: block + header("a") + end) }
  }

  @Test func `limits are kept`() throws {
    let bytes = try archive([
      (TarEntry("a", .file(size: 600)), [UInt8](repeating: 0, count: 600)), (TarEntry("b", .fifo), []),
    ])
    #expect(throws: TarError(.tooManyEntries(limit: 1))) { try members(of: bytes, limits: TarLimits(entries: 1)) }
    #expect(throws: TarError(.tooLarge(limitBytes: 599), path: "a")) {
      try members(of: bytes, limits: TarLimits(totalBytes: 599))
    }
    let long = try archive([(TarEntry(String(repeating: "n", count: 2000), .fifo), [])])
    #expect(throws: TarError(.headerTooLarge(limitBytes: 1000))) {
      try members(of: long, limits: TarLimits(extendedHeaderBytes: 1000))
    }
  }

  @Test func `an archive that ends within a member is an error`() throws {
    let bytes = try archive(everyKind)
    let all = try members(of: bytes)
    var errors = 0
    for length in stride(from: 0, to: bytes.count - 1024, by: 37) {
      do {
        // Between two members it is whole, as far as it goes.
        let found = try members(of: Array(bytes.prefix(length)))
        #expect(
          found.count < all.count && zip(found, all).allSatisfy { $0.0 == $1.0 && $0.1 == $1.1 }, "cut at \(length)")
      } catch is TarError { errors += 1 }
    }
    #expect(errors > bytes.count / 37 / 2)
  }

  @Test func `other things are not taken for archives`() {
    #expect(throws: TarError(.notATar)) { try members(of: Array("PK\u{3}\u{4}not a tar".utf8)) }
    #expect(throws: TarError(.notATar)) { try members(of: [UInt8](repeating: 0x41, count: 4096)) }
  }

  /// Random damage must end in members or a typed error, never in a trap or without end.
  @Test(arguments: 0..<8) func `damaged archives are read or refused`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let good = try archive(everyKind)
    for _ in 0..<600 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(position..<min(bytes.count, position + Int.random(in: 1...600, using: &random)))
        case 2: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        default: bytes.insert(contentsOf: bytes[..<min(position, 512)], at: position)
        }
        if bytes.isEmpty { break }
      }
      // Let damaged headers through to the fields behind the checksum.
      if Bool.random(using: &random) { repairChecksums(&bytes) }
      do { for (entry, _) in try members(of: bytes) { #expect(TarEntry.fault(inPath: entry.path) == nil) } } catch {
        #expect(error is TarError)
      }
    }
  }

  private func repairChecksums(_ bytes: inout [UInt8]) {
    for start in stride(from: 0, to: bytes.count - 511, by: 512) where bytes[start + 257] == UInt8(ascii: "u") {
      let digits = String(TarHeader.checksum(bytes[start..<start + 512]), radix: 8)
      let text = String(repeating: "0", count: 6 - digits.count) + digits + "\u{0} "
      bytes.replaceSubrange(start + 148..<start + 156, with: Array(text.utf8))
    }
  }

  @Test func `random trees survive a round trip`() throws {
    var random = SeededGenerator(seed: 42)
    let letters = Array("abc-._ éß漢")
    for _ in 0..<100 {
      let all: [(TarEntry, [UInt8])] = (0..<Int.random(in: 1...20, using: &random)).map { index in
        let name = String(
          (0..<Int.random(in: 1...90, using: &random)).map { _ in letters.randomElement(using: &random) ?? "x" })
        let content = (0..<Int.random(in: 0...2000, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
        let entry = TarEntry(
          "n\(index)/\(name)x", .file(size: Int64(content.count)), mode: .random(in: 0...0o7777, using: &random),
          uid: .random(in: 0...UInt32.max, using: &random), gid: .random(in: 0...UInt32.max, using: &random),
          modificationTime: .random(in: -(1 << 40)...(1 << 40), using: &random))
        return (entry, content)
      }
      let back = try members(of: try archive(all))
      #expect(back.map(\.0) == all.map(\.0))
      #expect(back.map(\.1) == all.map(\.1))
    }
  }
}
