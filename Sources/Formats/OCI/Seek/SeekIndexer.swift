import CZlib
import Crypto

/// Decompresses a layer from front to back, in pieces as they come in, and notes on the way where one could begin again.
public final class SeekIndexer {
  private let spanBytes: Int64
  private let limitBytes: Int64
  private let engine: any LayerDecompressor
  private var index: SeekIndex
  private var hash = SHA256()
  private var spanHash = SHA256()
  private var open: (offset: Int64, blobOffset: Int64, start: SeekIndex.Start) = (0, 0, .fresh)

  /// - Parameters:
  ///   - spanBytes: how many uncompressed bytes lie at least between two places; each costs some 10 KiB of index.
  ///   - limitBytes: an archive with more is refused, so that a small blob cannot fill the disk.
  public init(_ compression: LayerCompression, spanBytes: Int64 = 4 << 20, limitBytes: Int64 = 1 << 40) throws {
    self.spanBytes = max(1, spanBytes)
    self.limitBytes = limitBytes
    switch compression {
    case .none: engine = PlainPassage()
    case .gzip: engine = try GzipPassage()
    case .zstd: engine = try ZstdPassage()
    }
    index = SeekIndex(
      compression: compression, spans: [], blobBytes: 0, archiveBytes: 0, diffID: Digest(of: [UInt8]()))
  }

  /// Uncompressed bytes given out so far.
  public var archiveBytes: Int64 { index.archiveBytes }

  /// Takes the next piece of the blob and gives its uncompressed bytes to `body`.
  /// - Throws: `GzipError`, `ZstdError`, `SeekError.tooLarge`, or what `body` throws.
  public func consume(_ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) throws -> Void) throws {
    var rest = bytes
    while true {
      let before = rest.count
      let output = try engine.step(&rest)
      index.blobBytes += Int64(before - rest.count)
      if !output.isEmpty {
        index.archiveBytes += Int64(output.count)
        guard index.archiveBytes <= limitBytes else { throw SeekError(reason: .tooLarge(limitBytes: limitBytes)) }
        output.withUnsafeBytes {
          hash.update(bufferPointer: $0)
          spanHash.update(bufferPointer: $0)
        }
        try body(output)
      }
      if index.archiveBytes - open.offset >= spanBytes, let start = engine.start {
        closeSpan()
        var blobOffset = index.blobBytes
        if case .resumed(let bits, _) = start, bits > 0 { blobOffset -= 1 }
        open = (index.archiveBytes, blobOffset, start)
      }
      if output.isEmpty && rest.count == before { return }
    }
  }

  /// The index, after the last piece.
  /// - Throws: if the data ended too early.
  public func finish() throws -> SeekIndex {
    try engine.finish()
    closeSpan()
    index.diffID = Digest(hash.finalize())
    return index
  }

  private func closeSpan() {
    guard index.archiveBytes > open.offset else { return }
    index.spans.append(
      SeekIndex.Span(
        offset: open.offset, length: index.archiveBytes - open.offset, blobOffset: open.blobOffset, start: open.start,
        digest: SHA256Bytes(spanHash.finalize())))
    spanHash = SHA256()
  }
}

/// Decompresses in steps that end where one could begin again.
private protocol LayerDecompressor: AnyObject {
  /// Uses some of `input`; no output and no input used means that more is needed.
  func step(_ input: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8>
  /// How to begin again behind what was used so far; `nil` if one can't there.
  var start: SeekIndex.Start? { get }
  func finish() throws
}

private final class PlainPassage: LayerDecompressor {
  func step(_ input: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let piece = input.prefix(1 << 18)
    input = input.dropFirst(piece.count)
    return piece
  }

  var start: SeekIndex.Start? { .fresh }
  func finish() {}
}

private final class ZstdPassage: LayerDecompressor {
  private let stream: ZstdDecompressor
  private var hasSeenBytes = false

  init() throws { stream = try ZstdDecompressor() }

  func step(_ input: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8> {
    if !input.isEmpty { hasSeenBytes = true }
    return try stream.decompress(&input, upTo: 256 << 10, stoppingAtFrames: true)[...]
  }

  var start: SeekIndex.Start? { stream.isAtBoundary ? .fresh : nil }

  func finish() throws {
    guard stream.isAtBoundary, hasSeenBytes else { throw ZstdError(reason: .truncated) }
  }
}

private final class GzipPassage: LayerDecompressor {
  private let stream: ZlibStream
  private var isAtMember = true
  private var isAtBlock = false
  private var hasSeenMember = false
  private let windows: ZstdCompressor

  init() throws {
    stream = try ZlibStream(.decompress)
    windows = try ZstdCompressor(level: 1)
  }

  func step(_ input: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8> {
    guard !input.isEmpty || !isAtMember else { return [] }
    let control = stream.control
    var result = Z_OK
    var used = 0
    let output = input.withUnsafeBufferPointer { source in
      [UInt8](unsafeUninitializedCapacity: 256 << 10) { target, filled in
        control.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        control.pointee.avail_in = UInt32(clamping: source.count)
        control.pointee.next_out = target.baseAddress
        control.pointee.avail_out = UInt32(target.count)
        let offered = control.pointee.avail_in
        result = inflate(control, Z_BLOCK)
        used = Int(offered - control.pointee.avail_in)
        filled = target.count - Int(control.pointee.avail_out)
        control.pointee.next_in = nil
      }
    }
    input = input.dropFirst(used)
    // 128: at the border of a block; 64: the block was a member's last.
    isAtBlock = control.pointee.data_type & 0xC0 == 0x80
    if used > 0 { isAtMember = false }
    switch result {
    case Z_OK, Z_BUF_ERROR: break
    case Z_STREAM_END:
      (isAtMember, hasSeenMember, isAtBlock) = (true, true, false)
      inflateReset(control)
    case Z_MEM_ERROR: throw GzipError(reason: .outOfMemory)
    default: throw GzipError(reason: .corrupt)
    }
    return output[...]
  }

  var start: SeekIndex.Start? {
    if isAtMember { return .fresh }
    guard isAtBlock else { return nil }
    var size: UInt32 = 0
    let window = [UInt8](unsafeUninitializedCapacity: 32 << 10) { target, filled in
      inflateGetDictionary(stream.control, target.baseAddress, &size)
      filled = Int(size)
    }
    guard let frame = try? windows.frame(window[...]) else { return nil }
    return .resumed(bits: UInt8(stream.control.pointee.data_type & 7), window: frame)
  }

  func finish() throws {
    guard isAtMember, hasSeenMember else { throw GzipError(reason: .truncated) }
  }
}
