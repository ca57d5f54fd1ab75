import NIOCore

/// Takes the PING frames that want an answer out of the bytes of an HTTP/2 connection; everything else stays as it is.
///
/// Knows frames by their headers only (RFC 9113, section 4.1): three bytes of length, type, flags, four bytes of stream.
/// Bytes come in any pieces. A PING may be answered before the frames that came with it are looked at; section 6.7 wants
/// its answer to go before others.
struct PingFilter {
  /// What a piece of input comes to.
  struct Output {
    /// For the HTTP/2 handler, in order.
    var passed: [ByteBuffer] = []
    /// Opaque data of PINGs to be answered, 8 bytes each.
    var pings: [ByteBuffer] = []
  }

  static let headerBytes = 9
  static let pingBytes = 8
  private static let pingType: UInt8 = 6
  private static let acknowledged: UInt8 = 1
  /// What a client sends first (section 3.4), `PRI * HTTP/2.0…`: no frame, and told apart by its length field.
  private static let prefaceBytes = 24
  private static let prefaceStart: [UInt8] = Array("PRI".utf8)

  /// The start of a frame whose header, or whose PING, is not all there yet.
  private var rest: ByteBuffer?
  /// Bytes of the current frame that are still to come.
  private var owed = 0

  /// - Parameter answersPings: whether PINGs are taken out; else they pass like all others.
  mutating func take(_ input: ByteBuffer, answersPings: Bool = true) -> Output {
    var input = input
    if var whole = rest.take() {
      whole.writeBuffer(&input)
      input = whole
    }
    var output = Output()
    var passedTo = input.readerIndex
    var index = input.readerIndex
    let end = input.writerIndex
    func pass(_ upTo: Int) {
      if upTo > passedTo, let slice = input.getSlice(at: passedTo, length: upTo - passedTo) {
        output.passed.append(slice)
      }
    }
    while index < end {
      if owed > 0 {
        let count = min(owed, end - index)
        owed -= count
        index += count
        continue
      }
      guard let header = input.getBytes(at: index, length: Self.headerBytes) else { break }
      let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
      if header[..<3].elementsEqual(Self.prefaceStart) {
        owed = Self.prefaceBytes
      } else if answersPings, header[3] == Self.pingType, header[4] & Self.acknowledged == 0, length == Self.pingBytes {
        guard let data = input.getSlice(at: index + Self.headerBytes, length: Self.pingBytes) else { break }
        pass(index)
        output.pings.append(data)
        index += Self.headerBytes + Self.pingBytes
        passedTo = index
      } else {
        owed = Self.headerBytes + length
      }
    }
    pass(index)
    if index < end { rest = input.getSlice(at: index, length: end - index) }
    return output
  }

  /// A PING frame that answers another (section 6.7).
  static func answer(_ data: ByteBuffer, _ allocator: ByteBufferAllocator) -> ByteBuffer {
    var frame = allocator.buffer(capacity: headerBytes + pingBytes)
    frame.writeBytes([0, 0, UInt8(pingBytes), pingType, acknowledged, 0, 0, 0, 0])
    frame.writeImmutableBuffer(data)
    return frame
  }
}
