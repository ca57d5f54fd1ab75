import JSONDocument

/// An image that an archive holds.
public struct ArchivedImage: Sendable, Hashable {
  /// As the archive says it; `nil` if it names none.
  public let name: String?
  public let digest: Digest
  public let platform: Platform?
  /// Compressed layers and configuration, in bytes.
  public let size: Int64
}

/// Why an archive is no image.
public struct ImageArchiveError: Error, Hashable, CustomStringConvertible {
  public let description: String

  public init(description: String) { self.description = description }
}

/// Checks an image archive from end to end before a container runtime gets it: every blob against its digest, every
/// reference against the blobs. Compressed archives are read too. Memory stays bounded; nothing is unpacked.
public enum ImageArchiveReader {
  /// JSON blobs larger than this are taken for layers.
  private static let largestDocument: Int64 = 4 << 20
  /// All JSON blobs together.
  private static let documentBudget: Int64 = 64 << 20

  /// The images of an OCI archive.
  /// - Throws: `ImageArchiveError`, `TarError` or `GzipError`.
  public static func check(_ source: some ByteSource, limits: TarLimits = TarLimits(entries: 100_000)) throws
    -> [ArchivedImage]
  {
    let peeked = try PeekedSource(source)
    if peeked.head.starts(with: [0x1F, 0x8B]) { return try contents(GunzipSource(peeked), limits).images() }
    return try contents(peeked, limits).images()
  }

  private static func contents(_ source: some ByteSource, _ limits: TarLimits) throws -> Contents {
    var reader = TarReader(source, limits: limits)
    var contents = Contents()
    while let entry = try reader.next() {
      guard case .file(let size) = entry.kind else { continue }
      if entry.path == "index.json" || entry.path == "oci-layout" || entry.path == "manifest.json" {
        contents.files[entry.path] = try reader.readAll(limit: Int(largestDocument))
      } else if entry.path.hasPrefix("blobs/sha256/") {
        let name = String(entry.path.dropFirst("blobs/sha256/".count))
        var hasher = DigestHasher()
        var kept: [UInt8]? = size <= largestDocument && contents.documentBytes + size <= documentBudget ? [] : nil
        while case let piece = try reader.readContent(), !piece.isEmpty {
          if hasher.size == 0, piece.first != UInt8(ascii: "{") { kept = nil }
          hasher.update(piece)
          kept?.append(contentsOf: piece)
        }
        guard hasher.digest.hex == name else {
          throw ImageArchiveError(description: "\(entry.path): the content does not have this digest; it is damaged")
        }
        contents.sizes[hasher.digest] = size
        if let kept {
          contents.documents[hasher.digest] = kept
          contents.documentBytes += size
        }
      }
    }
    return contents
  }

  private struct Contents {
    var files: [String: [UInt8]] = [:]
    var sizes: [Digest: Int64] = [:]
    var documents: [Digest: [UInt8]] = [:]
    var documentBytes: Int64 = 0

    func images() throws -> [ArchivedImage] {
      guard files["oci-layout"] != nil else {
        throw ImageArchiveError(
          description: files["manifest.json"] != nil
            ? "this is an archive of docker save in its old form; save it as an OCI archive (skopeo copy docker-archive:… oci-archive:…)"
            : "this is no image archive: it has no file oci-layout")
      }
      guard let bytes = files["index.json"], let index = ImageIndex(json: try JSONValue(parsing: bytes)) else {
        throw ImageArchiveError(description: "index.json is missing or is no image index")
      }
      guard !index.manifests.isEmpty else { throw ImageArchiveError(description: "the archive holds no image") }
      return try index.manifests.map { descriptor in
        let name =
          descriptor.annotations[ImageAnnotation.containerdName]
          ?? descriptor.annotations[ImageAnnotation.referenceName]
        return ArchivedImage(
          name: name, digest: descriptor.digest, platform: descriptor.platform, size: try size(descriptor, depth: 0))
      }
    }

    /// The size of everything below a descriptor; every reference must lead to a blob of its size.
    private func size(_ descriptor: Descriptor, depth: Int) throws -> Int64 {
      guard depth < 4 else { throw ImageArchiveError(description: "indexes are nested too deep") }
      try require(descriptor)
      guard let document = documents[descriptor.digest], let json = try? JSONValue(parsing: document) else {
        throw ImageArchiveError(description: "\(descriptor.digest) is no manifest")
      }
      if MediaType.isIndex(descriptor.mediaType), let index = ImageIndex(json: json) {
        // An index may name platforms that the archive does not hold.
        let present = index.manifests.filter { sizes[$0.digest] != nil }
        guard !present.isEmpty else {
          throw ImageArchiveError(description: "\(descriptor.digest): no platform of this index is in the archive")
        }
        return try present.reduce(0) { $0 + (try size($1, depth: depth + 1)) }
      }
      guard let manifest = ImageManifest(json: json) else {
        throw ImageArchiveError(description: "\(descriptor.digest) is no manifest")
      }
      for part in [manifest.config] + manifest.layers { try require(part) }
      return manifest.layers.reduce(manifest.config.size) { $0 + $1.size }
    }

    private func require(_ descriptor: Descriptor) throws {
      guard let size = sizes[descriptor.digest] else {
        throw ImageArchiveError(description: "\(descriptor.digest) is missing from the archive")
      }
      guard size == descriptor.size else {
        throw ImageArchiveError(
          description: "\(descriptor.digest) has \(size) bytes, its descriptor says \(descriptor.size)")
      }
    }
  }
}

/// A source whose first bytes can be looked at.
private struct PeekedSource<Base: ByteSource>: ByteSource {
  private(set) var head: ArraySlice<UInt8>
  private var base: Base

  init(_ base: Base) throws {
    self.base = base
    head = try self.base.read(upTo: 4096)
  }

  mutating func read(upTo count: Int) throws -> ArraySlice<UInt8> {
    guard !head.isEmpty else { return try base.read(upTo: count) }
    defer { head = head.dropFirst(count) }
    return head.prefix(count)
  }
}
