import CZlib

extension SeekIndex {
  /// Decodes spans that follow each other, and verifies each before it is given out.
  /// - Parameters:
  ///   - indexes: of the spans.
  ///   - blob: the bytes of `blobRange(ofSpans:)`.
  ///   - body: gets each span with its uncompressed bytes.
  /// - Throws: `SeekError`, or what `body` throws.
  public func decode(
    _ indexes: Range<Int>, from blob: ArraySlice<UInt8>, _ body: (Span, ArraySlice<UInt8>) throws -> Void
  ) throws {
    guard let first = indexes.first else { return }
    var source = try source(from: spans[first], blob)
    for span in spans[indexes] {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(Int(min(span.length, 8 << 20)))
      do {
        while Int64(bytes.count) < span.length {
          let piece = try source.read(upTo: Int(span.length) - bytes.count)
          guard !piece.isEmpty else { throw GzipError(reason: .truncated) }
          bytes += piece
        }
      } catch { throw SeekError(reason: .damaged("\(error)"), offset: span.offset) }
      guard SHA256Bytes(of: bytes[...]) == span.digest else {
        throw SeekError(reason: .wrongDigest, offset: span.offset)
      }
      try body(span, bytes[...])
    }
  }

  private func source(from span: Span, _ blob: ArraySlice<UInt8>) throws -> any ByteSource {
    do {
      switch compression {
      case .none: return SliceSource(blob)
      case .zstd: return try ZstdSource(SliceSource(blob))
      case .gzip:
        guard case .resumed(let bits, let frame) = span.start else { return try GunzipSource(SliceSource(blob)) }
        var packed = frame[...]
        let window = try ZstdDecompressor().decompress(&packed, upTo: 32 << 10)
        return try ResumedGunzipSource(blob, bits: bits, window: window)
      }
    } catch { throw SeekError(reason: .damaged("\(error)"), offset: span.offset) }
  }
}

/// Fetched bytes as a source, not copied.
public struct SliceSource: ByteSource {
  private var rest: ArraySlice<UInt8>

  public init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  public mutating func read(upTo count: Int) -> ArraySlice<UInt8> {
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }
}

/// Decompresses from the middle of a gzip member on, and on through the members behind it.
private struct ResumedGunzipSource: ByteSource {
  private let stream: ZlibStream
  private var input: ArraySlice<UInt8>
  /// The members behind this one.
  private var next: GunzipSource<SliceSource>?

  init(_ blob: ArraySlice<UInt8>, bits: UInt8, window: [UInt8]) throws {
    stream = try ZlibStream(.inflateRaw)
    input = blob
    if bits > 0 {
      guard let first = input.popFirst() else { throw GzipError(reason: .truncated) }
      inflatePrime(stream.control, Int32(bits), Int32(first) >> Int32(8 - bits))
    }
    guard window.isEmpty || inflateSetDictionary(stream.control, window, UInt32(window.count)) == Z_OK else {
      throw GzipError(reason: .corrupt)
    }
  }

  mutating func read(upTo count: Int) throws -> ArraySlice<UInt8> {
    if next != nil { return try next?.read(upTo: count) ?? [] }
    while true {
      var (result, used) = (Z_OK, 0)
      let control = stream.control
      let output = input.withUnsafeBufferPointer { source in
        [UInt8](unsafeUninitializedCapacity: min(max(count, 1), 256 << 10)) { target, filled in
          control.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
          control.pointee.avail_in = UInt32(clamping: source.count)
          control.pointee.next_out = target.baseAddress
          control.pointee.avail_out = UInt32(target.count)
          let offered = control.pointee.avail_in
          result = inflate(control, Z_NO_FLUSH)
          used = Int(offered - control.pointee.avail_in)
          filled = target.count - Int(control.pointee.avail_out)
          control.pointee.next_in = nil
        }
      }
      input = input.dropFirst(used)
      switch result {
      case Z_STREAM_END:
        // The member's checksum and size; what it was decompressed to has its own digest.
        next = try GunzipSource(SliceSource(input.dropFirst(8)))
        return output.isEmpty ? try next?.read(upTo: count) ?? [] : output[...]
      case Z_OK, Z_BUF_ERROR:
        if !output.isEmpty { return output[...] }
        guard used > 0 else { return [] }
      case Z_MEM_ERROR: throw GzipError(reason: .outOfMemory)
      default: throw GzipError(reason: .corrupt)
      }
    }
  }
}
