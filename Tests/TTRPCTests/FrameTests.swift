import NIOCore
import TestSupport
import Testing

@testable import TTRPC

struct FrameTests {
  static let frames = [
    TTRPCFrame(stream: 1, kind: .request, flags: .remoteOpen, payload: [1, 2, 3]),
    TTRPCFrame(stream: 3, kind: .response), TTRPCFrame(stream: 5, kind: .data, flags: [.remoteClosed, .noData]),
    TTRPCFrame(stream: .max, kind: .data, payload: [UInt8](repeating: 7, count: 5000)),
  ]

  private func bytes(_ frames: [TTRPCFrame]) throws -> [UInt8] {
    try frames.flatMap { Array(try $0.encoded().readableBytesView) }
  }

  private func read(_ bytes: [UInt8], pieces: Int) -> [TTRPCFrameReader.Item] {
    var reader = TTRPCFrameReader()
    var items: [TTRPCFrameReader.Item] = []
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      reader.append(ByteBuffer(bytes: bytes[start..<min(start + pieces, bytes.count)]))
      while let item = reader.next() { items.append(item) }
    }
    return items
  }

  @Test func `a header is length, stream, kind and flags in network order`() throws {
    let frame = TTRPCFrame(stream: 0x0102_0305, kind: .data, flags: [.remoteClosed, .noData], payload: [9])
    #expect(Array(try frame.encoded().readableBytesView) == [0, 0, 0, 1, 1, 2, 3, 5, 3, 5, 9])
  }

  @Test(arguments: [1, 2, 9, 10, 11, 13, 4096, 1 << 20])
  func `frames are found however the bytes are cut`(_ pieces: Int) throws {
    #expect(read(try bytes(Self.frames), pieces: pieces) == Self.frames.map { .frame($0) })
  }

  @Test(arguments: [7, 1 << 16, 8 << 20])
  func `a frame that is too long, or of a later version, is passed over`(_ pieces: Int) throws {
    let count = TTRPCFrame.payloadLimit + 1
    var all = Array(ByteBuffer(integer: UInt32(count)).readableBytesView) + [0, 0, 0, 7, 1, 0]
    all += [UInt8](repeating: 1, count: count)
    all += [0, 0, 0, 2, 0, 0, 0, 9, 200, 0, 5, 5]  // of kind 200
    all += try bytes([Self.frames[0]])
    #expect(
      read(all, pieces: pieces) == [.tooLarge(stream: 7, kind: .request, bytes: count), .frame(Self.frames[0])])
  }

  @Test func `a payload above the limit is refused before it is sent`() throws {
    let frame = TTRPCFrame(
      stream: 1, kind: .data, payload: [UInt8](repeating: 0, count: TTRPCFrame.payloadLimit + 1))
    #expect(throws: TTRPCError.tooLarge(TTRPCFrame.payloadLimit + 1)) { try frame.encoded() }
  }
}
