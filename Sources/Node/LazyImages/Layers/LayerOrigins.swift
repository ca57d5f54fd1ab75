import LayerStore
public import OCI

/// Where images come from: a registry, or what stands for one in a test.
public protocol LayerOrigins: Sendable {
  /// The manifest of an image for this machine's platform.
  /// - Parameter digest: if given, exactly that manifest (or the index that leads to it), verified.
  func manifest(of image: ImageReference, digest: Digest?) async throws -> ImageManifest

  /// What a start of the image read elsewhere; `nil` if nobody has said so.
  func startProfile(of image: ImageReference, manifest: Digest) async throws -> StartProfile?

  /// A layer's bytes; nothing is asked of the registry before the first of them is wanted.
  func blob(_ digest: Digest, bytes: Int64, of image: ImageReference) -> any BlobFetching
}

extension LayerOrigins {
  public func startProfile(of image: ImageReference, manifest: Digest) async throws -> StartProfile? { nil }
}

/// Lets the store find the bytes of layers that an earlier process made.
struct OriginSources: BlobSources {
  let origins: any LayerOrigins

  func blob(_ key: LayerKey, blobBytes: Int64, origin: ImageReference) -> any BlobFetching {
    origins.blob(key.blob, bytes: blobBytes, of: origin)
  }
}
