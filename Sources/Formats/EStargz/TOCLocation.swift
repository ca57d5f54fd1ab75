import OCI

/// Formats of layers that have a table of contents.
public enum LayerFormat: String, Sendable, Hashable {
  case estargz
  /// zstd:chunked, in both dialects.
  case zstdChunked = "zstd:chunked"
}

/// Where a layer's table of contents is, and how to know that it is the right one.
public struct TOCLocation: Sendable, Hashable {
  public var format: LayerFormat
  /// Range of the blob that holds the table; `nil` if it lies in another image (external TOC).
  public var range: Range<Int64>?
  /// Uncompressed size of the table in bytes, as far as it is announced.
  public var uncompressedBytes: Int64?
  /// Of the compressed table.
  public var compressedDigest: Digest?
  /// Of the uncompressed table.
  public var tocDigest: Digest?
  /// Range of the tar-split data (newer zstd:chunked), from which the layer's tar archive can be put together again.
  public var tarSplitRange: Range<Int64>?

  /// Whether the table can be checked against the manifest. If not, nothing read through it can be trusted.
  public var isVerifiable: Bool { compressedDigest != nil || tocDigest != nil }

  public init(format: LayerFormat, range: Range<Int64>?, tocDigest: Digest? = nil) {
    self.format = format
    self.range = range
    self.tocDigest = tocDigest
  }
}

/// Annotations of a layer's descriptor that concern its table of contents.
public enum TOCAnnotation {
  /// Digest of the uncompressed TOC JSON (stargz-snapshotter).
  public static let tocDigest = "containerd.io/snapshot/stargz/toc.digest"
  /// Size of the uncompressed layer in bytes, decimal (stargz-store).
  public static let uncompressedSize = "io.containers.estargz.uncompressed-size"
  /// Digest of the compressed TOC, and `offset:compressed:uncompressed:1`; both dialects.
  public static let manifestChecksum = [
    "io.github.containers.zstd-chunked.manifest-checksum", "io.containers.zstd-chunked.manifest-checksum",
  ]
  public static let manifestPosition = [
    "io.github.containers.zstd-chunked.manifest-position", "io.containers.zstd-chunked.manifest-position",
  ]
  /// `offset:compressed:uncompressed`
  public static let tarSplitPosition = "io.github.containers.zstd-chunked.tarsplit-position"
  /// In a TOC image: the layer whose table of contents this blob holds.
  public static let externalLayerDigest = "containerd.io/snapshot/stargz/layer.digest"
}

extension TOCLocation {
  /// The bytes at the end of a blob that `init(footer:…)` wants.
  public static let footerBytes: Int64 = 72

  /// What a layer's descriptor says, without a byte of the blob; `nil` if its footer must be read, or if the layer has no
  /// table of contents.
  public init?(_ descriptor: Descriptor) {
    let annotations = descriptor.annotations
    let position = TOCAnnotation.manifestPosition.lazy.compactMap { annotations[$0] }.first
    guard let numbers = position.flatMap(Self.numbers), numbers.count >= 3, numbers.count < 4 || numbers[3] == 1,
      let range = Self.range(numbers[0], numbers[1], within: descriptor.size)
    else { return nil }
    self.init(
      format: .zstdChunked, range: range, tocDigest: annotations[TOCAnnotation.tocDigest].flatMap { Digest($0) })
    uncompressedBytes = numbers[2]
    compressedDigest =
      TOCAnnotation.manifestChecksum.lazy.compactMap { annotations[$0] }.first.flatMap { Digest($0) }
    tarSplitRange = annotations[TOCAnnotation.tarSplitPosition].flatMap(Self.numbers).flatMap { split in
      split.count >= 3 ? Self.range(split[0], split[1], within: descriptor.size) : nil
    }
  }

  /// Whether the footer is worth reading: a layer of a compression that may have a table of contents, with an annotation
  /// that lets the table be verified.
  public static func mayHaveFooter(_ descriptor: Descriptor) -> Bool {
    descriptor.annotations[TOCAnnotation.tocDigest] != nil && descriptor.size > footerBytes
  }

