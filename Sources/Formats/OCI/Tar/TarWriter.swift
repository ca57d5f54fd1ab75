/// Writes a POSIX tar archive: ustar headers (IEEE 1003.1, pax "ustar Interchange Format"), with a pax extended header
/// before members that do not fit (long names, names that are not ASCII, large numbers, extended attributes).
///
/// The same members give the same bytes: no clock, no user names, extended records in order.
public struct TarWriter<Sink: ByteSink> {
  public private(set) var sink: Sink
  private var openEntry: (path: String, announced: Int64, written: Int64)?

  public init(_ sink: Sink) { self.sink = sink }

  /// Writes a member with its whole content.
  public mutating func append(_ entry: TarEntry, content: [UInt8] = []) throws {
    try begin(entry)
    try write(content[...])
    try endEntry()
  }

  /// Begins a member; its content follows by `write`, then `endEntry`.
  public mutating func begin(_ entry: TarEntry) throws {
    precondition(openEntry == nil, "the last member was not ended")
    if let fault = TarEntry.fault(inPath: entry.path) { throw TarError(.hostileName(fault), path: entry.path) }
    try sink.write(try TarHeader.encode(entry)[...])
    openEntry = (entry.path, entry.size, 0)
  }

  /// Writes content of the member that is open.
  public mutating func write(_ bytes: ArraySlice<UInt8>) throws {
    guard var entry = openEntry else { preconditionFailure("no member is open") }
    entry.written += Int64(bytes.count)
    openEntry = entry
    guard entry.written <= entry.announced else { throw mismatch(entry) }
    try sink.write(bytes)
  }

  /// Ends the open member with padding to the next block.
  public mutating func endEntry() throws {
    guard let entry = openEntry else { preconditionFailure("no member is open") }
    guard entry.written == entry.announced else { throw mismatch(entry) }
    let rest = Int(entry.written % 512)
    if rest > 0 { try sink.write([UInt8](repeating: 0, count: 512 - rest)[...]) }
    openEntry = nil
  }

  /// Ends the archive: two blocks of zeros.
  public mutating func finish() throws { try sink.write([UInt8](repeating: 0, count: 1024)[...]) }

  /// Changes the sink itself, between members (to finish a compressor, for instance).
  public mutating func withSink<Result>(_ body: (inout Sink) throws -> Result) rethrows -> Result { try body(&sink) }

  private func mismatch(_ entry: (path: String, announced: Int64, written: Int64)) -> TarError {
    TarError(.sizeMismatch(announced: entry.announced, written: entry.written), path: entry.path)
  }
}

