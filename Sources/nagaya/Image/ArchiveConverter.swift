import BoundedNumbers
import EStargz
import Glibc
import JSONDocument
import OCI

/// Converts every layer of an archive and writes manifests, configurations and index that name the new ones. What it does
/// not know in these documents stays as it is.
final class ArchiveConverter {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  struct ConvertedBlob {
    let old: Descriptor
    let new: Descriptor
    let diffID: Digest
    let prioritized: Int
    /// Where the new blob lies.
    let path: String
  }

  private let archive: ImageArchive<RandomAccessFile>
  private let conversion: LayerConversion
  private let scratch: ScratchDirectory
  private let progress: ProgressLine
  private var layers: [Digest: ConvertedBlob] = [:]
  private var order: [Digest] = []
  private var documents: [Digest: [UInt8]] = [:]
  /// Blobs that pass as they are.
  private var kept: [Digest: Range<Int64>] = [:]
  private var allLayers = 0

  init(
    archive: ImageArchive<RandomAccessFile>, conversion: LayerConversion, scratch: ScratchDirectory,
    progress: ProgressLine
  ) {
    self.archive = archive
    self.conversion = conversion
    self.scratch = scratch
    self.progress = progress
  }

  func convert() async throws -> Result {
    let manifests = try ImageFile.manifests(of: archive)
    allLayers = Set(manifests.flatMap { $0.manifest.layers.map(\.digest) }).count
    var index = archive.indexJSON
    var images: [Digest] = []
    var entries: [JSONValue] = []
    for entry in index["manifests"].elements {
      guard let descriptor = Descriptor(json: entry), let new = try await converted(entry, descriptor, depth: 0) else {
        continue
      }
      entries.append(new)
      if let digest = new["digest"].string.flatMap({ Digest($0) }) { images.append(digest) }
    }
    index["manifests"] = .array(entries)
    return Result(
      index: index.encoded(), images: images, layers: order.compactMap { layers[$0] }, documents: documents, kept: kept,
      archive: archive.bytes, scratch: scratch)
  }

  /// The descriptor of what a manifest or index became; `nil` if the archive does not hold it.
  private func converted(_ entry: JSONValue, _ descriptor: Descriptor, depth: Int) async throws -> JSONValue? {
    guard depth < 4, archive.range(of: descriptor) != nil else { return nil }
    var json = try archive.document(descriptor)
    if MediaType.isIndex(descriptor.mediaType) {
      var children: [JSONValue] = []
      for child in json["manifests"].elements {
        guard let part = Descriptor(json: child), let new = try await converted(child, part, depth: depth + 1) else {
          continue
        }
        children.append(new)
      }
      json["manifests"] = .array(children)
    } else {
      try await convertManifest(&json)
    }
    return replacing(entry, with: json)
  }

  private func convertManifest(_ json: inout JSONValue) async throws {
    guard let manifest = ImageManifest(json: json) else { throw Failure(description: "a manifest is malformed") }
    // Attestations and other artifacts pass as they are.
    guard !manifest.layers.isEmpty, manifest.layers.allSatisfy({ MediaType.isLayer($0.mediaType) }) else {
      for part in [manifest.config] + manifest.layers { kept[part.digest] = archive.range(of: part) }
      return
    }
    var config = try archive.document(manifest.config)
    let diffIDs = config["rootfs"]["diff_ids"].elements.map { $0.string.flatMap { Digest($0) } }
    guard diffIDs.count == manifest.layers.count else {
      throw Failure(description: "the configuration \(manifest.config.digest) does not fit its manifest")
    }
    var newLayers: [JSONValue] = []
    var newDiffIDs: [JSONValue] = []
    for ((layer, entry), diffID) in zip(zip(manifest.layers, json["layers"].elements), diffIDs) {
      let blob = try await convert(layer, diffID: diffID)
      var new = entry
      new["mediaType"] = .string(blob.new.mediaType)
      new["digest"] = .string(blob.new.digest.description)
      new["size"] = .integer(blob.new.size)
      for (key, value) in blob.new.annotations { new["annotations"][key] = .string(value) }
      newLayers.append(new)
      newDiffIDs.append(.string(blob.diffID.description))
    }
    config["rootfs"]["diff_ids"] = .array(newDiffIDs)
    json["layers"] = .array(newLayers)
    json["config"] = replacing(json["config"], with: config)
    // Docker's own types know no zstd layers.
    if json["mediaType"].string == MediaType.dockerManifest {
      json["mediaType"] = .string(MediaType.manifest)
      json["config"]["mediaType"] = .string(MediaType.config)
    }
  }

  /// Keeps a changed document, and gives its descriptor.
  private func replacing(_ entry: JSONValue, with json: JSONValue) -> JSONValue {
    let bytes = json.encoded()
    let digest = Digest(of: bytes)
    documents[digest] = bytes
    var entry = entry
    entry["digest"] = .string(digest.description)
    entry["size"] = JSONValue(bytes.count)
    if entry["mediaType"].string == MediaType.dockerManifest { entry["mediaType"] = .string(MediaType.manifest) }
    return entry
  }

