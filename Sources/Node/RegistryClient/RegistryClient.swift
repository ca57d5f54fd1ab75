import JSONDocument
public import Logging
public import OCI

/// Reads images from registries (OCI distribution specification 1.1), and pushes what belongs to them.
///
/// Content that a digest names is verified before it is returned, except parts of blobs, which whoever asks for them
/// verifies. One client is shared by all who pull on a machine: it keeps tokens, connections and addresses of blobs.
public final class RegistryClient: Sendable {
  let exchange: RegistryExchange

  public init(_ configuration: RegistryConfiguration = RegistryConfiguration(), logger: Logger) {
    exchange = RegistryExchange(configuration, logger: logger)
  }

  /// Closes all connections; requests under way fail.
  public func shutdown() async { await exchange.shutdown() }

  /// What was asked of each host so far, by `host:port`.
  public var statistics: [String: RegistryStatistics] { exchange.statistics.all }

  /// The manifest of an image for this machine's platform.
  ///
  /// - Parameters:
  ///   - digest: of a manifest or an index of the image; without it the image's own digest, or else its tag.
  /// - Throws: `.notFound` also if an index has no image for this platform.
  public func manifest(_ image: ImageReference, digest: Digest? = nil) async throws(RegistryError) -> ResolvedManifest {
    var wanted = digest ?? image.digest
    for _ in 0..<3 {
      let content = try await content(
        image, path: "/manifests/", reference: wanted?.description ?? image.tag ?? "latest", digest: wanted,
        accept: Self.manifestTypes, limit: AnswerLimit.manifest,
        capability: wanted == nil ? .resolve : .pull)
      func malformed(_ reason: String) -> RegistryError { failure(.malformed, image, content.digest, reason) }
      let json: JSONValue
      do { json = try JSONValue(parsing: content.bytes, limits: JSONLimits(bytes: AnswerLimit.manifest)) } catch {
        throw malformed("the manifest is no JSON: \(error)")
      }
      let type = json["mediaType"].string ?? content.mediaType
      if let index = ImageIndex(json: json) {
        guard let entry = index.manifest(for: .current) else {
          throw failure(.notFound, image, content.digest, "the index has no image for \(Platform.current)")
        }
        wanted = entry.digest
        continue
      }
      guard let manifest = ImageManifest(json: json) else { throw malformed("this is no manifest of an image") }
      let descriptor = Descriptor(mediaType: type, digest: content.digest, size: Int64(content.bytes.count))
      return ResolvedManifest(descriptor: descriptor, manifest: manifest, bytes: content.bytes)
    }
    throw failure(.malformed, image, wanted, "an index names an index")
  }

  /// The configuration of an image.
  /// - Parameter descriptor: from its manifest.
  public func config(_ image: ImageReference, _ descriptor: Descriptor) async throws(RegistryError) -> ImageConfig {
    let content = try await content(
      image, path: "/blobs/", reference: descriptor.digest.description, digest: descriptor.digest, accept: nil,
      limit: AnswerLimit.config, capability: .pull)
    guard let json = try? JSONValue(parsing: content.bytes, limits: JSONLimits(bytes: AnswerLimit.config)),
      let config = ImageConfig(json: json)
    else { throw failure(.malformed, image, descriptor.digest, "this is no configuration of an image") }
    return config
  }

  /// A blob that can be read in parts; nothing is asked of the registry yet.
  /// - Parameter size: in bytes, from its descriptor.
  public func blob(_ image: ImageReference, digest: Digest, size: Int64) -> RegistryBlob {
    RegistryBlob(image: image, digest: digest, size: size, exchange: exchange)
  }

  // MARK: Small content

  private static let manifestTypes = [
    MediaType.manifest, MediaType.index, MediaType.dockerManifest, MediaType.dockerManifestList,
  ].joined(separator: ", ")

  private struct Content {
    var bytes: [UInt8]
    var digest: Digest
    var mediaType: String
  }

  private func content(
    _ image: ImageReference, path: String, reference: String, digest: Digest?, accept: String?, limit: Int,
    capability: RegistryHost.Capability
  ) async throws(RegistryError) -> Content {
    var request = RegistryRequest(capability: capability, path: path + reference, reference: reference)
    if let accept { request.headers.add(name: "accept", value: accept) }
    let exchange = exchange
    do {
      return try await exchange.withHosts(of: image, capability) { host in
        try await exchange.send(request, to: host, image) { answer in
          func wrong(_ kind: RegistryError.Kind, _ reason: String) -> RegistryError {
            RegistryError(
              kind, host: host.name, repository: image.repository, reference: reference, status: answer.status,
              reason: reason)
          }
          guard let bytes = try await answer.collect(limit: limit) else {
            throw wrong(.malformed, "it sends more than \(limit) bytes")
          }
          exchange.statistics.count(host.api.authority) { $0.bytes += Int64(bytes.count) }
          let actual = Digest(of: bytes)
          if let digest, digest != actual { throw wrong(.damaged, "the content has another digest, \(actual)") }
          let type = answer.headers.first(name: "content-type")?.prefix { $0 != ";" } ?? ""
          return Content(bytes: bytes, digest: actual, mediaType: String(type))
        }
      }
    } catch { throw failure(error, image, reference) }
  }

  private func failure(
    _ kind: RegistryError.Kind, _ image: ImageReference, _ digest: Digest?, _ reason: String
  ) -> RegistryError {
    RegistryError(
      kind, host: image.registry, repository: image.repository, reference: digest?.description ?? image.tag ?? "",
      reason: reason)
  }

  /// Everything that leaves this room is a `RegistryError`.
  func failure(_ error: any Error, _ image: ImageReference, _ reference: String) -> RegistryError {
    switch error {
    case let error as RegistryError: error
    case is CancellationError:
      RegistryError(
        .cancelled, host: image.registry, repository: image.repository, reference: reference, reason: "was cancelled")
    default:
      RegistryError(
        .refused, host: image.registry, repository: image.repository, reference: reference, reason: "\(error)")
    }
  }
}

/// A manifest, and the bytes of which its digest is made.
public struct ResolvedManifest: Sendable, Hashable {
  public var descriptor: Descriptor
  public var manifest: ImageManifest
  public var bytes: [UInt8]

  public init(descriptor: Descriptor, manifest: ImageManifest, bytes: [UInt8]) {
    self.descriptor = descriptor
    self.manifest = manifest
    self.bytes = bytes
  }
}

extension ImageIndex {
  /// The entry for a platform; one without a platform counts if it is the only one.
  func manifest(for platform: Platform) -> Descriptor? {
    manifests.first { $0.platform == platform }
      ?? (manifests.count == 1 && manifests[0].platform == nil ? manifests[0] : nil)
  }
}
