import BoundedNumbers

/// Where the bytes of a layer's tar archive lie on its data device.
///
/// `aligned`: each file's content begins at a multiple of 4096, so that a file system with blocks of that size can name it;
/// programs read in units of a file's `st_blksize`, and in blocks of 512 bytes they would ask eight times as often. What
/// lies between contents has places, too, so that any stretch of the archive is one stretch of the device, but nobody reads it
/// there and it is not written: the rest of a file's last block stays zero.
///
/// `verbatim`: the device is the archive, in blocks of 512 bytes.
public struct ArchiveLayout: Sendable, Hashable {
  /// Content begins at multiples of this, in bytes.
  public static let unit: Int64 = 4096

  private struct Run: Sendable, Hashable {
    var archive: Int64
    var length: Int64
    var device: Int64
    var end: Int64 { archive + length }
  }

  /// Whether the device is the archive as it is.
  public let isVerbatim: Bool
  /// Contents, in order.
  private var runs: [Run] = []

  private init(isVerbatim: Bool) { self.isVerbatim = isVerbatim }

  /// The archive as it is.
  public static let verbatim = ArchiveLayout(isVerbatim: true)
  /// Of an archive in which no content was seen yet.
  public static let aligned = ArchiveLayout(isVerbatim: false)

  /// Gives the next content its place.
  /// - Parameters:
  ///   - offset: where it begins in the archive; not before the end of the content in front of it.
  ///   - length: in bytes, more than 0.
  /// - Returns: where it begins on the device; `nil` if the device would be larger than 2^60 bytes, or `offset` is too small.
  public mutating func place(_ offset: Int64, length: Int64) -> Int64? {
    guard length > 0, offset >= runs.last?.end ?? 0, length <= 1 << 60, offset <= 1 << 60 - length else { return nil }
    if isVerbatim { return offset }
    let device = Self.roundedUp(place(of: offset))
    guard device <= 1 << 60 - length else { return nil }
    runs.append(Run(archive: offset, length: length, device: device))
    return device
  }

  /// The device's size for an archive of this many bytes, a multiple of the device's block size.
  public func deviceBytes(archive: Int64) -> Int64 {
    isVerbatim ? (archive + 511) / 512 * 512 : Self.roundedUp(place(of: archive))
  }

  /// The stretch of the device for a stretch of the archive.
  public func deviceRange(_ archive: Range<Int64>) -> Range<Int64> {
    place(of: archive.lowerBound)..<place(of: archive.upperBound)
  }

  /// Where the archive's last content ends, in bytes.
  public var contentEnd: Int64 { runs.last?.end ?? 0 }

  /// Every byte of the archive has a place, in the same order.
  private func place(of offset: Int64) -> Int64 {
    let after = runs.indices.bisect { runs[$0].archive > offset }
    guard after > 0 else { return offset }
    return runs[after - 1].device + (offset - runs[after - 1].archive)
  }

  /// What of a stretch of the archive must be on the device.
  /// - Parameters:
  ///   - offset: where `bytes` begin in the archive.
  ///   - body: gets bytes and where they go on the device; contents that lie close are given together.
  public func forEachWrite(
    _ bytes: ArraySlice<UInt8>, at offset: Int64, _ body: (ArraySlice<UInt8>, Int64) throws -> Void
  ) rethrows {
    guard !isVerbatim else { return try body(bytes, offset) }
    var output = DeviceWrites()
    var next = runs.indices.bisect { runs[$0].end > offset }
    let end = offset + Int64(bytes.count)
    while next < runs.count, runs[next].archive < end {
      let run = runs[next]
      let (lower, upper) = (max(run.archive, offset), min(run.end, end))
      let start = bytes.startIndex + Int(lower - offset)
      try output.append(bytes[start..<start + Int(upper - lower)], at: run.device + (lower - run.archive), body)
      next += 1
    }
    try output.flush(body)
  }

  private static func roundedUp(_ offset: Int64) -> Int64 { (offset + unit - 1) / unit * unit }
}

/// Gathers small contents that follow each other, so that many of them are written at once.
struct DeviceWrites: Sendable {
  /// What is filled up with zeros between two contents, in bytes.
  private static let gap: Int64 = 8192
  private static let limit = 1 << 20

  private var start: Int64 = 0
  private var bytes: [UInt8] = []

  mutating func append(
    _ content: ArraySlice<UInt8>, at device: Int64, _ body: (ArraySlice<UInt8>, Int64) throws -> Void
  ) rethrows {
    let end = start + Int64(bytes.count)
    if bytes.isEmpty || device < end || device - end > Self.gap || bytes.count + content.count > Self.limit {
      try flush(body)
      // A large piece needs no copy.
      if content.count >= Self.limit / 4 { return try body(content, device) }
      start = device
    } else {
      bytes.append(contentsOf: repeatElement(0, count: Int(device - end)))
    }
    bytes += content
  }

  mutating func flush(_ body: (ArraySlice<UInt8>, Int64) throws -> Void) rethrows {
    guard !bytes.isEmpty else { return }
    try body(bytes[...], start)
    bytes.removeAll(keepingCapacity: true)
  }
}

// MARK: - On disk

extension ArchiveLayout {
  private static let magic = Array("nagayaL1".utf8)

  /// The layout as bytes to be kept; none for `verbatim`.
  public func encoded() -> [UInt8] {
    guard !isVerbatim else { return [] }
    var bytes = Self.magic
    func put(_ number: Int64) {
      var rest = UInt64(bitPattern: number)
      while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
      }
      bytes.append(UInt8(rest))
    }
    put(Int64(runs.count))
    var end: Int64 = 0
    for run in runs {
      put(run.archive - end)
      put(run.length)
      end = run.end
    }
    return bytes
  }

  /// Takes what `encoded` gave from the front of `bytes`.
  /// - Returns: `verbatim` if there is no layout in front.
  /// - Throws: `SeekError.malformedIndex`.
  public init(decoding bytes: inout ArraySlice<UInt8>) throws(SeekError) {
    guard bytes.starts(with: Self.magic) else {
      self = .verbatim
      return
    }
    var rest = bytes.dropFirst(Self.magic.count)
    func number() throws(SeekError) -> Int64 {
      var value: UInt64 = 0
      for shift in stride(from: UInt64(0), through: 56, by: 7) {
        guard let byte = rest.popFirst() else { break }
        value |= UInt64(byte & 0x7F) << shift
        if byte & 0x80 == 0, value < 1 << 61 { return Int64(value) }
      }
      throw SeekError(reason: .malformedIndex)
    }
    self = .aligned
    // Two bytes a content at least.
    let count = try number()
    guard count <= rest.count / 2 else { throw SeekError(reason: .malformedIndex) }
    for _ in 0..<count {
      let (gap, length) = (try number(), try number())
      guard place(contentEnd + gap, length: length) != nil else { throw SeekError(reason: .malformedIndex) }
    }
    bytes = rest
  }
}