  /// Reads a footer (eStargz specification, "Footer"; containers/storage, zstd:chunked format).
  /// - Parameters:
  ///   - footer: the last bytes of the blob, `footerBytes` of them or the whole of a smaller blob.
  ///   - descriptor: of the layer.
  /// - Throws: `LayerTOCError.noFooter`, or `.badLocation` if the footer points outside of the blob.
  public init(footer: [UInt8], of descriptor: Descriptor) throws(LayerTOCError) {
    let tocDigest = descriptor.annotations[TOCAnnotation.tocDigest].flatMap { Digest($0) }
    let size = descriptor.size
    if let location = try Self.estargz(footer, size) {
      self = location
    } else if let location = try Self.zstdChunked(footer, size) {
      self = location
    } else {
      throw LayerTOCError(.noFooter)
    }
    self.tocDigest = tocDigest
  }

  private static func estargz(_ footer: [UInt8], _ size: Int64) throws(LayerTOCError) -> TOCLocation? {
    let text = Array("STARGZ".utf8)
    // Size of the footer; what the extra field of its empty gzip member begins with; where the offset's digits are.
    let forms: [(bytes: Int64, extra: [UInt8], digits: Int)] = [
      (51, [26, 0, 0x53, 0x47, 22, 0], 16), (47, [22, 0], 12),
    ]
    for form in forms where footer.count >= form.bytes {
      let tail = Array(footer.suffix(Int(form.bytes)))
      guard tail.starts(with: [0x1F, 0x8B, 8, 4]), tail[10...].starts(with: form.extra),
        tail[(form.digits + 16)...].starts(with: text),
        let offset = Int64(String(decoding: tail[form.digits..<form.digits + 16], as: UTF8.self), radix: 16)
      else { continue }
      guard let range = range(offset, size - form.bytes - offset, within: size) else {
        throw LayerTOCError(.badLocation)
      }
      return TOCLocation(format: .estargz, range: range)
    }
    let external = Array(footer.suffix(46))
    if external.starts(with: [0x1F, 0x8B, 8, 4]), external.count == 46,
      external[10...].starts(with: [21, 0, 0x53, 0x47, 17, 0] + Array("STARGZEXTERNALTOC".utf8))
    {
      return TOCLocation(format: .estargz, range: nil)
    }
    return nil
  }

  private static func zstdChunked(_ footer: [UInt8], _ size: Int64) throws(LayerTOCError) -> TOCLocation? {
    for (payload, magic) in [(64, "GNUlInUx"), (40, "GnUlInUx")] where footer.count >= payload + 8 {
      let tail = Array(footer.suffix(payload + 8))
      func number(_ index: Int) -> Int64 {
        (0..<8).reduce(0) { $0 | Int64(tail[8 + index * 8 + $1]) << Int64(8 * $1) }
      }
      guard tail.starts(with: [0x50, 0x2A, 0x4D, 0x18, UInt8(payload), 0, 0, 0]),
        Array(tail.suffix(8)) == Array(magic.utf8)
      else { continue }
      guard number(3) == 1, let range = range(number(0), number(1), within: size), number(2) >= 0 else {
        throw LayerTOCError(.badLocation)
      }
      var location = TOCLocation(format: .zstdChunked, range: range)
      location.uncompressedBytes = number(2)
      if payload == 64 { location.tarSplitRange = Self.range(number(4), number(5), within: size) }
      return location
    }
    return nil
  }

  private static func numbers(_ text: String) -> [Int64]? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
    return parts.contains(nil) ? nil : parts.compactMap { $0 }
  }

  private static func range(_ offset: Int64, _ length: Int64, within size: Int64) -> Range<Int64>? {
    guard offset >= 0, length > 0, offset <= size, length <= size - offset else { return nil }
    return offset..<offset + length
  }
}
