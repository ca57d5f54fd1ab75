/// What a reader takes from an archive before it refuses.
public struct TarLimits: Sendable, Hashable {
  public var entries: Int
  /// Content of all members together, in bytes.
  public var totalBytes: Int64
  /// One extended header (names, attributes), in bytes.
  public var extendedHeaderBytes: Int
  /// All extended headers together, in bytes.
  public var allExtendedHeaderBytes: Int64

  public init(
    entries: Int = 2_000_000, totalBytes: Int64 = 1 << 40, extendedHeaderBytes: Int = 1 << 20,
    allExtendedHeaderBytes: Int64 = 1 << 29
  ) {
    self.entries = entries
    self.totalBytes = totalBytes
    self.extendedHeaderBytes = extendedHeaderBytes
    self.allExtendedHeaderBytes = allExtendedHeaderBytes
  }
}

/// Takes tar archives apart (ustar, pax, GNU long names, base-256 numbers) while their bytes come in, in pieces of any
/// size and in bounded memory.
///
/// Names are taken as containerd cleans them; those that lead out of the archive are refused, and nothing is ever written
/// anywhere. Global pax headers are passed over, as container runtimes do.
public struct TarScanner: Sendable {
  public enum Event: Sendable, Hashable {
    /// The next member; the content of a file follows.
    /// - Parameter contentOffset: where the content begins, in bytes from the start of the archive.
    case member(LayerEntry, contentOffset: Int64)
    /// A piece of the current member's content.
    case content(ArraySlice<UInt8>)
    /// The end of the archive; whatever follows is padding.
    case end
  }

  private enum State: Sendable {
    case header
    /// Collecting the body of an extended header of this type.
    case extended(UInt8)
    case content
    case end
  }

  private let limits: TarLimits
  private var state = State.header
  /// Of a header or an extended header's body that is not complete yet.
  private var collected: [UInt8] = []
  private var wanted = TarHeader.block
  private var contentLeft: Int64 = 0
  /// Up to the next block, after content and extended headers.
  private var paddingLeft = 0
  private var paddingAfterContent = 0
  private var records = PaxRecords()
  /// Whether extended headers of the next member came.
  private var isExtended = false
  private var entries = 0
  private var total: Int64 = 0
  private var extendedTotal: Int64 = 0
  private var current: [UInt8] = []
  /// Bytes taken so far.
  public private(set) var offset: Int64 = 0

  public init(limits: TarLimits = TarLimits()) { self.limits = limits }

  public var isAtEnd: Bool {
    if case .end = state { return true }
    return false
  }

  /// Takes bytes from the front of `input` up to the next event; `nil` if all are used and more are needed.
  public mutating func next(from input: inout ArraySlice<UInt8>) throws(TarError) -> Event? {
    while true {
      if paddingLeft > 0 {
        paddingLeft -= take(min(paddingLeft, input.count), from: &input).count
        if paddingLeft > 0 { return nil }
      }
      switch state {
      case .end:
        _ = take(input.count, from: &input)
        return nil
      case .content:
        guard contentLeft > 0 else {
          paddingLeft = paddingAfterContent
          state = .header
          continue
        }
        guard !input.isEmpty else { return nil }
        let piece = take(Int(min(contentLeft, Int64(input.count))), from: &input)
        contentLeft -= Int64(piece.count)
        return .content(piece)
      case .header, .extended:
        guard let bytes = collect(from: &input) else { return nil }
        if case .extended(let type) = state {
          try takeExtended(type, bytes)
        } else if let event = try takeHeader(bytes) {
          return event
        }
      }
    }
  }

  /// Checks that the archive did not end too early: the blocks that mark its end, and the padding of its last member, may be
  /// missing (Go's archive/tar takes it so, too).
  public func finish() throws(TarError) {
    var isBetweenMembers = false
    switch state {
    case .header: isBetweenMembers = collected.isEmpty && !isExtended
    case .content: isBetweenMembers = contentLeft == 0
    case .extended, .end: break
    }
    guard isAtEnd || isBetweenMembers else {
      throw TarError(entries == 0 ? .notATar : .truncated, path: entries == 0 ? "" : TarError.text(current))
    }
  }

  /// Passes over content without seeing it, for archives that can be read at any place.
  /// - Returns: how many bytes of content and padding were passed over.
  public mutating func skipContent() -> Int64 {
    guard case .content = state else { return 0 }
    let skipped = contentLeft + Int64(paddingAfterContent)
    offset += skipped
    contentLeft = 0
    state = .header
    return skipped
  }

  private mutating func take(_ count: Int, from input: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let piece = input.prefix(count)
    input = input.dropFirst(count)
    offset += Int64(count)
    return piece
  }

