import TestSupport
import Testing

@testable import ProcessSupervision

@Suite struct StatusMessageTests {
  @Test("messages come through as they were sent")
  func roundTrip() {
    let messages: [StatusMessage] = [
      .step(name: "API server", detail: "https://127.0.0.1:6443"), .ready, .failed(reason: "a\nb \u{1F600} \"c\""),
    ]
    for message in messages { #expect(StatusMessage(line: message.line.dropLast()) == message) }
  }

  @Test("any bytes are read without a trap, and what is no message is passed over")
  func junk() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      if let message = StatusMessage(line: bytes) { #expect(message.line.count <= StatusMessage.lineLimit) }
    }
    #expect(StatusMessage(line: Array("{\"ready\":false}".utf8)) == nil)
    #expect(StatusMessage(line: Array("{\"ready\":\"yes\"}".utf8)) == nil)
    #expect(StatusMessage(line: Array("[]".utf8)) == nil)
    #expect(StatusMessage(line: [UInt8](repeating: 0x20, count: StatusMessage.lineLimit + 1)) == nil)
  }

  @Test("no text makes a line that the other side refuses")
  func longTexts() {
    for text in ["x", "\u{1F600}", "\u{1}", "\"\\"] {
      let message = StatusMessage.failed(reason: String(repeating: text, count: 100_000))
      #expect(message.line.count <= StatusMessage.lineLimit)
      guard case .failed = StatusMessage(line: message.line.dropLast()) else {
        Issue.record("refused")
        continue
      }
    }
  }

  @Test("lines are cut where they end, and where they are too long", arguments: [1, 2, 3, 7, 1000])
  func lines(chunk: Int) {
    var splitter = LineSplitter(limit: 5)
    let bytes = Array("ab\n\ncdefghijk\nlast".utf8)
    var lines: [String] = []
    for start in stride(from: 0, to: bytes.count, by: chunk) {
      lines += splitter.take(bytes[start..<min(start + chunk, bytes.count)]).map { String(decoding: $0, as: UTF8.self) }
    }
    if let last = splitter.finish() { lines.append(String(decoding: last, as: UTF8.self)) }
    #expect(lines == ["ab", "", "cdefg", "hijk", "last"])
  }
}
