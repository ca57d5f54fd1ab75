public import LayerStore
public import OCI

/// A layer that containerd is about to unpack, as the labels of `Prepare` describe it.
public struct LayerRequest: Sendable, Hashable {
  /// The image, as `containerd.io/snapshot/cri.image-ref` names it.
  public var image: ImageReference
  /// The manifest in which the layer stands, if a label names it.
  public var manifest: Digest?
  /// The layer's blob.
  public var layer: Digest
  /// Blobs of this layer and those above it, in order; containerd cuts the list at 4 KiB.
  public var following: [Digest]
  /// All labels, for annotations of the layer's descriptor that containerd hands on.
  public var labels: [String: String]

  public init(
    image: ImageReference, manifest: Digest? = nil, layer: Digest, following: [Digest] = [], labels: [String: String]
  ) {
    self.image = image
    self.manifest = manifest
    self.layer = layer
    self.following = following
    self.labels = labels
  }
}

/// Space that a layer takes on this machine.
public struct LayerUsage: Sendable, Hashable {
  /// Allocated, in bytes.
  public var bytes: Int64
  public var inodes: Int

  public init(bytes: Int64, inodes: Int) {
    self.bytes = bytes
    self.inodes = inodes
  }
}

/// What the snapshotter needs of layers that need no unpacking.
///
/// The snapshotter keeps names, parents and labels; how a layer gets here, and when, is decided behind this protocol.
public protocol RemoteLayers: Sendable {
  /// Makes a layer usable, and begins with those that follow it.
  /// - Returns: its key, or nil when containerd shall fetch and unpack it in its own way (status tells why).
  /// - Throws: `LayerRefused` if the layer must not be used.
  func resolve(_ request: LayerRequest) async throws -> LayerKey?

  /// Mounts a resolved layer read-only, if it is not mounted.
  /// - Returns: the directory.
  func mount(_ key: LayerKey) async throws -> String

  /// Called when the last snapshot made of the layer is removed: it is unmounted, its data may stay as a cache.
  func release(_ key: LayerKey) async throws

  func usage(of key: LayerKey) async throws -> LayerUsage
}
