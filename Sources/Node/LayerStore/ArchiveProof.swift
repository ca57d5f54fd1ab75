import EROFS
import EStargz
import LinuxSystem
import OCI

/// Reads a layer's blob from front to back and finds out what it is: the digest of the archive in it, and whether the
/// table of contents by which it is mounted shows that archive's files.
///
/// A table lists files in the order of the archive, so the archive's content is compared with the table's chunks in turn; the
/// file tree that the archive gives must be the mounted one. Used by one task at a time.
final class ArchiveProof {
  private let table: ChunkTable
  private let format: LayerFormat
  /// Told each chunk that was compared.
  private let take: (_ item: Int, ArraySlice<UInt8>) -> Void
  private let wants: (_ item: Int) -> Bool

  private var first: [UInt8] = []
  private var indexer: SeekIndexer?
  private var compressed = DigestHasher()
  private var scanner = TarScanner()
  private var builder = LayerTreeBuilder()
  private var fault: (any Error)?
  /// Why the mounted files are not the archive's; `nil` as long as they are.
  private(set) var difference: String?

  /// Bytes of the current file that belong to chunks.
  private var fileLeft: Int64 = 0
  private var next = 0
  private var chunk = DigestHasher()
  private var chunkBytes: [UInt8] = []
  private var isZeros = true

  /// - Parameters:
  ///   - wants: whether the bytes of a chunk are of use.
  ///   - take: gets them.
  init(
    _ table: ChunkTable, _ format: LayerFormat, wants: @escaping (Int) -> Bool = { _ in false },
    take: @escaping (Int, ArraySlice<UInt8>) -> Void = { _, _ in }
  ) {
    self.table = table
    self.format = format
    self.wants = wants
    self.take = take
  }

  /// Of the blob so far.
  var blobDigest: Digest { compressed.digest }

  /// Takes the next bytes of the blob.
  func consume(_ piece: ArraySlice<UInt8>) {
    compressed.update(piece)
    guard fault == nil else { return }
    do {
      var input = piece
      if indexer == nil {
        first += piece
        guard first.count >= 8 else { return }
        input = first[...]
        indexer = try SeekIndexer(LayerCompression(firstBytes: first.prefix(8)))
        first = []
      }
      try indexer?.consume(input) { compare($0) }
    } catch { fault = error }
  }

  /// - Parameters:
  ///   - metadata: the file system that is mounted.
  ///   - deviceBytes: size of its data device.
  /// - Throws: if the blob can't be decompressed, or what reading the metadata throws.
  func finish(metadata: FileBytes, deviceBytes: Int64) throws -> LayerIdentity {
    if let fault { throw fault }
    guard let indexer else { throw TarError(.truncated) }
    let index = try indexer.finish()
    if difference == nil {
      do {
        try scanner.finish()
        if next < table.chunks.count { difference = "the table has chunks that are not in the archive" }
        if try !Self.isImage(of: try builder.finish(), metadata, deviceBytes) {
          difference = "the table lists other files, or other attributes, than the archive"
        }
      } catch let error as TarError {
        difference = "\(error)"
      } catch let error as LayerError {
        difference = "\(error)"
      } catch let error as EROFSError { difference = "\(error)" }
    }
    return LayerIdentity(diffID: index.diffID, showsArchive: difference == nil)
  }

  // MARK: Comparing

  private func compare(_ bytes: ArraySlice<UInt8>) {
    guard difference == nil else { return }
    do {
      var rest = bytes
      while difference == nil, let event = try scanner.next(from: &rest) {
        switch event {
        case .member(let entry, _): try begin(entry)
        case .content(let piece): content(piece)
        case .end: break
        }
      }
    } catch { difference = "\(error)" }
  }

  private func begin(_ entry: LayerEntry) throws {
    fileLeft = 0
    guard case .file(let size) = entry.kind else { return try builder.add(entry) }
    if LazyLayer.isMark(entry.path, format) { return }
    guard size > 0 else { return try builder.add(entry) }
    guard next < table.chunks.count else {
      difference = "the archive has content that is not in the table"
      return
    }
    fileLeft = size
    (chunk, chunkBytes, isZeros) = (DigestHasher(), [], true)
    try builder.add(entry, extents: [DataExtent(length: size, deviceOffset: table.chunks[next].deviceOffset)])
  }

  private func content(_ piece: ArraySlice<UInt8>) {
    var rest = piece
    while fileLeft > 0, !rest.isEmpty, difference == nil {
      guard next < table.chunks.count else {
        difference = "the archive has content that is not in the table"
        return
      }
      let wanted = table.chunks[next]
      let left = wanted.length - chunk.size
      guard left <= fileLeft else {
        difference = "a chunk of the table reaches over the end of a file"
        return
      }
      let part = rest.prefix(Int(min(left, Int64(rest.count))))
      rest = rest.dropFirst(part.count)
      fileLeft -= Int64(part.count)
      chunk.update(part)
      if wanted.isZeros { isZeros = isZeros && part.allSatisfy { $0 == 0 } } else if wants(next) { chunkBytes += part }
      guard chunk.size == wanted.length else { continue }
      guard wanted.isZeros ? isZeros : wanted.digest?.digest == chunk.digest else {
        difference = "a chunk of the table is not the archive's"
        return
      }
      if Int64(chunkBytes.count) == wanted.length { take(next, chunkBytes[...]) }
      let end = wanted.deviceRange.upperBound
      next += 1
      (chunk, chunkBytes, isZeros) = (DigestHasher(), [], true)
      if fileLeft > 0, next < table.chunks.count, table.chunks[next].deviceOffset != end {
        difference = "the table's chunks of a file are not its own"
      }
    }
  }

  /// Whether a tree gives the file system that is mounted. Most writers of tables leave out fractions of seconds.
  private static func isImage(of tree: LayerTree, _ metadata: FileBytes, _ deviceBytes: Int64) throws -> Bool {
    let uuid = try metadata.read(Int64(EROFSWriter.uuidOffset)..<Int64(EROFSWriter.uuidOffset) + 16)
    let options = EROFSOptions(blockSize: .page, deviceBytes: [deviceBytes], uuid: uuid)
    var whole = tree
    for index in whole.nodes.indices { whole.nodes[index].attributes.modificationTime.nanoseconds = 0 }
    for candidate in [tree, whole] {
      var sink = ComparingSink(file: metadata)
      try EROFSWriter(candidate, options: options).write(to: &sink)
      if sink.isEqual, sink.count == metadata.size { return true }
    }
    return false
  }
}

/// A file's bytes.
struct FileBytes: RandomAccessBytes {
  let size: Int64
  private let file: SharedDescriptor

  init(_ path: String) throws {
    file = try SharedDescriptor(path, .read)
    size = try file.size()
  }

  func read(_ range: Range<Int64>) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: range.lowerBound) }
    guard count == range.count else { throw OutOfBounds(range: range, size: size) }
    return bytes
  }
}

/// Compares what is written with what a file holds.
private struct ComparingSink: ByteSink {
  let file: FileBytes
  var count: Int64 = 0
  var isEqual = true

  mutating func write(_ bytes: ArraySlice<UInt8>) throws {
    defer { count += Int64(bytes.count) }
    guard isEqual else { return }
    isEqual = count + Int64(bytes.count) <= file.size
    if isEqual { isEqual = try file.read(count..<count + Int64(bytes.count)).elementsEqual(bytes) }
  }
}
