/// Places in a compressed layer where decompression can begin, noted while the layer was read once from front to back:
/// with it, a plain layer can be read at any place.
///
/// gzip: the state of the decompressor at borders of deflate blocks (as zlib's example zran does it): position to the bit
/// and the last 32 KiB. zstd: borders of frames; a layer of one frame has one span. Each span's digest lets what is read
/// later be verified piece by piece.
public struct SeekIndex: Sendable, Hashable {
  public struct Span: Sendable, Hashable {
    /// Where it begins in the uncompressed archive, in bytes.
    public var offset: Int64
    /// Uncompressed, in bytes.
    public var length: Int64
    /// The byte of the blob with which decompression begins.
    public var blobOffset: Int64
    /// How decompression begins there.
    public var start: Start
    /// Of the uncompressed bytes.
    public var digest: SHA256Bytes

    public var range: Range<Int64> { offset..<offset + length }
  }

  public enum Start: Sendable, Hashable {
    /// At a gzip member, a zstd frame, or anywhere in an uncompressed archive.
    case fresh
    /// Within deflate data.
    /// - Parameters:
    ///   - bits: how many bits of the first byte still count, from the top; 0: all of it.
    ///   - window: the 32 KiB in front (fewer at the beginning of a member), as a zstd frame.
    case resumed(bits: UInt8, window: [UInt8])
  }

  public var compression: LayerCompression
  /// In order, without gaps.
  public var spans: [Span]
  /// Sizes of the blob and of the archive in it, in bytes.
  public var blobBytes: Int64
  public var archiveBytes: Int64
  /// Of the uncompressed archive.
  public var diffID: Digest

  /// The bytes of the blob from which these spans can be decoded.
  public func blobRange(ofSpans indexes: Range<Int>) -> Range<Int64> {
    guard let first = indexes.first else { return 0..<0 }
    // The byte in which the next span begins may still hold the end of this one.
    let end = indexes.upperBound < spans.count ? spans[indexes.upperBound].blobOffset + 1 : blobBytes
    return spans[first].blobOffset..<min(end, blobBytes)
  }
}

/// Why a span could not be read.
public struct SeekError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case wrongDigest
    /// Not decodable, or shorter than noted; in words.
    case damaged(String)
    /// The archive is larger than it may be.
    case tooLarge(limitBytes: Int64)
    /// Stored bytes that are no index.
    case malformedIndex
  }

  public let reason: Reason
  /// Where the span begins in the uncompressed archive.
  public var offset: Int64 = 0

  public var description: String {
    switch reason {
    case .wrongDigest: "the layer's content at \(offset) is not what it was when it was first read"
    case .damaged(let why): "the layer's content at \(offset) is damaged: \(why)"
    case .tooLarge(let limit): "the layer is larger than \(limit) bytes when it is uncompressed"
    case .malformedIndex: "the stored index of the layer is damaged"
    }
  }
}

// MARK: - On disk

extension SeekIndex {
  private static let magic = Array("nagayaS1".utf8)

  /// The index as bytes to be kept.
  public func encoded() -> [UInt8] {
    var bytes = Self.magic
    func put(_ number: Int64) {
      for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> Int64(8 * shift))) }
    }
    bytes.append(compression.rawValue)
    put(blobBytes)
    put(archiveBytes)
    bytes += SHA256Bytes(diffID.description)?.bytes ?? []
    put(Int64(spans.count))
    for span in spans {
      put(span.offset)
      put(span.length)
      put(span.blobOffset)
      bytes += span.digest.bytes
      switch span.start {
      case .fresh: put(-1)
      case .resumed(let bits, let window):
        put(Int64(window.count))
        bytes.append(bits)
        bytes += window
      }
    }
    return bytes
  }

  /// Reads what `encoded` gave.
  /// - Throws: `SeekError.malformedIndex`.
  public init(decoding bytes: [UInt8]) throws(SeekError) {
    var rest = bytes[...]
    func take(_ count: Int) throws(SeekError) -> ArraySlice<UInt8> {
      guard count >= 0, rest.count >= count else { throw SeekError(reason: .malformedIndex) }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    func number(atLeast minimum: Int64 = 0) throws(SeekError) -> Int64 {
      let value = try take(8).reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
      guard value >= minimum, value < 1 << 60 else { throw SeekError(reason: .malformedIndex) }
      return value
    }
    func digest() throws(SeekError) -> SHA256Bytes {
      guard let digest = SHA256Bytes(try take(32)) else { throw SeekError(reason: .malformedIndex) }
      return digest
    }
    guard try take(Self.magic.count).elementsEqual(Self.magic), let first = try take(1).first,
      let compression = LayerCompression(rawValue: first)
    else { throw SeekError(reason: .malformedIndex) }
    self.compression = compression
    blobBytes = try number()
    archiveBytes = try number()
    guard let diffID = try digest().digest else { throw SeekError(reason: .malformedIndex) }
    self.diffID = diffID
    let count = try number()
    spans = []
    for _ in 0..<count {
      let (offset, length, blobOffset) = (try number(), try number(), try number())
      let digest = try digest()
      let windowBytes = try number(atLeast: -1)
      var start = Start.fresh
      if windowBytes >= 0 {
        guard let bits = try take(1).first, bits < 8 else { throw SeekError(reason: .malformedIndex) }
        start = .resumed(bits: bits, window: Array(try take(Int(windowBytes))))
      }
      let end = spans.last?.range.upperBound ?? 0
      guard offset == end, length > 0, blobOffset <= blobBytes, blobOffset >= spans.last?.blobOffset ?? 0 else {
        throw SeekError(reason: .malformedIndex)
      }
      spans.append(Span(offset: offset, length: length, blobOffset: blobOffset, start: start, digest: digest))
    }
    guard rest.isEmpty, archiveBytes == spans.last?.range.upperBound ?? 0 else {
      throw SeekError(reason: .malformedIndex)
    }
  }
}
