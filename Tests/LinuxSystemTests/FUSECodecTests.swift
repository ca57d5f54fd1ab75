import LinuxSystem
import Testing

/// The kernel's messages, as it lays them out in memory.
@Suite struct FUSECodecTests {
  private static func message(_ code: UInt32, node: UInt64 = 7, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    func add<Word: FixedWidthInteger>(_ word: Word) { withUnsafeBytes(of: word.littleEndian) { bytes += $0 } }
    add(UInt32(length ?? 40 + body.count))
    add(code)
    add(UInt64(99))
    add(node)
    // User, group, process; length of extensions.
    for word: UInt32 in [0, 0, 321, 0] { add(word) }
    return bytes + body
  }

  private static func words(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  private static func parsed(_ bytes: [UInt8]) -> FUSERequest? { bytes.withUnsafeBytes { FUSERequest($0) } }

  static let requests: [([UInt8], FUSERequest.Operation)] = [
    (message(1, Array("data\u{0}".utf8)), .lookUp(name: "data")),
    (message(2, words([1, 0])), .forget),
    (message(42, words([1, 0])), .forget),
    (message(3, words([0, 0, 0, 0])), .attributes),
    (message(14, words([0, 0])), .open),
    (message(15, words([0, 0, 4096, 1, 131072, 0, 0, 0, 0, 0])), .read(offset: 1 << 32 | 4096, count: 131072)),
    (message(17, []), .statistics),
    (message(18, words([0, 0, 0, 0, 0, 0])), .release),
    (
      message(26, words([7, 45, 131072, 1 << 30 | 1, 1 << 7] + Array(repeating: 0, count: 11))),
      .initialize(
        major: 7, minor: 45, readAheadBytes: 131072, features: [.parallelReads, .moreFlags, .asksAgain])
    ),
    (
      message(26, words([7, 12, 131072, 1])),
      .initialize(major: 7, minor: 12, readAheadBytes: 131072, features: .parallelReads)
    ),
    (message(36, words([98, 0])), .interrupt(of: 98)),
    (message(38, []), .destroy),
    (message(22, words([0, 0])), .other(code: 22)),
    // Cut off, or out of bounds: not understood, but answered.
    (message(1, Array("data".utf8)), .other(code: 1)),
    (message(15, words([0, 0, 4096])), .other(code: 15)),
    (message(15, words([0, 0, .max, .max, .max, 0])), .other(code: 15)),
    (message(26, words([7, 45])), .other(code: 26)),
    (message(36, words([98])), .other(code: 36)),
  ]

  @Test(arguments: requests) func `a request is understood`(_ bytes: [UInt8], _ operation: FUSERequest.Operation) {
    #expect(Self.parsed(bytes) == FUSERequest(number: 99, node: 7, process: 321, operation: operation))
    // What stands behind it does not belong to it.
    #expect(Self.parsed(bytes + [1, 2, 3])?.operation == operation)
  }

  @Test func `what is cut off is no request`() {
    let whole = Self.message(15, Self.words([0, 0, 4096, 0, 4096, 0, 0, 0, 0, 0]))
    for count in 0..<whole.count { #expect(Self.parsed(Array(whole[..<count])) == nil) }
    for length in [0, 39, 81, Int(UInt32.max)] { #expect(Self.parsed(Self.message(17, [], length: length)) == nil) }
  }

  @Test func `no bytes lead outside of the message`() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let code = [1, 15, 26, 36, UInt32.random(in: 0...60)].randomElement(using: &random) ?? 0
      let body = (0..<Int.random(in: 0...80)).map { _ in UInt8.random(in: 0...255, using: &random) }
      guard case .read(let offset, let count)? = Self.parsed(Self.message(code, body))?.operation else { continue }
      #expect(offset >= 0 && count >= 0 && offset <= Int64.max - Int64(count))
    }
  }

  @Test func `answers have the sizes that the kernel checks`() {
    let file = FUSEAnswer.Attributes(node: 5, size: 8193)
    let sizes = [
      FUSEAnswer.initialized(minor: 45, readAheadBytes: 0, features: .asksAgain, readBytes: 1 << 20), .entry(file),
      .attributes(file), .opened(direct: true), .statistics, .empty,
    ].map(\.bytes.count)
    #expect(sizes == [64, 128, 104, 16, 80, 0])
    let bytes = FUSEAnswer.initialized(minor: 45, readAheadBytes: 9, features: .asksAgain, readBytes: 1 << 20).bytes
    #expect(Array(bytes[12..<16]) == Self.words([1 << 30]) && Array(bytes[32..<36]) == Self.words([1 << 7]))
    #expect(bytes[28] == 0 && bytes[29] == 1)
    // Size, blocks, mode.
    let attributes = FUSEAnswer.attributes(file).bytes
    #expect(Array(attributes[24..<40]) == Self.words([8193, 0, 17, 0]))
    #expect(Array(attributes[76..<84]) == Self.words([0o100400, 1]))
  }
}
