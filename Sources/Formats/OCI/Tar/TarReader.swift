/// What a reader takes from an archive before it refuses.
public struct TarLimits: Sendable, Hashable {
  public var entries: Int
  /// Content of all members together, in bytes.
  public var totalBytes: Int64
  /// One extended header (names, attributes), in bytes.
  public var extendedHeaderBytes: Int

  public init(entries: Int = 2_000_000, totalBytes: Int64 = 1 << 40, extendedHeaderBytes: Int = 1 << 20) {
    self.entries = entries
    self.totalBytes = totalBytes
    self.extendedHeaderBytes = extendedHeaderBytes
  }
}

/// Reads tar archives (ustar, pax, GNU long names, base-256 numbers) member by member, in bounded memory.
///
/// Names that are absolute, lead out of the archive, or are empty are refused; nothing is ever written anywhere.
public struct TarReader<Source: ByteSource> {
  private var source: Source
  private let limits: TarLimits
  /// Read but not used yet.
  private var buffer: ArraySlice<UInt8> = []
  /// Content and padding of the current member that were not read yet.
  private var contentLeft: Int64 = 0
  private var paddingLeft = 0
  private var entries = 0
  private var total: Int64 = 0
  private var isAtEnd = false
  private var globalRecords: [String: [UInt8]] = [:]
  private var current = ""

  public init(_ source: Source, limits: TarLimits = TarLimits()) {
    self.source = source
    self.limits = limits
  }

  /// The next member; what is left of the last one's content is skipped. `nil` at the end.
  public mutating func next() throws -> TarEntry? {
    try skipContent()
    var records = globalRecords
    while !isAtEnd {
      let header = try readBlock()
      guard let header else { throw TarError(entries == 0 ? .notATar : .truncated, path: current) }
      if header.allSatisfy({ $0 == 0 }) {
        isAtEnd = true
        break
      }
      entries += 1
      guard entries <= limits.entries else { throw TarError(.tooManyEntries(limit: limits.entries)) }
      let raw = try RawTarHeader(header, isFirst: entries == 1)
      switch raw.type {
      case UInt8(ascii: "x"): try PaxRecords.read(try readExtended(raw.size), into: &records)
      case UInt8(ascii: "g"):
        try PaxRecords.read(try readExtended(raw.size), into: &globalRecords)
        guard globalRecords.count <= 1000 else { throw TarError(.badExtendedHeader) }
        records.merge(globalRecords) { mine, _ in mine }
      case UInt8(ascii: "L"): records["path"] = try readExtended(raw.size).prefixToZero
      case UInt8(ascii: "K"): records["linkpath"] = try readExtended(raw.size).prefixToZero
      default: return try entry(raw, records)
      }
    }
    return nil
  }

  /// The next piece of the current member's content; empty at its end.
  public mutating func readContent(upTo count: Int = 64 << 10) throws -> ArraySlice<UInt8> {
    guard contentLeft > 0 else { return [] }
    let piece = try pull(Int(min(Int64(max(1, count)), contentLeft)))
    guard !piece.isEmpty else { throw TarError(.truncated, path: current) }
    contentLeft -= Int64(piece.count)
    return piece
  }

  /// All that is left of the current member's content.
  /// - Throws: `TarError.tooLarge` if it is more than `limit` bytes.
  public mutating func readAll(limit: Int) throws -> [UInt8] {
    guard contentLeft <= Int64(limit) else { throw TarError(.tooLarge(limitBytes: Int64(limit)), path: current) }
    var all: [UInt8] = []
    while contentLeft > 0 { all += try readContent() }
    return all
  }

