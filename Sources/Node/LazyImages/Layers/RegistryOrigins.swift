import OCI
import RegistryClient

/// Layers from registries.
struct RegistryOrigins: LayerOrigins {
  let registry: RegistryClient

  func manifest(of image: ImageReference, digest: Digest?) async throws -> ImageManifest {
    try await registry.manifest(image, digest: digest).manifest
  }

  func startProfile(of image: ImageReference, manifest: Digest) async throws -> StartProfile? {
    let found = try await registry.referrers(image, of: manifest, artifactType: StartProfile.artifactType)
    let latest = found.max {
      $0.descriptor.annotations[StartProfile.created] ?? "" < $1.descriptor.annotations[StartProfile.created] ?? ""
    }
    return latest.flatMap { StartProfile(annotations: $0.descriptor.annotations) }
  }

  func blob(_ digest: Digest, bytes: Int64, of image: ImageReference) -> any BlobFetching {
    registry.blob(image, digest: digest, size: bytes)
  }
}
