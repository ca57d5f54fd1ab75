import Foundation
import JSONDocument
import Logging
import NIOSSL
import OCI
import TestSupport

@testable import RegistryClient

/// A small image in memory, as a registry holds it.
struct TestImage {
  let config: [UInt8]
  let layer: [UInt8]
  let manifest: [UInt8]

  var layerDigest: Digest { Digest(of: layer) }
  var manifestDigest: Digest { Digest(of: manifest) }

  /// - Parameter layerBytes: random ones; nobody unpacks them here.
  init(layerBytes: Int = 300_000, seed: UInt64 = 1) {
    var random = SeededGenerator(seed: seed)
    let layer = (0..<layerBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
    let config = ImageConfig(command: ["/bin/true"], diffIDs: [Digest(of: layer)]).json.encoded()
    self.layer = layer
    self.config = config
    manifest = ImageManifest(
      config: Descriptor(mediaType: MediaType.config, digest: Digest(of: config), size: Int64(config.count)),
      layers: [Descriptor(mediaType: MediaType.layerTar, digest: Digest(of: layer), size: Int64(layer.count))]
    ).json.encoded()
  }

  /// What a good registry answers.
  func answer(_ request: LyingRegistry.Request) -> LyingRegistry.Answer {
    let path = request.path
    if path.contains("/manifests/") {
      var answer = LyingRegistry.Answer.body(manifest)
      answer.headers = ["content-type": MediaType.manifest]
      return path.hasSuffix("/latest") || path.hasSuffix(manifestDigest.description) ? answer : .status(404)
    }
    if path.hasSuffix("/blobs/\(layerDigest)") { return .blob(layer, request) }
    if path.hasSuffix("/blobs/\(Digest(of: config))") { return .blob(config, request) }
    return .status(404, [:], #"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#)
  }

  func push(to name: ImageReference, _ client: RegistryClient) async throws {
    _ = try await client.push(blob: layer, mediaType: MediaType.layerTar, to: name)
    _ = try await client.push(blob: config, mediaType: MediaType.config, to: name)
    _ = try await client.push(manifest: manifest, to: name, tag: name.tag)
  }
}

extension RegistryConfiguration {
  /// Short pauses, so that a test sees every round.
  static func quick(
    hostsDirectory: String? = nil, credentials: [any CredentialSource] = [], attempts: Int = 3,
    idle: Duration = .seconds(20)
  ) -> RegistryConfiguration {
    RegistryConfiguration(
      hostsDirectory: hostsDirectory, credentials: credentials, answerTimeout: .seconds(20), idleTimeout: idle,
      retries: RetryPolicy(attempts: attempts, firstPause: .milliseconds(1), longestPause: .milliseconds(5)))
  }
}

extension RegistryClient {
  static func quick(_ configuration: RegistryConfiguration = .quick()) -> RegistryClient {
    RegistryClient(configuration, logger: Logger(label: "test"))
  }
}

/// A directory that is gone with its owner.
final class TemporaryDirectory: Sendable {
  let path = "/tmp/nagaya-registry-test-\(UInt32.random(in: 0..<1 << 30))"

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String, mode: Int = 0o644) throws {
    let url = URL(fileURLWithPath: "\(path)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: url.path)
  }
}

/// The error that a request must end with.
func registryError(_ body: () async throws -> Void) async throws -> RegistryError? {
  do { try await body() } catch let error as RegistryError { return error }
  return nil
}
