import JSONDocument
import OCI

/// Writes compressed segments in order, notes where each lies, and ends the blob with table of contents and footer.
struct ConvertedLayerWriter {
  private let format: LayerFormat
  private let items: [MemberOrder.Item]
  /// What is known of each item's chunks.
  private var chunks: [[(offset: Int64, end: Int64, chunk: Segment.Chunk, digest: SHA256Bytes)]]
  private var fileHash: DigestHasher?
  private var fileDigests: [Int: Digest] = [:]
  /// Of the new uncompressed archive.
  private(set) var archiveHash = DigestHasher()
  private(set) var contentBytes: Int64 = 0
  private(set) var annotations: [String: String] = [:]

  init(format: LayerFormat, items: [MemberOrder.Item]) {
    self.format = format
    self.items = items
    chunks = .init(repeating: [], count: items.count)
  }

  mutating func take(_ segment: Segment, _ result: CompressedSegment, to blob: inout DigestSink<some ByteSink>) throws {
    let offset = blob.hasher.size
    try blob.write(result.compressed[...])
    archiveHash.update(result.uncompressed[...])
    guard let chunk = segment.chunk, let digest = result.chunkDigest else { return }
    chunks[chunk.item].append((offset, blob.hasher.size, chunk, digest))
    contentBytes += chunk.length
    let size = items[chunk.item].entry.size
    if chunk.length == size {
      fileDigests[chunk.item] = digest.digest
      return
    }
    if chunk.offset == 0 { fileHash = DigestHasher() }
    fileHash?.update(result.uncompressed[..<Int(chunk.length)])
    if chunk.offset + chunk.length == size { fileDigests[chunk.item] = fileHash?.digest }
  }

  mutating func finish(level: Int32, to blob: inout DigestSink<some ByteSink>) throws {
    let compressor = try SegmentCompressor(format, level: format == .estargz ? 9 : level)
    let toc = try tableOfContents()
    annotations[TOCAnnotation.tocDigest] = Digest(of: toc).description
    switch format {
    case .estargz:
      let offset = blob.hasher.size
      var tail = TarWriter([UInt8]())
      try tail.append(TarEntry(LazyLayer.tocName, .file(size: Int64(toc.count))), content: toc)
      try tail.finish()
      archiveHash.update(tail.sink[...])
      try blob.write(try compressor.compress(tail.sink)[...])
      try blob.write(Self.estargzFooter(offset)[...])
    case .zstdChunked:
      let end = [UInt8](repeating: 0, count: 1024)
      archiveHash.update(end[...])
      try blob.write(try compressor.compress(end)[...])
      let packed = try compressor.compress(toc)
      let offset = blob.hasher.size + 8
      try blob.write(Self.skippableFrame(packed)[...])
      try blob.write(Self.skippableFrame(Self.zstdChunkedFooter(offset, packed.count, toc.count))[...])
      // Each reader asks for the names of its own dialect.
      for key in TOCAnnotation.manifestChecksum { annotations[key] = Digest(of: packed).description }
      for key in TOCAnnotation.manifestPosition { annotations[key] = "\(offset):\(packed.count):\(toc.count):1" }
    }
    annotations[TOCAnnotation.uncompressedSize] = String(archiveHash.size)
  }

  // MARK: Table of contents

  private func tableOfContents() throws -> [UInt8] {
    var json = Array(#"{"entries":["#.utf8)
    for (index, item) in items.enumerated() {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      json += try row(index, item.entry).encoded()
      for part in chunks[index].dropFirst() {
        json.append(UInt8(ascii: ","))
        var row: JSONValue = ["type": "chunk", "name": .string(try name(item.entry)), "offset": .integer(part.offset)]
        describe(part.chunk, part.digest, in: &row)
        json += row.encoded()
      }
    }
    return json + Array(#"],"version":1}"#.utf8)
  }

  private func row(_ index: Int, _ entry: LayerEntry) throws -> JSONValue {
    let attributes = entry.attributes
    var row: JSONValue = ["name": .string(try name(entry)), "type": .string(Self.type(entry.kind))]
    func set(_ key: String, _ number: Int64) { if number != 0 { row[key] = .integer(number) } }
    set("mode", Int64(attributes.mode))
    set("uid", Int64(attributes.uid))
    set("gid", Int64(attributes.gid))
    set("size", entry.size)
    row["modtime"] = .string(RFC3339.text(attributes.modificationTime))
    switch entry.kind {
    case .symbolicLink(let target), .hardLink(let target): row["linkName"] = .string(try text(target, of: entry))
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      set("devMajor", Int64(major))
      set("devMinor", Int64(minor))
    default: break
    }
    for (key, value) in attributes.extendedAttributes { row["xattrs"][key] = .string(Base64.encode(value)) }
    if let digest = fileDigests[index] { row["digest"] = .string(digest.description) }
    if let first = chunks[index].first, let last = chunks[index].last {
      row["offset"] = .integer(first.offset)
      if format == .zstdChunked { row["endOffset"] = .integer(last.end) }
      if chunks[index].count > 1 {
        describe(first.chunk, first.digest, in: &row)
      } else if format == .estargz {
        row["chunkDigest"] = row["digest"]
      }
    }
    return row
  }

  private func describe(_ chunk: Segment.Chunk, _ digest: SHA256Bytes, in row: inout JSONValue) {
    if chunk.offset > 0 { row["chunkOffset"] = .integer(chunk.offset) }
    row["chunkSize"] = .integer(chunk.length)
    row["chunkDigest"] = .string(digest.digest?.description ?? "")
  }

  private func name(_ entry: LayerEntry) throws -> String {
    let name = entry.path.isEmpty ? "./" : try text(entry.path, of: entry)
    return entry.kind == .directory && !entry.path.isEmpty ? name + "/" : name
  }

  private func text(_ bytes: [UInt8], of entry: LayerEntry) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw LayerTOCError(
        .badEntry("a table of contents cannot hold names that are not UTF-8"),
        path: String(decoding: entry.path, as: UTF8.self))
    }
    return text
  }

  private static func type(_ kind: LayerEntry.Kind) -> String {
    switch kind {
    case .file: "reg"
    case .directory: "dir"
    case .symbolicLink: "symlink"
    case .hardLink: "hardlink"
    case .characterDevice: "char"
    case .blockDevice: "block"
    case .fifo: "fifo"
    }
  }

  // MARK: Footers

  /// An empty gzip member whose extra field holds the table's offset (eStargz specification, "Footer").
  private static func estargzFooter(_ offset: Int64) -> [UInt8] {
    let digits = String(offset, radix: 16)
    let text = String(repeating: "0", count: 16 - digits.count) + digits + "STARGZ"
    return [0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 0xFF, 26, 0, 0x53, 0x47, 22, 0] + Array(text.utf8)
      + [1, 0, 0, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 8)
  }

  private static func zstdChunkedFooter(_ offset: Int64, _ packed: Int, _ unpacked: Int) -> [UInt8] {
    [offset, Int64(packed), Int64(unpacked), 1].flatMap { number in
      (0..<8).map { UInt8(truncatingIfNeeded: number >> Int64(8 * $0)) }
    } + Array("GnUlInUx".utf8)
  }

  /// RFC 8878, section 3.1.2.
  private static func skippableFrame(_ bytes: [UInt8]) -> [UInt8] {
    [0x50, 0x2A, 0x4D, 0x18] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes
  }
}