  private mutating func entry(_ raw: RawTarHeader, _ records: [String: [UInt8]]) throws -> TarEntry {
    let size = try PaxRecords.number(records["size"]) ?? raw.size
    var path = PaxRecords.text(records["path"]) ?? raw.path
    let link = PaxRecords.text(records["linkpath"]) ?? raw.link
    let wasDirectoryName = path.hasSuffix("/")
    path = Self.plainForm(path)
    current = path
    if let fault = TarEntry.fault(inPath: path) { throw TarError(.hostileName(fault), path: path) }
    let kind: TarEntry.Kind
    switch raw.type {
    case UInt8(ascii: "0"), 0, UInt8(ascii: "7"): kind = wasDirectoryName ? .directory : .file(size: size)
    case UInt8(ascii: "1"):
      let target = Self.plainForm(link)
      if let fault = TarEntry.fault(inPath: target) { throw TarError(.hostileLink(fault), path: path) }
      kind = .hardLink(target: target)
    case UInt8(ascii: "2"): kind = .symbolicLink(target: link)
    case UInt8(ascii: "3"): kind = .characterDevice(major: raw.major, minor: raw.minor)
    case UInt8(ascii: "4"): kind = .blockDevice(major: raw.major, minor: raw.minor)
    case UInt8(ascii: "5"): kind = .directory
    case UInt8(ascii: "6"): kind = .fifo
    default: throw TarError(.unsupported(type: raw.type), path: path)
    }
    if case .file = kind {
      total += size
      guard size >= 0, total <= limits.totalBytes else {
        throw TarError(.tooLarge(limitBytes: limits.totalBytes), path: path)
      }
      contentLeft = size
      paddingLeft = Int((512 - size % 512) % 512)
    }
    var attributes: [String: [UInt8]] = [:]
    for (key, value) in records where key.hasPrefix("SCHILY.xattr.") { attributes[String(key.dropFirst(13))] = value }
    return TarEntry(
      path, kind, mode: raw.mode & 0o7777, uid: try Self.id(records["uid"], raw.uid, "uid", path),
      gid: try Self.id(records["gid"], raw.gid, "gid", path),
      modificationTime: try PaxRecords.number(records["mtime"]) ?? raw.time, extendedAttributes: attributes)
  }

  private static func id(_ record: [UInt8]?, _ header: Int64, _ field: String, _ path: String) throws -> UInt32 {
    guard let id = UInt32(exactly: try PaxRecords.number(record) ?? header) else {
      throw TarError(.badNumber(field: field), path: path)
    }
    return id
  }

  /// Without `./` in front and `/` at the end, which tar programs add; anything else stays to be judged.
  private static func plainForm(_ path: String) -> String {
    var rest = path[...]
    while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
    while rest.count > 1, rest.hasSuffix("/") { rest = rest.dropLast() }
    return rest.isEmpty && !path.isEmpty ? "." : String(rest)
  }

  private mutating func skipContent() throws {
    while contentLeft > 0 { _ = try readContent() }
    while paddingLeft > 0 {
      let piece = try pull(paddingLeft)
      guard !piece.isEmpty else { throw TarError(.truncated, path: current) }
      paddingLeft -= piece.count
    }
  }

  private mutating func readExtended(_ size: Int64) throws -> [UInt8] {
    guard (0...Int64(limits.extendedHeaderBytes)).contains(size) else {
      throw TarError(.headerTooLarge(limitBytes: limits.extendedHeaderBytes))
    }
    contentLeft = size
    paddingLeft = TarHeader.padding(Int(size))
    let bytes = try readAll(limit: limits.extendedHeaderBytes)
    try skipContent()
    return bytes
  }

  /// A whole block, or `nil` if the source is at its end.
  private mutating func readBlock() throws -> [UInt8]? {
    var block: [UInt8] = []
    while block.count < TarHeader.block {
      let piece = try pull(TarHeader.block - block.count)
      if piece.isEmpty {
        guard block.isEmpty else { throw TarError(entries == 0 ? .notATar : .truncated, path: current) }
        return nil
      }
      block += piece
    }
    return block
  }

  private mutating func pull(_ count: Int) throws -> ArraySlice<UInt8> {
    if buffer.isEmpty { buffer = try source.read(upTo: 64 << 10) }
    defer { buffer = buffer.dropFirst(count) }
    return buffer.prefix(count)
  }
}
