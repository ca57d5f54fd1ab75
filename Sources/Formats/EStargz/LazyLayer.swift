import OCI

/// A layer that can be mounted before its content is there: its files, and where each piece of content comes from.
public struct LazyLayer: Sendable, Hashable {
  public let format: LayerFormat
  /// Content lies on one packed data device, in the order of the blob; see `PackedLayout`.
  public let tree: LayerTree
  public let chunks: ChunkTable
  /// Size of the data device in bytes.
  public let deviceBytes: Int64
  /// The part of the blob that whoever built the image wants to be fetched first; `nil` if nothing was said.
  public let prefetch: Range<Int64>?

  /// Content of these names tells where the prioritised files end; they are not part of the root file system.
  public static let prefetchLandmark = ".prefetch.landmark"
  public static let noPrefetchLandmark = ".no.prefetch.landmark"
  /// The last member of an eStargz layer's tar archive.
  public static let tocName = "stargz.index.json"

  /// Whether a member of a layer's archive is there for readers of its format, not for its root file system.
  /// - Parameter path: in the form of `LayerPath.plain`.
  public static func isMark(_ path: [UInt8], _ format: LayerFormat) -> Bool {
    [prefetchLandmark, noPrefetchLandmark].contains { path.elementsEqual($0.utf8) }
      || format == .estargz && path.elementsEqual(tocName.utf8)
  }

  /// Reads a table of contents.
  /// - Parameters:
  ///   - toc: the bytes of `location.range`; for an external table, the whole blob of the TOC image's layer.
  ///   - contentEnd: end of the blob's content: the size of the blob; where the table begins, if it lies in the blob.
  /// - Throws: `LayerTOCError` or `LayerError` if the table is not the one that the manifest names, or hostile.
  public init(toc: [UInt8], at location: TOCLocation, contentEnd: Int64, limits: LayerTOCLimits = LayerTOCLimits())
    throws
  {
    if let wanted = location.compressedDigest, wanted != Digest(of: toc) { throw LayerTOCError(.wrongDigest) }
    let json = try Self.uncompressed(toc, location, limits)
    if let wanted = location.tocDigest, wanted != Digest(of: json) { throw LayerTOCError(.wrongDigest) }
    var reader = TOCReader(limits: limits, contentEnd: min(contentEnd, location.range?.lowerBound ?? contentEnd))
    try reader.read(json)
    format = location.format
    tree = try reader.builder.finish()
    chunks = reader.table()
    deviceBytes = reader.layout.size
    prefetch = reader.prefetch
  }

  /// The JSON of a table of contents.
  private static func uncompressed(_ toc: [UInt8], _ location: TOCLocation, _ limits: LayerTOCLimits) throws -> [UInt8]
  {
    if let announced = location.uncompressedBytes, announced > limits.bytes {
      throw LayerTOCError(.tooLarge(limitBytes: limits.bytes))
    }
    do {
      switch location.format {
      case .zstdChunked:
        var source = try ZstdSource(MemorySource(toc))
        return try all(of: &source, limits)
      case .estargz:
        var reader = TarReader(
          try GunzipSource(MemorySource(toc)), limits: TarLimits(entries: 10, totalBytes: limits.bytes))
        guard let entry = try reader.next(), entry.path == tocName else {
          throw LayerTOCError(.malformed("it does not begin with \(tocName)"))
        }
        guard entry.size <= limits.bytes else { throw LayerTOCError(.tooLarge(limitBytes: limits.bytes)) }
        return try reader.readAll(limit: Int(limits.bytes))
      }
    } catch let error as LayerTOCError {
      throw error
    } catch let error as TarError {
      if case .tooLarge = error.reason { throw LayerTOCError(.tooLarge(limitBytes: limits.bytes)) }
      throw LayerTOCError(.malformed("\(error)"))
    } catch {
      throw LayerTOCError(.malformed("\(error)"))
    }
  }

  private static func all(of source: inout some ByteSource, _ limits: LayerTOCLimits) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while case let piece = try source.read(upTo: 1 << 20), !piece.isEmpty {
      guard Int64(bytes.count + piece.count) <= limits.bytes else {
        throw LayerTOCError(.tooLarge(limitBytes: limits.bytes))
      }
      bytes += piece
    }
    return bytes
  }
}

