import CZstd

/// Why zstd data could not be read or written.
public struct ZstdError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// Not zstd, or damaged (RFC 8878).
    case corrupt
    /// The data ends within a frame.
    case truncated
    /// A frame wants a window larger than `ZstdError.windowLimit`.
    case windowTooLarge
    case outOfMemory
  }

  /// The largest window that is taken, in bytes: what `zstd --ultra` and image builders make, with room.
  public static let windowLimit = 1 << windowLog
  static let windowLog: Int32 = 27

  public let reason: Reason
  public var description: String {
    switch reason {
    case .corrupt: "the zstd data is damaged"
    case .truncated: "the zstd data ends too early"
    case .windowTooLarge: "the zstd data needs a window of more than \(Self.windowLimit >> 20) MiB"
    case .outOfMemory: "not enough memory for zstd"
    }
  }
}

/// Decompresses zstd frames piece by piece; frames in a row count as one stream, skippable ones are passed over.
public final class ZstdDecompressor {
  private let stream: OpaquePointer
  /// Between two frames, where the data may end.
  public private(set) var isAtBoundary = true

  public init() throws(ZstdError) {
    guard let stream = ZSTD_createDCtx() else { throw ZstdError(reason: .outOfMemory) }
    self.stream = stream
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, ZstdError.windowLog)
  }

  deinit { ZSTD_freeDCtx(stream) }

  /// Decompresses some of `input`, which loses what was used.
  /// - Parameter stoppingAtFrames: stop behind the end of each frame.
  /// - Returns: at most `count` bytes; none means that more input is needed.
  public func decompress(_ input: inout ArraySlice<UInt8>, upTo count: Int, stoppingAtFrames: Bool = false)
    throws(ZstdError) -> [UInt8]
  {
    var used = 0
    var result = 0
    let output = input.withUnsafeBytes { source in
      [UInt8](unsafeUninitializedCapacity: count) { target, filled in
        var from = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var to = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        repeat {
          let before = (from.pos, to.pos)
          result = ZSTD_decompressStream(stream, &to, &from)
          if ZSTD_isError(result) != 0 || (from.pos, to.pos) == before { break }
          isAtBoundary = result == 0
          if isAtBoundary && stoppingAtFrames { break }
        } while to.pos < to.size && from.pos < from.size
        used = from.pos
        filled = to.pos
      }
    }
    input = input.dropFirst(used)
    guard ZSTD_isError(result) != 0 else { return output }
    switch ZSTD_getErrorCode(result) {
    case ZSTD_error_frameParameter_windowTooLarge: throw ZstdError(reason: .windowTooLarge)
    case ZSTD_error_memory_allocation: throw ZstdError(reason: .outOfMemory)
    default: throw ZstdError(reason: .corrupt)
    }
  }
}

/// Decompresses a source of zstd frames.
public struct ZstdSource<Base: ByteSource>: ByteSource {
  private var base: Base
  private let stream: ZstdDecompressor
  private var input: ArraySlice<UInt8> = []
  private var hasSeenBytes = false

  public init(_ base: Base) throws(ZstdError) {
    self.base = base
    stream = try ZstdDecompressor()
  }

  public mutating func read(upTo count: Int) throws -> ArraySlice<UInt8> {
    let wanted = min(max(count, 1), 128 << 10)
    while true {
      // Output may be left inside the decompressor although all input is used.
      let output = try stream.decompress(&input, upTo: wanted)
      if !output.isEmpty { return output[...] }
      if input.isEmpty { input = try base.read(upTo: 128 << 10) }
      if input.isEmpty {
        guard stream.isAtBoundary, hasSeenBytes else { throw ZstdError(reason: .truncated) }
        return []
      }
      hasSeenBytes = true
    }
  }
}

/// Compresses one piece of data into one zstd frame.
public final class ZstdCompressor {
  private let context: OpaquePointer

  /// - Parameter level: zstd's, 1 (fast) to 19 (small).
  public init(level: Int32 = 3) throws(ZstdError) {
    guard let context = ZSTD_createCCtx() else { throw ZstdError(reason: .outOfMemory) }
    self.context = context
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
    // A checksum at the end of every frame: damage is found also where nobody compares digests.
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
  }

  deinit { ZSTD_freeCCtx(context) }

  /// A whole frame; the same bytes give the same frame.
  public func frame(_ bytes: ArraySlice<UInt8>) throws(ZstdError) -> [UInt8] {
    var failed = false
    let frame = bytes.withUnsafeBytes { source in
      [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(source.count)) { target, filled in
        let size = ZSTD_compress2(context, target.baseAddress, target.count, source.baseAddress, source.count)
        failed = ZSTD_isError(size) != 0
        filled = failed ? 0 : size
      }
    }
    guard !failed else { throw ZstdError(reason: .outOfMemory) }
    return frame
  }
}
