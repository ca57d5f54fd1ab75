import OCI

/// Why a layer cannot be read through its table of contents.
public struct LayerTOCError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The footer is none that is known.
    case noFooter
    /// The table of contents lies outside of the blob, or is too large.
    case badLocation
    case tooLarge(limitBytes: Int64)
    /// Not the bytes that the manifest's annotation names.
    case wrongDigest
    /// Not decodable; in words.
    case malformed(String)
    /// An entry says something that cannot be.
    case badEntry(String)
    case tooManyChunks(limit: Int)
    case badName(LayerPath.Fault)
    /// What the archive shows depends on members that a table of contents can't list: of each name it has one.
    case dependsOnOrder
  }

  public let reason: Reason
  /// The entry's name, as far as there is one.
  public let path: String

  public init(_ reason: Reason, path: String = "") {
    self.reason = reason
    self.path = path
  }

  public var description: String {
    let what =
      switch reason {
      case .noFooter: "the layer has no footer of a table of contents"
      case .badLocation: "the table of contents lies outside of the layer"
      case .tooLarge(let limit): "the table of contents is larger than \(limit) bytes"
      case .wrongDigest: "the table of contents is not the one that the manifest names"
      case .malformed(let what): "the table of contents is damaged: \(what)"
      case .badEntry(let what): what
      case .tooManyChunks(let limit): "the layer has more than \(limit) chunks"
      case .badName(let fault): "\(fault)"
      case .dependsOnOrder: "what it shows depends on the order of members that have the same name"
      }
    return path.isEmpty ? what : "\(path): \(what)"
  }
}

/// What a reader takes from a table of contents before it refuses.
public struct LayerTOCLimits: Sendable, Hashable {
  /// The table itself, uncompressed, in bytes.
  public var bytes: Int64
  public var entries: Int
  public var chunks: Int
  /// One chunk, and what stands in front of it in its stream, in bytes: this much is held in memory to verify it.
  public var chunkBytes: Int64
  /// All files together, in bytes.
  public var contentBytes: Int64

  public init(
    bytes: Int64 = 256 << 20, entries: Int = 2_000_000, chunks: Int = 4_000_000, chunkBytes: Int64 = 256 << 20,
    contentBytes: Int64 = 1 << 40
  ) {
    self.bytes = bytes
    self.entries = entries
    self.chunks = chunks
    self.chunkBytes = chunkBytes
    self.contentBytes = contentBytes
  }
}