/// Turns entries into files and chunks.
private struct TOCReader {
  let limits: LayerTOCLimits
  let contentEnd: Int64
  var builder: LayerTreeBuilder
  var layout = PackedLayout()
  var prefetch: Range<Int64>?
  private var chunks: [Chunk] = []
  /// Where compressed streams begin.
  private var offsets: Set<Int64> = []
  /// The file whose chunks are being read.
  private var file: (entry: LayerEntry, first: TOCEntry, rest: [TOCEntry])?
  private var entries = 0
  private var contentBytes: Int64 = 0

  init(limits: LayerTOCLimits, contentEnd: Int64) {
    self.limits = limits
    self.contentEnd = contentEnd
    builder = LayerTreeBuilder(nodeLimit: limits.entries)
  }

  mutating func read(_ json: [UInt8]) throws {
    var elements = try TOCElements(json[...])
    while let bytes = try elements.next() {
      entries += 1
      guard entries <= limits.chunks else { throw LayerTOCError(.tooManyChunks(limit: limits.chunks)) }
      let entry = try TOCEntry(bytes)
      guard case .member(let member) = entry.kind else {
        guard file != nil else { throw LayerTOCError(.badEntry("a chunk without a file"), path: entry.name) }
        file?.rest.append(entry)
        continue
      }
      try finishFile()
      if case .file(let size) = member.kind {
        if let landmark = Self.landmark(member.path) {
          if entry.offset > 0 { offsets.insert(entry.offset) }
          if landmark, entry.offset > 0, entry.offset <= contentEnd { prefetch = 0..<entry.offset }
          continue
        }
        guard size > 0 else {
          try builder.add(member)
          continue
        }
        file = (member, entry, [])
      } else {
        try builder.add(member)
      }
    }
    try finishFile()
  }

  /// Whether a name is a landmark, and if so, whether something is to be prefetched.
  private static func landmark(_ path: [UInt8]) -> Bool? {
    if path.elementsEqual(LazyLayer.prefetchLandmark.utf8) { return true }
    return path.elementsEqual(LazyLayer.noPrefetchLandmark.utf8) ? false : nil
  }

  private mutating func finishFile() throws {
    guard let (entry, first, rest) = file else { return }
    file = nil
    func bad(_ what: String) -> LayerTOCError { LayerTOCError(.badEntry(what), path: String(first.name.prefix(300))) }
    contentBytes += entry.size
    guard contentBytes <= limits.contentBytes, let place = layout.place(entry.size) else {
      throw bad("the layer holds more than \(limits.contentBytes) bytes")
    }
    guard chunks.count + 1 + rest.count <= limits.chunks else {
      throw LayerTOCError(.tooManyChunks(limit: limits.chunks))
    }
    var end: Int64 = 0
    for (index, row) in ([first] + rest).enumerated() {
      let isLast = index == rest.count
      // Writers leave the size of a last chunk out.
      let length = row.chunkSize == 0 && isLast ? entry.size - row.chunkOffset : row.chunkSize
      guard row.chunkOffset == end, length > 0, length <= entry.size - end else {
        throw bad("its chunks overlap, leave gaps, or are not as long as the file")
      }
      end += length
      var chunk = Chunk(
        deviceOffset: place + row.chunkOffset, length: length, blobOffset: 0, blobLength: 0, digest: nil)
      if !row.isZeros {
        guard length <= limits.chunkBytes, row.innerOffset <= limits.chunkBytes - length else {
          throw bad("a chunk of more than \(limits.chunkBytes) bytes")
        }
        guard row.offset >= 0, row.offset < contentEnd else { throw bad("a chunk lies outside of the layer") }
        chunk.blobOffset = row.offset
        chunk.blobLength = 1  // until all beginnings are known
        chunk.innerOffset = row.innerOffset
        chunk.digest = row.chunkDigest ?? (rest.isEmpty ? first.digest : nil)
        offsets.insert(row.offset)
      }
      chunks.append(chunk)
    }
    guard end == entry.size else { throw bad("its chunks overlap, leave gaps, or are not as long as the file") }
    try builder.add(entry, extents: [DataExtent(length: entry.size, deviceOffset: place)])
  }

  /// All chunks; each stream is taken to reach to the beginning of the next.
  mutating func table() -> ChunkTable {
    let starts = offsets.sorted() + [contentEnd]
    var ends: [Int64: Int64] = [:]
    for (start, next) in zip(starts, starts.dropFirst()) { ends[start] = next }
    for index in chunks.indices where chunks[index].blobLength > 0 {
      chunks[index].blobLength = (ends[chunks[index].blobOffset] ?? contentEnd) - chunks[index].blobOffset
    }
    return ChunkTable(chunks)
  }
}
