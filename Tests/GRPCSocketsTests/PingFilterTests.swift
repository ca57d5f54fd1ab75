import NIOCore
import TestSupport
import Testing

@testable import GRPCSockets

@Suite struct PingFilterTests {
  private static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt8 = 0, _ payload: [UInt8]) -> [UInt8] {
    [0, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF), type, flags, 0, 0, 0, stream] + payload
  }

  private static let data: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
  private static let ping = frame(6, data)

  /// Gives bytes to a filter in pieces.
  private static func run(
    _ bytes: [UInt8], answersPings: Bool = true, pieceBytes: () -> Int
  ) -> (passed: [UInt8], pings: [[UInt8]]) {
    var filter = PingFilter()
    var (passed, pings): ([UInt8], [[UInt8]]) = ([], [])
    var left = bytes[...]
    while !left.isEmpty {
      let count = max(1, pieceBytes())
      let output = filter.take(ByteBuffer(bytes: left.prefix(count)), answersPings: answersPings)
      left = left.dropFirst(count)
      passed += output.passed.flatMap { Array($0.readableBytesView) }
      pings += output.pings.map { Array($0.readableBytesView) }
    }
    return (passed, pings)
  }

  @Test func pingsAreTakenOutAndAnsweredWithTheirData() {
    let (headers, settings) = (Self.frame(1, stream: 1, [9, 9]), Self.frame(4, []))
    let result = Self.run(settings + Self.ping + headers + Self.ping) { 1000 }
    #expect(result.passed == settings + headers)
    #expect(result.pings == [Self.data, Self.data])
    let answer = PingFilter.answer(ByteBuffer(bytes: Self.data), ByteBufferAllocator())
    #expect(Array(answer.readableBytesView) == Self.frame(6, flags: 1, Self.data))
  }

  @Test(arguments: [
    ("an answer to our own PING", frame(6, flags: 1, data)), ("a PING of a wrong length", frame(6, [1, 2, 3])),
    ("data that looks like a PING", frame(0, stream: 1, ping + ping)),
    ("an empty frame", frame(0, stream: 1, [])),
    ("a client's first bytes", Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, [])),
  ])
  func everythingElsePassesAsItIs(name: String, bytes: [UInt8]) {
    for size in [1, 2, 8, 9, 10, 17, 1000] {
      let result = Self.run(bytes) { size }
      #expect(result.passed == bytes, "\(name), in pieces of \(size)")
      #expect(result.pings.isEmpty)
    }
  }

  @Test func aPeerThatDoesNotReadIsNotAnsweredHere() {
    let result = Self.run(Self.ping, answersPings: false) { 5 }
    #expect(result.passed == Self.ping)
    #expect(result.pings.isEmpty)
  }

  @Test(arguments: UInt64(0)..<20) func piecesOfAnySizeGiveTheSame(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var (bytes, wanted): ([UInt8], [UInt8]) = ([], [])
    var pings: [[UInt8]] = []
    for _ in 0..<200 {
      if Bool.random(using: &random) {
        let data = (0..<8).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        pings.append(data)
        bytes += Self.frame(6, data)
      } else {
        let payload = (0..<Int.random(in: 0...600, using: &random)).map { _ in
          UInt8.random(in: .min ... .max, using: &random)
        }
        // Of all types but a PING; flags and stream do not matter.
        let type: UInt8 = [0, 1, 2, 3, 4, 5, 7, 8, 9, 0x20].randomElement(using: &random) ?? 0
        let other = Self.frame(type, flags: UInt8.random(in: .min ... .max, using: &random), stream: 1, payload)
        bytes += other
        wanted += other
      }
    }
    let largest = [3, 30, 3000].randomElement(using: &random) ?? 3
    let result = Self.run(bytes) { Int.random(in: 1...largest, using: &random) }
    #expect(result.passed == wanted)
    #expect(result.pings == pings)
  }
}
