/// A tar archive's members and where they lie, for archives that can be read at any place: content is passed over.
public struct TarMap: Sendable {
  public struct Member: Sendable, Hashable {
    public let entry: LayerEntry
    /// Its header, with the extended headers in front of it.
    public let header: Range<Int64>
    public let content: Range<Int64>
  }

  public let members: [Member]

  /// - Throws: `TarError`, or what reading throws.
  public init(_ archive: some RandomAccessBytes, limits: TarLimits = TarLimits()) throws {
    var scanner = TarScanner(limits: limits)
    var members: [Member] = []
    var start: Int64 = 0
    var buffer: ArraySlice<UInt8> = []
    while !scanner.isAtEnd {
      if let event = try scanner.next(from: &buffer) {
        guard case .member(let entry, let offset) = event else { continue }
        let end = offset + entry.size
        guard end <= archive.size else {
          throw TarError(.truncated, path: String(decoding: entry.path, as: UTF8.self))
        }
        members.append(Member(entry: entry, header: start..<offset, content: offset..<end))
        // What was read ahead is used up first; a file that it holds whole costs no further read.
        let skipped = scanner.skipContent()
        start = offset + skipped
        buffer = buffer.dropFirst(Int(min(skipped, Int64(buffer.count))))
        continue
      }
      let position = scanner.offset
      guard position < archive.size else { break }
      buffer = try archive.read(position..<min(archive.size, position + 32 << 10))[...]
    }
    try scanner.finish()
    self.members = members
  }
}
