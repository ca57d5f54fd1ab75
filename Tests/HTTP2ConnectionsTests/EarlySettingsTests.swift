import NIOCore
import TestSupport
import Testing

@testable import HTTP2Connections

@Suite struct EarlySettingsTests {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  private static let settings: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]
  private static let acknowledgement: [UInt8] = [0, 0, 0, 4, 1, 0, 0, 0, 0]
  private static let request: [UInt8] = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x82]
  private static let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 4, 1, 4, 1, 4, 1, 4, 1]

  /// All that the handler gets, the input cut into pieces of `size` bytes.
  private static func pass(_ bytes: [UInt8], size: Int) -> [UInt8] {
    let handler = EarlySettings()
    var output: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      for buffer in handler.take(ByteBuffer(bytes: rest.prefix(size))) { output += buffer.readableBytesView }
      rest = rest.dropFirst(size)
    }
    return output
  }

  @Test(arguments: [1, 2, 3, 7, 9, 10, 24, 33, 40, 1000])
  func theAcknowledgementComesRightBehindTheClientsSettingsAndOnce(size: Int) {
    let input =
      Self.preface + Self.settings + Self.request + Self.ping + Self.acknowledgement + Self.request
      + Self.acknowledgement + Self.ping
    let wanted =
      Self.preface + Self.settings + Self.acknowledgement + Self.request + Self.ping + Self.request
      + Self.acknowledgement + Self.ping
    #expect(Self.pass(input, size: size) == wanted)
  }

  @Test(arguments: [1, 5, 1000]) func whatIsNoHTTP2PassesAsItIs(size: Int) {
    for input in [
      Self.preface + Self.request + Self.acknowledgement, Array("GET / HTTP/1.1\r\nHost: somewhere.test\r\n\r\n".utf8),
      Self.preface + Self.acknowledgement + Self.settings,
      [UInt8](repeating: 0xFF, count: 100),
    ] { #expect(Self.pass(input, size: size) == input) }
  }

  @Test func emptySettingsAreSettings() {
    let empty: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
    for size in [1, 9, 33, 34, 100] {
      #expect(
        Self.pass(Self.preface + empty + Self.request, size: size)
          == Self.preface + empty + Self.acknowledgement + Self.request)
    }
  }
}
