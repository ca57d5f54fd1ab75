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

  /// What a layer is, as far as that is known without asking anybody.
  func identity(of key: LayerKey) async -> LayerIdentity?

  /// Finds out what a layer is: reads all of it, if need be.
  func prove(_ key: LayerKey) async throws -> LayerIdentity

  /// Layers of which `identity(of:)` tells something since; for one reader.
  var identified: AsyncStream<LayerKey> { get }

  /// What a layer's files mean for those below.
  func traits(of key: LayerKey) async throws -> LayerTraits

  /// Told that a layer is left to containerd after all, or refused, and why: for status.
  func note(_ key: LayerKey, _ verdict: LayerVerdict) async
}

/// What became of a layer that could have been used.
public enum LayerVerdict: Sendable, Hashable {
  case unpacked(why: String)
  case refused(why: String)
}

/// For layers that are what their images say, and mean nothing for others.
extension RemoteLayers {
  public func identity(of key: LayerKey) async -> LayerIdentity? { nil }
  public func prove(_ key: LayerKey) async throws -> LayerIdentity {
    throw SnapshotError.layerUnavailable(key.description, reason: "nobody can tell what it is")
  }
  public var identified: AsyncStream<LayerKey> { AsyncStream { $0.finish() } }
  public func traits(of key: LayerKey) async throws -> LayerTraits { LayerTraits() }
  public func note(_ key: LayerKey, _ verdict: LayerVerdict) async {}
}
