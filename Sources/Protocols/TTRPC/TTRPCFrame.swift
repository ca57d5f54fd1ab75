public import NIOCore

/// One message on the wire: ten bytes of header, and a payload (ttrpc's PROTOCOL.md, version 1.2).
public struct TTRPCFrame: Sendable, Hashable {
  /// What a payload is. Other numbers are for later versions, and are passed over.
  public enum Kind: UInt8, Sendable {
    case request = 1
    case response = 2
    case data = 3
  }

  public struct Flags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Its sender sends no more on this stream.
    public static let remoteClosed = Flags(rawValue: 1)
    /// Its sender will send more on this stream.
    public static let remoteOpen = Flags(rawValue: 2)
    /// The payload stands for nothing; an empty payload without this flag is a message.
    public static let noData = Flags(rawValue: 4)
  }

  /// Length of the payload (4 bytes), stream (4), kind, flags; numbers in network order.
  public static let headerBytes = 10
  /// The longest payload. A longer one is passed over, and its call fails with `resourceExhausted`.
  public static let payloadLimit = 4 << 20

  /// Odd, as clients open all streams; each one higher than those before.
  public var stream: UInt32
  public var kind: Kind
  public var flags: Flags
  public var payload: [UInt8]

  public init(stream: UInt32, kind: Kind, flags: Flags = [], payload: [UInt8] = []) {
    self.stream = stream
    self.kind = kind
    self.flags = flags
    self.payload = payload
  }

  /// - Throws: `resourceExhausted` for a payload above the limit.
  public func encoded() throws(TTRPCError) -> ByteBuffer {
    guard payload.count <= Self.payloadLimit else { throw .tooLarge(payload.count) }
    var buffer = ByteBuffer()
    buffer.reserveCapacity(Self.headerBytes + payload.count)
    buffer.writeInteger(UInt32(payload.count))
    buffer.writeInteger(stream)
    buffer.writeInteger(kind.rawValue)
    buffer.writeInteger(flags.rawValue)
    buffer.writeBytes(payload)
    return buffer
  }
}

/// Finds frames in a stream of bytes, however it is cut into pieces. It keeps no more than one frame.
public struct TTRPCFrameReader: Sendable {
  public enum Item: Sendable, Hashable {
    case frame(TTRPCFrame)
    /// Its payload is above the limit and is passed over.
    case tooLarge(stream: UInt32, kind: TTRPCFrame.Kind, bytes: Int)
  }

  private var buffer = ByteBuffer()
  /// Bytes of a payload that nobody wants.
  private var skip = 0

  public init() {}

  public mutating func append(_ bytes: ByteBuffer) {
    var bytes = bytes
    if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeBuffer(&bytes) }
  }

  /// The next frame that is whole; `nil`: more bytes are needed.
  public mutating func next() -> Item? {
    while true {
      if skip > 0 {
        let step = min(skip, buffer.readableBytes)
        buffer.moveReaderIndex(forwardBy: step)
        skip -= step
        guard skip == 0 else { return nil }
      }
      let start = buffer.readerIndex
      guard buffer.readableBytes >= TTRPCFrame.headerBytes,
        let length = buffer.getInteger(at: start, as: UInt32.self),
        let stream = buffer.getInteger(at: start + 4, as: UInt32.self),
        let kind = buffer.getInteger(at: start + 8, as: UInt8.self),
        let flags = buffer.getInteger(at: start + 9, as: UInt8.self)
      else { return nil }
      let count = Int(length)
      guard let kind = TTRPCFrame.Kind(rawValue: kind) else {
        pass(count)
        continue
      }
      guard count <= TTRPCFrame.payloadLimit else {
        pass(count)
        return .tooLarge(stream: stream, kind: kind, bytes: count)
      }
      guard buffer.readableBytes >= TTRPCFrame.headerBytes + count else { return nil }
      buffer.moveReaderIndex(forwardBy: TTRPCFrame.headerBytes)
      let payload = buffer.readBytes(length: count) ?? []
      buffer.discardReadBytes()
      return .frame(TTRPCFrame(stream: stream, kind: kind, flags: .init(rawValue: flags), payload: payload))
    }
  }

  private mutating func pass(_ count: Int) {
    buffer.moveReaderIndex(forwardBy: TTRPCFrame.headerBytes)
    skip = count
  }
}
