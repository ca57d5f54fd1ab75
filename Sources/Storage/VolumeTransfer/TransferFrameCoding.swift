import JSONDocument
import NIOCore
import VolumePools

/// Frames on the wire: four bytes of length (of what follows), one of kind, the rest.
struct TransferFrameDecoder: ByteToMessageDecoder {
  typealias InboundOut = TransferFrame

  /// Bytes of the longest frame.
  static let limit = TransferChunk.bytes + 1024

  mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
    guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return .needMoreData }
    guard length > 0, length <= UInt32(Self.limit) else {
      throw TransferError.protocolError("a frame of \(length) bytes")
    }
    guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
    buffer.moveReaderIndex(forwardBy: 4)
    guard var frame = buffer.readSlice(length: Int(length)) else { return .needMoreData }
    context.fireChannelRead(wrapInboundOut(try TransferFrame(&frame)))
    return .continue
  }

  mutating func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws
    -> DecodingState
  {
    while try decode(context: context, buffer: &buffer) == .continue {}
    return .needMoreData
  }
}

final class TransferFrameEncoder: MessageToByteEncoder, Sendable {
  typealias OutboundIn = TransferFrame

  func encode(data: TransferFrame, out: inout ByteBuffer) throws {
    var frame = ByteBuffer()
    data.write(to: &frame)
    out.writeInteger(UInt32(clamping: frame.readableBytes))
    out.writeBuffer(&frame)
  }
}

extension TransferFrame {
  private enum Kind: UInt8 {
    case hello = 1
    case welcome, refusal, sums, wants, data, end, done
  }

  func write(to buffer: inout ByteBuffer) {
    func kind(_ kind: Kind) { buffer.writeInteger(kind.rawValue) }
    switch self {
    case .hello(let greeting):
      kind(.hello)
      buffer.writeBytes(greeting.encoded)
    case .welcome(let bytes):
      kind(.welcome)
      buffer.writeInteger(bytes)
    case .refusal(let reason):
      kind(.refusal)
      buffer.writeString(String(reason.prefix(2000)))
    case .sums(let first, let sums):
      kind(.sums)
      buffer.writeInteger(first)
      for sum in sums {
        buffer.writeInteger(UInt8(sum == nil ? 0 : 1))
        if let sum { buffer.write(sum) }
      }
    case .wants(let first, let places):
      kind(.wants)
      buffer.writeInteger(first)
      for place in places { buffer.writeInteger(place) }
    case .data(let chunk, let bytes):
      kind(.data)
      buffer.writeInteger(chunk)
      buffer.writeBytes(bytes)
    case .end(let sum):
      kind(.end)
      buffer.write(sum)
    case .done(let sum):
      kind(.done)
      buffer.write(sum)
    }
  }

  /// - Throws: `TransferError.protocolError`.
  init(_ buffer: inout ByteBuffer) throws(TransferError) {
    guard let number = buffer.readInteger(as: UInt8.self), let kind = Kind(rawValue: number) else {
      throw .protocolError("a frame of an unknown kind")
    }
    func integer() throws(TransferError) -> Int64 {
      guard let value = buffer.readInteger(as: Int64.self), value >= 0 else {
        throw .protocolError("a number that is none")
      }
      return value
    }
    switch kind {
    case .hello:
      guard let greeting = TransferGreeting(Array(buffer.readableBytesView)) else {
        throw .protocolError("a greeting that cannot be read")
      }
      buffer.moveReaderIndex(to: buffer.writerIndex)
      self = .hello(greeting)
    case .welcome: self = .welcome(bytes: try integer())
    case .refusal:
      self = .refusal(
        String(decoding: (buffer.readBytes(length: buffer.readableBytes) ?? []).prefix(8000), as: UTF8.self))
    case .sums:
      let first = try integer()
      var sums: [ChunkSum?] = []
      while buffer.readableBytes > 0 {
        guard sums.count < TransferChunk.perFrame else { throw .protocolError("more sums than a frame has") }
        sums.append(buffer.readInteger(as: UInt8.self) == 0 ? nil : try buffer.readSum())
      }
      self = .sums(first: first, sums)
    case .wants:
      let first = try integer()
      var places: [UInt16] = []
      while let place = buffer.readInteger(as: UInt16.self) {
        guard places.count < TransferChunk.perFrame else { throw .protocolError("more places than a frame has") }
        places.append(place)
      }
      self = .wants(first: first, places)
    case .data:
      let chunk = try integer()
      self = .data(chunk: chunk, buffer.readBytes(length: buffer.readableBytes) ?? [])
    case .end: self = .end(try buffer.readSum())
    case .done: self = .done(try buffer.readSum())
    }
    guard buffer.readableBytes == 0 else { throw .protocolError("a frame that is too long") }
  }
}

extension ByteBuffer {
  fileprivate mutating func write(_ sum: ChunkSum) {
    writeInteger(sum.words.0)
    writeInteger(sum.words.1)
    writeInteger(sum.words.2)
    writeInteger(sum.words.3)
  }

  fileprivate mutating func readSum() throws(TransferError) -> ChunkSum {
    guard let one = readInteger(as: UInt64.self), let two = readInteger(as: UInt64.self),
      let three = readInteger(as: UInt64.self), let four = readInteger(as: UInt64.self)
    else { throw .protocolError("a sum that is cut off") }
    return ChunkSum(words: (one, two, three, four))
  }
}

extension TransferGreeting {
  var encoded: [UInt8] {
    var json: JSONValue = [
      "version": 1, "move": .string(move), "volume": .string(volume), "last": .bool(isLast),
      "bytes": .integer(traits.bytes), "formatted": .bool(traits.isFormatted),
      "fileSystemBytes": .integer(traits.fileSystemBytes), "parameters": .strings(traits.parameters),
    ]
    json.set("fileSystem", ifPresent: traits.fileSystem.map { .string($0.rawValue) })
    return json.encodedForReading()
  }

  /// `nil` if the bytes are none.
  init?(_ bytes: [UInt8]) {
    guard bytes.count <= 64 << 10, let json = try? JSONValue(parsing: bytes), json["version"].int == 1,
      let move = json["move"].string, let volume = json["volume"].string, let isLast = json["last"].bool,
      let size = json["bytes"].int, size > 0, let isFormatted = json["formatted"].bool,
      let fileSystemBytes = json["fileSystemBytes"].int, fileSystemBytes >= 0
    else { return nil }
    var fileSystem: FileSystemType?
    if let name = json["fileSystem"].string {
      guard let type = FileSystemType(rawValue: name) else { return nil }
      fileSystem = type
    }
    self.init(
      move: move, volume: volume,
      traits: VolumeTraits(
        bytes: Int64(size), fileSystem: fileSystem, isFormatted: isFormatted, fileSystemBytes: Int64(fileSystemBytes),
        parameters: json["parameters"].strings), isLast: isLast)
  }
}
