public import NIOCore

/// Takes the bytes of a trunk apart: pieces, each for one of its connections.
public struct TrunkPieces: Sendable {
  public struct Piece: Sendable, Hashable {
    /// Of the logical connection.
    public let number: UInt32
    public let bytes: ByteBuffer
  }

  /// The longest piece: one frame of ttrpc.
  static let limit = TTRPCFrame.payloadLimit + TTRPCFrame.headerBytes
  static let headerBytes = 8

  private var buffer = ByteBuffer()

  public init() {}

  /// However bytes are cut, the pieces are the same. What is not a whole piece yet is never more than one piece and its header.
  public mutating func append(_ bytes: ByteBuffer) {
    buffer.discardReadBytes()
    var bytes = bytes
    if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeBuffer(&bytes) }
  }

  /// The next whole piece; `nil`: more bytes are needed.
  /// - Throws: if the piece is too long. Where the next one begins can't be told then.
  public mutating func next() throws(TTRPCError) -> Piece? {
    let start = buffer.readerIndex
    guard let number = buffer.getInteger(at: start, as: UInt32.self),
      let length = buffer.getInteger(at: start + 4, as: UInt32.self)
    else { return nil }
    guard Int(length) <= Self.limit else {
      throw TTRPCError(
        .resourceExhausted, "a piece of \(length) bytes on the trunk is above the limit of \(Self.limit)")
    }
    guard buffer.readableBytes >= Self.headerBytes + Int(length) else { return nil }
    buffer.moveReaderIndex(forwardBy: Self.headerBytes)
    return buffer.readSlice(length: Int(length)).map { Piece(number: number, bytes: $0) }
  }
}
