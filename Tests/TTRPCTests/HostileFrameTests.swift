import NIOCore
import TestSupport
import Testing

@testable import TTRPC

/// Bytes that no good client sends: each is answered or passed over, and the next call is served.
struct HostileFrameTests {
  private func header(_ length: Int, _ stream: UInt32, _ kind: UInt8, _ flags: UInt8 = 0) -> [UInt8] {
    var buffer = ByteBuffer(integer: UInt32(length))
    buffer.writeInteger(stream)
    return Array(buffer.readableBytesView) + [kind, flags]
  }

  /// What comes back for some bytes and a good call after them.
  private func codes(_ bytes: [UInt8], then stream: UInt32 = 101) async throws -> [UInt32: TTRPCError.Code] {
    let answers = Answers()
    try await TestServer.with { server in
      let frames = try await server.exchange(bytes + TTRPCFrame.request(stream, "Echo", [42]))
      await answers.set(frames)
    }
    let frames = await answers.frames
    #expect(frames.contains { $0.stream == stream && $0.answer == [42] }, "\(frames)")
    return Dictionary(
      frames.filter { $0.stream != stream }.compactMap { frame in frame.code.map { (frame.stream, $0) } },
      uniquingKeysWith: { first, _ in first })
  }

  private actor Answers {
    var frames: [TTRPCFrame] = []
    func set(_ frames: [TTRPCFrame]) { self.frames = frames }
  }

  @Test func `bad protobuf, unknown services and methods are refused by their codes`() async throws {
    let bytes =
      header(3, 1, 1) + [0xFF, 0xFF, 0xFF] + (try TTRPCFrame.request(3, "Echo", service: "no.Such"))
      + (try TTRPCFrame.request(5, "NoSuch")) + (try TTRPCFrame.request(7, "Typed", [0xFF, 0xFF]))
    let codes = try await codes(bytes)
    #expect(codes == [1: .invalidArgument, 3: .unimplemented, 5: .unimplemented, 7: .invalidArgument])
  }

  @Test func `a frame that is too long is refused and passed over`() async throws {
    let count = TTRPCFrame.payloadLimit + 1
    let bytes = header(count, 1, 1) + [UInt8](repeating: 0, count: count)
    let codes = try await codes(bytes)
    #expect(codes == [1: .resourceExhausted])
  }

  @Test func `numbers of streams that are even, low or used before are refused`() async throws {
    let bytes =
      (try TTRPCFrame.request(2, "Echo")) + (try TTRPCFrame.request(9, "Echo")) + (try TTRPCFrame.request(9, "Echo"))
      + (try TTRPCFrame.request(5, "Echo"))
    let codes = try await codes(bytes)
    #expect(codes[2] == .invalidArgument && codes[5] == .invalidArgument)
  }

  @Test func `answers, data of no stream and frames of later versions are passed over`() async throws {
    let bytes =
      header(1, 1, 2) + [1] + header(1, 77, 3) + [1] + header(2, 0, 250) + [1, 1] + header(0, 4, 3, 0xFF)
    let codes = try await codes(bytes)
    #expect(codes.isEmpty)
  }

  @Test func `a stream that is not taken ends with its call alone`() async throws {
    var limits = TTRPCServerLimits()
    limits.streamMessages = 4
    try await TestServer.with(limits: limits) { server in
      var bytes = try TTRPCFrame.request(1, "Wait", flags: .remoteOpen)
      for _ in 0..<50 { bytes += header(1, 1, 3) + [1] }
      bytes += try TTRPCFrame.request(3, "Echo", [42])
      server.gate.open()
      let frames = try await server.exchange(bytes)
      #expect(frames.contains { $0.answer == [42] })
    }
  }

  @Test func `who sends no more still gets the answers`() async throws {
    try await TestServer.with { server in
      async let frames = server.exchange(TTRPCFrame.request(1, "Wait", [7]) + TTRPCFrame.request(3, "Echo", [8]))
      server.gate.open()
      let answers = try await frames.compactMap(\.answer)
      #expect(Set(answers) == [[7], [8]])
    }
  }

  /// Whole frames with bytes changed, cut and added, and bytes that are nothing: 300 connections on one server.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `whatever comes, the server answers the next`(_ seed: UInt64) async throws {
    try await TestServer.with { server in
      server.gate.open()
      var generator = SeededGenerator(seed: seed)
      let methods = ["Echo", "Typed", "Fail", "Sum", "Count", "Double", "Wait", "Metadata", "Nothing", ""]
      for round in 0..<100 {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
          let stream = UInt32.random(in: 0...9, using: &generator)
          let payload = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
            UInt8.random(in: 0...255, using: &generator)
          }
          switch Int.random(in: 0...3, using: &generator) {
          case 0:
            bytes += try TTRPCFrame.request(
              stream, methods.randomElement(using: &generator) ?? "", payload,
              flags: .init(rawValue: UInt8.random(in: 0...7, using: &generator)))
          case 1:
            bytes += header(payload.count, stream, UInt8.random(in: 0...5, using: &generator), 1) + payload
          case 2: bytes += payload
          default:
            bytes += header(Int(UInt32.random(in: 0 ... .max, using: &generator)), stream, 1) + payload
          }
        }
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
          bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        _ = try await server.exchange(bytes)
        guard round % 20 == 0 else { continue }
        let answer = try await server.client {
          try await $0.call(TestServer.service, "Echo", [9], timeout: .seconds(180))
        }
        #expect(answer == [9])
      }
    }
  }
}
