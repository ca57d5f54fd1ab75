/// Reads tar archives from a source member by member, in bounded memory; see `TarScanner`.
public struct TarReader<Source: ByteSource> {
  private var source: Source
  private var scanner: TarScanner
  /// Read but not used yet.
  private var buffer: ArraySlice<UInt8> = []
  /// Content of the current member that did not fit the caller's last read.
  private var content: ArraySlice<UInt8> = []
  private var contentLeft: Int64 = 0
  private var current = ""

  public init(_ source: Source, limits: TarLimits = TarLimits()) {
    self.source = source
    scanner = TarScanner(limits: limits)
  }

  /// The next member; what is left of the last one's content is skipped. `nil` at the end.
  /// - Throws: `TarError`, or what the source throws.
  public mutating func next() throws -> TarEntry? {
    (content, contentLeft) = ([], 0)
    while let event = try nextEvent() {
      switch event {
      case .member(let member, _):
        let entry = try TarEntry(member)
        current = entry.path
        contentLeft = entry.size
        return entry
      case .content: continue
      case .end: return nil
      }
    }
    return nil
  }

  /// The next piece of the current member's content; empty at its end.
  public mutating func readContent(upTo count: Int = 64 << 10) throws -> ArraySlice<UInt8> {
    guard contentLeft > 0 else { return [] }
    if content.isEmpty, case .content(let piece)? = try nextEvent() { content = piece }
    let piece = content.prefix(max(1, count))
    content = content.dropFirst(piece.count)
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

  /// `nil` only after the end of the archive.
  private mutating func nextEvent() throws -> TarScanner.Event? {
    while !scanner.isAtEnd {
      if let event = try scanner.next(from: &buffer) { return event }
      if scanner.isAtEnd { break }
      buffer = try source.read(upTo: 64 << 10)
      if buffer.isEmpty {
        try scanner.finish()
        break
      }
    }
    return nil
  }
}
