import ContainerdAPI
import GRPCCore
import JSONDocument
import Locking
import OCI

/// What containerd has of an image: its manifests and their configurations, by which it says what its layers are.
struct ContainerdImages<Transport: ClientTransport>: Sendable {
  private typealias Images = Containerd_Services_Images_V1_Images
  private typealias Content = Containerd_Services_Content_V1_Content

  let client: GRPCClient<Transport>
  let namespace: String
  private let known = KnownClaims()

  init(_ client: GRPCClient<Transport>, namespace: String) {
    self.client = client
    self.namespace = namespace
  }

  /// Of a manifest, an index or a configuration; larger ones are not pulled by anybody.
  private static var documentLimit: Int { 8 << 20 }
  private static var manifestLimit: Int { 64 }

  /// What an image claims of its layers.
  /// - Parameter names: as containerd may know it; the first that it knows counts.
  /// - Throws: `RPCError`, and `ImageUnreadable` if none is known or its content is no image.
  func claims(of names: [String]) async throws -> [LayerClaim] {
    let images = Images.Client(wrapping: client)
    for name in names {
      let target: String
      do {
        target = try await images.get(.with { $0.name = name }, metadata: metadata, options: options).image.target
          .digest
      } catch let error as RPCError where error.code == .notFound { continue }
      guard let digest = Digest(target) else { throw ImageUnreadable(image: name, why: "it has no digest") }
      if let claims = known[digest] { return claims }
      let claims = try await claims(of: digest, name)
      known[digest] = claims
      return claims
    }
    throw ImageUnreadable(image: names.first ?? "", why: "containerd does not know it")
  }

  private func claims(of target: Digest, _ name: String) async throws -> [LayerClaim] {
    guard let json = try await document(target) else { throw ImageUnreadable(image: name, why: "it is not here") }
    if let manifest = ImageManifest(json: json) { return try await claims(of: manifest) ?? [] }
    guard let index = ImageIndex(json: json) else { throw ImageUnreadable(image: name, why: "it has no manifest") }
    // Whatever of it is here may be what runs.
    var claims: [LayerClaim] = []
    for descriptor in index.manifests.prefix(Self.manifestLimit) {
      guard let json = try await document(descriptor.digest), let manifest = ImageManifest(json: json) else { continue }
      claims += try await self.claims(of: manifest) ?? []
    }
    return claims
  }

  /// `nil`: its configuration is not here, so that it can't be run.
  private func claims(of manifest: ImageManifest) async throws -> [LayerClaim]? {
    guard let config = try await document(manifest.config.digest).flatMap({ ImageConfig(json: $0) }) else { return nil }
    // containerd refuses those of which the numbers differ.
    return zip(ChainID.all(config.diffIDs), manifest.layers).map { LayerClaim(chain: $0, blob: $1.digest) }
  }

  private func document(_ digest: Digest) async throws -> JSONValue? {
    do {
      let bytes = try await Content.Client(wrapping: client).read(
        .with { $0.digest = digest.description }, metadata: metadata, options: options
      ) { response in
        var bytes: [UInt8] = []
        for try await message in response.messages {
          guard bytes.count + message.data.count <= Self.documentLimit else {
            throw ImageUnreadable(image: digest.description, why: "it is larger than \(Self.documentLimit) bytes")
          }
          bytes += message.data
        }
        return bytes
      }
      return try JSONValue(parsing: bytes, limits: JSONLimits(bytes: Self.documentLimit))
    } catch let error as RPCError where error.code == .notFound {
      return nil
    }
  }

  private var metadata: Metadata { ["containerd-namespace": "\(namespace)"] }

  private var options: CallOptions {
    var options = CallOptions.defaults
    options.timeout = .seconds(30)
    options.waitForReady = true
    return options
  }
}

/// An image of which nobody can tell what its layers are.
struct ImageUnreadable: Error, CustomStringConvertible {
  let image: String
  let why: String
  var description: String { "image \(image) can't be looked at: \(why); pull it again" }
}

/// Claims of manifests, which never change.
private final class KnownClaims: Sendable {
  private let claims = Mutex<[Digest: [LayerClaim]]>([:])
  private static let limit = 1024

  subscript(manifest: Digest) -> [LayerClaim]? {
    get { claims.withLock { $0[manifest] } }
    set {
      claims.withLock {
        if $0.count >= Self.limit { $0.removeAll() }
        $0[manifest] = newValue
      }
    }
  }
}