/// The bytes of headers.
package enum TarHeader {
  static let block = 512

  /// The member's header, preceded by a pax extended header if it needs one.
  package static func encode(_ entry: TarEntry) throws(TarError) -> [UInt8] {
    var records: [(key: String, value: [UInt8])] = []
    let isDirectory = entry.kind == .directory
    let path = isDirectory ? entry.path + "/" : entry.path
    if path.utf8.count > 100 || !isPlain(path) { records.append(("path", Array(path.utf8))) }
    let link = target(entry.kind)
    if link.utf8.count > 100 || !isPlain(link) { records.append(("linkpath", Array(link.utf8))) }
    if entry.size > octalLimit(12) { records.append(("size", Array(String(entry.size).utf8))) }
    if Int64(entry.uid) > octalLimit(8) { records.append(("uid", Array(String(entry.uid).utf8))) }
    if Int64(entry.gid) > octalLimit(8) { records.append(("gid", Array(String(entry.gid).utf8))) }
    if !(0...octalLimit(12)).contains(entry.modificationTime) {
      records.append(("mtime", Array(String(entry.modificationTime).utf8)))
    }
    for (name, value) in entry.extendedAttributes {
      guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")), !name.utf8.contains(0) else {
        throw TarError(.valueTooLarge(field: "the extended attribute \(name)"), path: entry.path)
      }
      records.append(("SCHILY.xattr." + name, value))
    }

    var bytes: [UInt8] = []
    if !records.isEmpty {
      var body: [UInt8] = []
      for record in records.sorted(by: { $0.key < $1.key }) { body += paxRecord(record.key, record.value) }
      // The extended header's own name is for old readers only.
      bytes += ustar(
        name: Array("PaxHeader".utf8), link: [], type: UInt8(ascii: "x"), mode: 0o644, uid: 0, gid: 0,
        size: Int64(body.count), time: 0, device: (0, 0))
      bytes += body
      bytes += [UInt8](repeating: 0, count: padding(body.count))
    }
    let (type, device) = try typeAndDevice(entry)
    bytes += ustar(
      name: Array(path.utf8.prefix(100)), link: Array(link.utf8.prefix(100)), type: type,
      mode: entry.mode & 0o7777, uid: Int64(entry.uid), gid: Int64(entry.gid), size: entry.size,
      time: entry.modificationTime, device: device)
    return bytes
  }

  static func padding(_ count: Int) -> Int { (block - count % block) % block }

  /// The largest number that fits an octal field of `width` bytes with its terminator.
  static func octalLimit(_ width: Int) -> Int64 { (1 << (3 * (width - 1))) - 1 }

  private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

  private static func target(_ kind: TarEntry.Kind) -> String {
    switch kind {
    case .symbolicLink(let target), .hardLink(let target): target
    default: ""
    }
  }

  private static func typeAndDevice(_ entry: TarEntry) throws(TarError) -> (UInt8, (UInt32, UInt32)) {
    switch entry.kind {
    case .file: return (UInt8(ascii: "0"), (0, 0))
    case .hardLink: return (UInt8(ascii: "1"), (0, 0))
    case .symbolicLink: return (UInt8(ascii: "2"), (0, 0))
    case .directory: return (UInt8(ascii: "5"), (0, 0))
    case .fifo: return (UInt8(ascii: "6"), (0, 0))
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      guard Int64(max(major, minor)) <= octalLimit(8) else {
        throw TarError(.valueTooLarge(field: "the device number"), path: entry.path)
      }
      if case .blockDevice = entry.kind { return (UInt8(ascii: "4"), (major, minor)) }
      return (UInt8(ascii: "3"), (major, minor))
    }
  }

  /// `LENGTH KEY=VALUE\n`, where the length counts itself.
  private static func paxRecord(_ key: String, _ value: [UInt8]) -> [UInt8] {
    let rest = key.utf8.count + value.count + 3
    var length = rest + 1
    while String(length).utf8.count + rest != length { length = String(length).utf8.count + rest }
    return Array("\(length) \(key)=".utf8) + value + [UInt8(ascii: "\n")]
  }

  private static func ustar(
    name: [UInt8], link: [UInt8], type: UInt8, mode: UInt32, uid: Int64, gid: Int64, size: Int64, time: Int64,
    device: (UInt32, UInt32)
  ) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: block)
    func put(_ bytes: some Collection<UInt8>, at offset: Int) {
      header.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
    // A number that does not fit stands in the extended header; its field is zero here.
    func putOctal(_ value: Int64, at offset: Int, width: Int) {
      let digits = String((0...octalLimit(width)).contains(value) ? value : 0, radix: 8)
      put(Array((String(repeating: "0", count: width - 1 - digits.count) + digits).utf8), at: offset)
    }
    put(name, at: 0)
    putOctal(Int64(mode), at: 100, width: 8)
    putOctal(uid, at: 108, width: 8)
    putOctal(gid, at: 116, width: 8)
    putOctal(size, at: 124, width: 12)
    putOctal(time, at: 136, width: 12)
    header[156] = type
    put(link, at: 157)
    put(Array("ustar\u{0}00".utf8), at: 257)
    putOctal(Int64(device.0), at: 329, width: 8)
    putOctal(Int64(device.1), at: 337, width: 8)
    let sum = String(checksum(header[...]), radix: 8)
    put(Array((String(repeating: "0", count: 6 - sum.count) + sum + "\u{0} ").utf8), at: 148)
    return header
  }

  /// The sum of all bytes, the checksum's own field taken as spaces.
  static func checksum(_ header: ArraySlice<UInt8>) -> Int {
    var sum = 0
    for (offset, byte) in header.enumerated() { sum += (148..<156).contains(offset) ? 32 : Int(byte) }
    return sum
  }
}