  private func convert(_ layer: Descriptor, diffID: Digest?) async throws -> ConvertedBlob {
    if let done = layers[layer.digest] { return done }
    guard let range = archive.range(of: layer) else { throw Failure(description: "\(layer.digest) is missing") }
    let number = "layer \(order.count + 1) of \(allLayers)"
    let plain = scratch.file("plain")
    let path = scratch.file(layer.digest.hex)
    do {
      let bytes = try unpack(FileSlice(base: archive.bytes, range: range), to: plain, diffID: diffID, number)
      defer { unlink(plain) }
      let content = try RandomAccessFile(plain)
      var sink = try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
      let converted = try await conversion.convert(content, to: &sink) { [progress] done in
        progress.show("\(number): compressing \(Self.bar(done, of: bytes))")
      }
      let blob = ConvertedBlob(
        old: layer, new: converted.descriptor, diffID: converted.diffID, prioritized: converted.foundPrioritized,
        path: path)
      layers[layer.digest] = blob
      order.append(layer.digest)
      return blob
    } catch let error as LayerTOCError where error.reason == .dependsOnOrder {
      return try pass(layer, range, diffID: diffID, path)
    } catch is LayerError {
      // What nobody here can mount, containerd may unpack.
      return try pass(layer, range, diffID: diffID, path)
    } catch let error as FileError {
      throw error
    } catch let error as CancellationError {
      throw error
    } catch {
      throw Failure(description: "\(layer.digest): \(error)")
    }
  }

  /// Keeps a layer as it is: no other can show the same files.
  private func pass(_ layer: Descriptor, _ range: Range<Int64>, diffID: Digest?, _ path: String) throws -> ConvertedBlob
  {
    guard let diffID else {
      throw Failure(description: "\(layer.digest): the configuration does not say what it holds")
    }
    unlink(path)
    let file = try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    var source = RangeSource(FileSlice(base: archive.bytes, range: range))
    while case let piece = try source.read(upTo: 1 << 20), !piece.isEmpty { try file.write(piece) }
    let blob = ConvertedBlob(old: layer, new: layer, diffID: diffID, prioritized: 0, path: path)
    layers[layer.digest] = blob
    order.append(layer.digest)
    return blob
  }

  /// Uncompresses a layer into a file.
  /// - Returns: its size.
  private func unpack(_ blob: FileSlice, to path: String, diffID: Digest?, _ number: String) throws -> Int64 {
    unlink(path)
    let file = try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    let compression = LayerCompression(firstBytes: try blob.read(0..<min(4, blob.size)))
    let indexer = try SeekIndexer(compression, spanBytes: .max)
    var source = RangeSource(blob)
    var taken: Int64 = 0
    while case let piece = try source.read(upTo: 1 << 20), !piece.isEmpty {
      try indexer.consume(piece) { try file.write($0) }
      taken += Int64(piece.count)
      progress.show("\(number): reading \(Self.bar(taken, of: blob.size))")
    }
    let index = try indexer.finish()
    guard diffID == nil || index.diffID == diffID else {
      throw Failure(description: "the content is not what the configuration names")
    }
    return index.archiveBytes
  }

  /// `[######....]  60 %`
  static func bar(_ done: Int64, of all: Int64) -> String {
    let percent = all > 0 ? Int(clamping: min(100, done.clampedMultiplying(by: 100) / all)) : 100
    let filled = percent / 5
    return "[\(String(repeating: "#", count: filled))\(String(repeating: ".", count: 20 - filled))] \(percent) %"
  }

  /// Everything that the new archive holds.
  struct Result {
    let index: [UInt8]
    let images: [Digest]
    let layers: [ConvertedBlob]
    let documents: [Digest: [UInt8]]
    let kept: [Digest: Range<Int64>]
    let archive: RandomAccessFile
    /// Keeps the new blobs until they are written.
    let scratch: ScratchDirectory

    /// Writes the archive; equal results give equal bytes.
    func write(to file: OpenFile) throws {
      var writer = TarWriter(file)
      func put(_ path: String, _ content: [UInt8]) throws {
        try writer.append(TarEntry(path, .file(size: Int64(content.count))), content: content)
      }
      func put(_ digest: Digest, _ size: Int64, _ source: some ByteSource) throws {
        var source = source
        try writer.begin(TarEntry("blobs/sha256/\(digest.hex)", .file(size: size)))
        while case let piece = try source.read(upTo: 1 << 20), !piece.isEmpty { try writer.write(piece) }
        try writer.endEntry()
      }
      try put("oci-layout", (["imageLayoutVersion": "1.0.0"] as JSONValue).encoded())
      try put("index.json", index)
      try writer.append(TarEntry("blobs", .directory))
      try writer.append(TarEntry("blobs/sha256", .directory))
      for (digest, bytes) in documents.sorted(by: { $0.key.hex < $1.key.hex }) {
        try put("blobs/sha256/\(digest.hex)", bytes)
      }
      var written = Set(documents.keys)
      for (digest, range) in kept.sorted(by: { $0.key.hex < $1.key.hex }) where written.insert(digest).inserted {
        try put(digest, Int64(range.count), RangeSource(FileSlice(base: archive, range: range)))
      }
      for layer in layers where written.insert(layer.new.digest).inserted {
        try put(layer.new.digest, layer.new.size, RangeSource(try RandomAccessFile(layer.path)))
      }
      try writer.finish()
    }
  }
}