  /// The next `wanted` bytes, without a copy where one piece holds them all.
  private mutating func collect(from input: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    if collected.isEmpty, input.count >= wanted { return take(wanted, from: &input) }
    collected += take(min(wanted - collected.count, input.count), from: &input)
    guard collected.count == wanted else { return nil }
    defer { collected = [] }
    return collected[...]
  }

  private mutating func takeHeader(_ block: ArraySlice<UInt8>) throws(TarError) -> Event? {
    if block.allSatisfy({ $0 == 0 }) {
      state = .end
      return .end
    }
    entries += 1
    guard entries <= limits.entries else { throw TarError(.tooManyEntries(limit: limits.entries)) }
    let raw = try RawTarHeader(block, isFirst: entries == 1)
    switch raw.type {
    case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
      extendedTotal += raw.size
      guard raw.size <= Int64(limits.extendedHeaderBytes), extendedTotal <= limits.allExtendedHeaderBytes else {
        throw TarError(.headerTooLarge(limitBytes: limits.extendedHeaderBytes))
      }
      if raw.size > 0 {
        state = .extended(raw.type)
        wanted = Int(raw.size)
      }
      return nil
    default:
      defer { (records, isExtended) = (PaxRecords(), false) }
      return try member(raw)
    }
  }

  private mutating func takeExtended(_ type: UInt8, _ bytes: ArraySlice<UInt8>) throws(TarError) {
    switch type {
    case UInt8(ascii: "x"): try records.read(bytes)
    case UInt8(ascii: "L"): records.set("path", Array(bytes.prefix { $0 != 0 }))
    case UInt8(ascii: "K"): records.set("linkpath", Array(bytes.prefix { $0 != 0 }))
    default: break
    }
    isExtended = isExtended || type != UInt8(ascii: "g")
    paddingLeft = TarHeader.padding(bytes.count)
    state = .header
    wanted = TarHeader.block
  }

  private mutating func member(_ raw: RawTarHeader) throws(TarError) -> Event {
    let size = try records.number("size") ?? raw.size
    let name = records["path"] ?? raw.path
    let link = records["linkpath"] ?? raw.link
    current = name
    let path = try Self.plain(name, of: name) {
      $0 == .leadsOut ? .hostileName($0.description) : .badName($0.description)
    }
    let kind: LayerEntry.Kind
    switch raw.type {
    case UInt8(ascii: "0"), 0, UInt8(ascii: "7"):
      kind = name.last == LayerPath.slash ? .directory : .file(size: size)
    case UInt8(ascii: "1"):
      kind = .hardLink(
        target: try Self.plain(link, of: name) {
          $0 == .leadsOut ? .hostileLink($0.description) : .badName($0.description)
        })
    case UInt8(ascii: "2"):
      guard !link.isEmpty, link.count < LayerPath.limit, !link.contains(0) else {
        throw TarError(.badLinkTarget, path: TarError.text(name))
      }
      kind = .symbolicLink(target: link)
    case UInt8(ascii: "3"): kind = .characterDevice(major: raw.major, minor: raw.minor)
    case UInt8(ascii: "4"): kind = .blockDevice(major: raw.major, minor: raw.minor)
    case UInt8(ascii: "5"): kind = .directory
    case UInt8(ascii: "6"): kind = .fifo
    default: throw TarError(.unsupported(type: raw.type), path: TarError.text(name))
    }
    if case .file = kind {
      guard size >= 0, size <= limits.totalBytes, total <= limits.totalBytes - size else {
        throw TarError(.tooLarge(limitBytes: limits.totalBytes), path: TarError.text(name))
      }
      total += size
      contentLeft = size
      paddingAfterContent = TarHeader.padding(Int(size % 512))
      state = .content
    }
    let attributes = FileAttributes(
      mode: UInt16(raw.mode & 0o7777), uid: try id("uid", raw.uid), gid: try id("gid", raw.gid),
      modificationTime: try records.time("mtime") ?? FileTime(seconds: raw.time),
      extendedAttributes: records.isEmpty ? [:] : records.extendedAttributes)
    return .member(LayerEntry(path: path, kind: kind, attributes: attributes), contentOffset: offset)
  }

  private func id(_ field: String, _ header: Int64) throws(TarError) -> UInt32 {
    guard let id = UInt32(exactly: try records.number(field) ?? header) else {
      throw TarError(.badNumber(field: field), path: TarError.text(current))
    }
    return id
  }

  private static func plain(_ path: [UInt8], of name: [UInt8], _ reason: (LayerPath.Fault) -> TarError.Reason)
    throws(TarError) -> [UInt8]
  {
    do throws(LayerPath.Fault) { return try LayerPath.plain(path) } catch {
      throw TarError(reason(error), path: TarError.text(name.prefix(LayerPath.limit)))
    }
  }
}
