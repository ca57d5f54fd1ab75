import JSONDocument

/// An uncompressed OCI archive (image-spec "Image Layout" in a tar archive) whose blobs are read at their places.
public struct ImageArchive<Bytes: RandomAccessBytes>: Sendable {
  public let bytes: Bytes
  public let index: ImageIndex
  /// As it stands, with members that `ImageIndex` does not know.
  public let indexJSON: JSONValue
  private let blobs: [Digest: Range<Int64>]

  /// Documents larger than this are refused.
  private static var documentLimit: Int64 { 4 << 20 }

  /// - Throws: `ImageArchiveError` or `TarError` if this is no image archive.
  public init(_ bytes: Bytes, limits: TarLimits = TarLimits(entries: 100_000)) throws {
    self.bytes = bytes
    var blobs: [Digest: Range<Int64>] = [:]
    var index: JSONValue?
    for member in try TarMap(bytes, limits: limits).members {
      let path = String(decoding: member.entry.path, as: UTF8.self)
      if path.hasPrefix("blobs/sha256/"), let digest = Digest(hex: String(path.dropFirst(13))) {
        blobs[digest] = member.content
      } else if path == "index.json" {
        index = try Self.document(bytes, member.content, path)
      }
    }
    guard let index, let parsed = ImageIndex(json: index) else {
      throw ImageArchiveError(description: "index.json is missing or is no image index")
    }
    self.blobs = blobs
    self.index = parsed
    indexJSON = index
  }

  /// Where a blob lies in the archive; `nil` if it is not there.
  public func range(of descriptor: Descriptor) -> Range<Int64>? {
    blobs[descriptor.digest].flatMap { Int64($0.count) == descriptor.size ? $0 : nil }
  }

  /// A manifest, index or configuration, checked against its digest.
  public func document(_ descriptor: Descriptor) throws -> JSONValue {
    guard let range = range(of: descriptor) else {
      throw ImageArchiveError(description: "\(descriptor.digest) is missing from the archive or has another size")
    }
    return try Self.document(bytes, range, descriptor.digest.description, digest: descriptor.digest)
  }

  private static func document(_ bytes: Bytes, _ range: Range<Int64>, _ name: String, digest: Digest? = nil) throws
    -> JSONValue
  {
    guard Int64(range.count) <= documentLimit else {
      throw ImageArchiveError(description: "\(name) is too large for a document")
    }
    let content = try bytes.read(range)
    guard digest == nil || digest == Digest(of: content) else {
      throw ImageArchiveError(description: "\(name): the content does not have this digest; it is damaged")
    }
    do { return try JSONValue(parsing: content, limits: JSONLimits(bytes: Int(documentLimit))) } catch {
      throw ImageArchiveError(description: "\(name): \(error)")
    }
  }
}
