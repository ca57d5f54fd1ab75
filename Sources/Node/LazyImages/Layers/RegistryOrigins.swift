import OCI
import RegistryClient

/// Layers from registries.
struct RegistryOrigins: LayerOrigins {
  let registry: RegistryClient

  func manifest(of image: ImageReference, digest: Digest?) async throws -> ImageManifest {
    try await registry.manifest(image, digest: digest).manifest
  }

  func blob(_ digest: Digest, bytes: Int64, of image: ImageReference) -> any BlobFetching {
    registry.blob(image, digest: digest, size: bytes)
  }
}
