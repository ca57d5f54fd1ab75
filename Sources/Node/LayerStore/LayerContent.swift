public import EStargz
public import OCI

/// How the bytes of a layer's data device are made of the bytes of its blob.
public enum LayerContent: Sendable, Hashable {
  /// A layer with a table of contents: the device is packed, each file on a border of 4 KiB.
  case chunks(ChunkTable, LayerFormat)
  /// A plain layer that was read before: the device holds what its archive's layout says.
  case spans(SeekIndex, ArchiveLayout)
}

/// Names a layer in the store: the digest of its blob.
///
/// The same blob is stored once, however many images and namespaces have it.
public struct LayerKey: Sendable, Hashable, CustomStringConvertible {
  public let blob: Digest

  public init(_ blob: Digest) { self.blob = blob }

  public var description: String { blob.description }
}

/// What is needed to make a layer of the store.
public struct LayerDescription: Sendable {
  public var key: LayerKey
  public var content: LayerContent
  /// Size of the data device in bytes, a multiple of the metadata image's block size.
  public var deviceBytes: Int64
  /// Number of inodes, for usage figures.
  public var inodes: Int
  /// Compressed size in bytes.
  public var blobBytes: Int64
  /// An image that has the layer: where its bytes are asked for again after a restart.
  public var origin: ImageReference
  /// What its files mean for layers below.
  public var traits: LayerTraits

  public init(
    key: LayerKey, origin: ImageReference, content: LayerContent, deviceBytes: Int64, inodes: Int, blobBytes: Int64,
    traits: LayerTraits = LayerTraits()
  ) {
    self.key = key
    self.origin = origin
    self.content = content
    self.deviceBytes = deviceBytes
    self.inodes = inodes
    self.blobBytes = blobBytes
    self.traits = traits
  }
}

/// Finds the bytes of layers, also of those that an earlier process made.
public protocol BlobSources: Sendable {
  /// - Parameters:
  ///   - blobBytes: its compressed size.
  ///   - origin: an image that has it.
  func blob(_ key: LayerKey, blobBytes: Int64, origin: ImageReference) -> any BlobFetching
}
