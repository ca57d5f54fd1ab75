import CZlib

/// Why gzip data could not be read or written.
public struct GzipError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// Not gzip, or damaged (RFC 1952).
    case corrupt
    /// The data ends within a member.
    case truncated
    case outOfMemory
  }
  public let reason: Reason
  public var description: String {
    switch reason {
    case .corrupt: "the gzip data is damaged"
    case .truncated: "the gzip data ends too early"
    case .outOfMemory: "not enough memory for gzip"
    }
  }
}

/// A zlib stream of one direction. zlib keeps a pointer to its control block, so the block has a place of its own.
final class ZlibStream {
  enum Direction {
    case compress(level: Int32)
    case decompress
    /// Deflate data without framing (RFC 1951).
    case inflateRaw
  }

  let control: UnsafeMutablePointer<z_stream>
  private let direction: Direction
  static let chunk = 64 << 10
  /// 15 bits of window, +16: gzip framing instead of zlib's.
  static let gzipWindow: Int32 = 15 + 16

  init(_ direction: Direction) throws(GzipError) {
    self.direction = direction
    control = .allocate(capacity: 1)
    control.initialize(to: z_stream())
    let size = Int32(MemoryLayout<z_stream>.size)
    let result =
      switch direction {
      case .compress(let level):
        deflateInit2_(
          control, level, Z_DEFLATED, Self.gzipWindow, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
      case .decompress: inflateInit2_(control, Self.gzipWindow, ZLIB_VERSION, size)
      case .inflateRaw: inflateInit2_(control, -15, ZLIB_VERSION, size)
      }
    guard result == Z_OK else { throw GzipError(reason: .outOfMemory) }
  }

  deinit {
    switch direction {
    case .compress: deflateEnd(control)
    case .decompress, .inflateRaw: inflateEnd(control)
    }
    control.deallocate()
  }
}

/// Compresses what passes (RFC 1952): no name, time 0, so equal bytes give equal bytes.
public struct GzipSink<Base: ByteSink>: ByteSink {
  public private(set) var base: Base
  private let stream: ZlibStream

  /// - Parameter level: zlib's, 1 (fast) to 9 (small).
  public init(_ base: Base, level: Int32 = 6) throws(GzipError) {
    self.base = base
    stream = try ZlibStream(.compress(level: level))
  }

  public mutating func write(_ bytes: ArraySlice<UInt8>) throws {
    guard !bytes.isEmpty else { return }
    try pump(bytes, flush: Z_NO_FLUSH)
  }

  /// Writes what is left and the trailer. Nothing may be written afterwards.
  public mutating func finish() throws { try pump([], flush: Z_FINISH) }

  private mutating func pump(_ bytes: ArraySlice<UInt8>, flush: Int32) throws {
    var produced: [[UInt8]] = []
    try bytes.withUnsafeBufferPointer { input in
      let control = stream.control
      control.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      control.pointee.avail_in = UInt32(input.count)
      defer { control.pointee.next_in = nil }
      var isFull = true
      while isFull {
        produced.append(
          try [UInt8](unsafeUninitializedCapacity: ZlibStream.chunk) { output, count in
            control.pointee.next_out = output.baseAddress
            control.pointee.avail_out = UInt32(output.count)
            let result = deflate(control, flush)
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
              throw GzipError(reason: .corrupt)
            }
            count = output.count - Int(control.pointee.avail_out)
            isFull = control.pointee.avail_out == 0
          })
      }
    }
    for piece in produced where !piece.isEmpty { try base.write(piece[...]) }
  }
}

/// Decompresses a source; several members in a row count as one stream.
public struct GunzipSource<Base: ByteSource>: ByteSource {
  private var base: Base
  private let stream: ZlibStream
  private var input: ArraySlice<UInt8> = []
  /// Between two members, where the data may end.
  private var isAtBoundary = true
  private var hasSeenMember = false

  public init(_ base: Base) throws(GzipError) {
    self.base = base
    stream = try ZlibStream(.decompress)
  }

  public mutating func read(upTo count: Int) throws -> ArraySlice<UInt8> {
    let wanted = min(max(count, 1), ZlibStream.chunk)
    while true {
      if input.isEmpty {
        input = try base.read(upTo: ZlibStream.chunk)
        if input.isEmpty {
          guard isAtBoundary, hasSeenMember else { throw GzipError(reason: .truncated) }
          return []
        }
      }
      let output = try inflateSome(wanted)
      if !output.isEmpty { return output[...] }
    }
  }

  private mutating func inflateSome(_ wanted: Int) throws -> [UInt8] {
    let control = stream.control
    isAtBoundary = false
    var result = Z_OK
    var used = 0
    let output = input.withUnsafeBufferPointer { input in
      control.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      control.pointee.avail_in = UInt32(input.count)
      defer {
        used = input.count - Int(control.pointee.avail_in)
        control.pointee.next_in = nil
      }
      return [UInt8](unsafeUninitializedCapacity: wanted) { output, count in
        control.pointee.next_out = output.baseAddress
        control.pointee.avail_out = UInt32(output.count)
        result = inflate(control, Z_NO_FLUSH)
        count = output.count - Int(control.pointee.avail_out)
      }
    }
    input = input.dropFirst(used)
    switch result {
    case Z_OK, Z_BUF_ERROR: break
    case Z_STREAM_END:
      isAtBoundary = true
      hasSeenMember = true
      inflateReset(control)
    case Z_MEM_ERROR: throw GzipError(reason: .outOfMemory)
    default: throw GzipError(reason: .corrupt)
    }
    return output
  }
}
