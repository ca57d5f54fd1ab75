public import Logging
public import OCI
public import RegistryClient

/// Puts what this machine has learned of an image's start beside the image, for machines that have not started it yet.
public enum ProfileSharing {
  public struct Report: Sendable, Hashable {
    public var manifest: Digest
    public var referrer: Digest
    public var layers: Int
    public var ranges: Int
    /// Of the layers' files, uncompressed.
    public var bytes: Int64
  }

  /// Nothing was learned of the image.
  public struct NotLearned: Error, Hashable {
    public let manifest: Digest
  }

  /// - Parameters:
  ///   - root: the daemon's, see `LazyImagesConfiguration`.
  ///   - created: the time, as RFC 3339.
  /// - Throws: `NotLearned`, `RegistryError`.
  public static func push(
    _ image: ImageReference, root: String, _ registry: RegistryConfiguration, created: String, logger: Logger
  ) async throws -> Report {
    let client = RegistryClient(registry, logger: logger)
    do {
      let report = try await push(image, root: root, client, created: created)
      await client.shutdown()
      return report
    } catch {
      await client.shutdown()
      throw error
    }
  }

  private static func push(
    _ image: ImageReference, root: String, _ client: RegistryClient, created: String
  ) async throws -> Report {
    let resolved = try await client.manifest(image)
    let manifest = resolved.descriptor.digest
    guard var profile = try StartProfiles(directory: "\(root)/profiles").profile(of: manifest) else {
      throw NotLearned(manifest: manifest)
    }
    let layers = Set(resolved.manifest.layers.map(\.digest))
    profile.layers = profile.layers.filter { layers.contains($0.key) }
    let referrer = try await client.push(
      artifactType: StartProfile.artifactType, annotations: profile.annotations(created: created),
      subject: resolved.descriptor, to: image)
    let ranges = profile.layers.values.flatMap { $0 }
    return Report(
      manifest: manifest, referrer: referrer.digest, layers: profile.layers.count, ranges: ranges.count,
      bytes: ranges.reduce(0) { $0 + Int64($1.count) })
  }
}
