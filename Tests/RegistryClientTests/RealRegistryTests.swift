import CertificateAuthority
import Foundation
import JSONDocument
import OCI
import PlatformHarness
import Testing

@testable import RegistryClient

@Suite("A real registry")
struct RealRegistryTests {
  let image = TestImage()

  @Test("Manifest, configuration, parts and the whole of a layer come as they were pushed")
  func pull() async throws {
    let registry = try await DockerRegistry()
    defer { registry.stop() }
    let client = RegistryClient.quick()
    let name = try ImageReference("\(registry.host)/team/app:latest")
    try await image.push(to: name, client)

    let resolved = try await client.manifest(name)
    #expect(resolved.bytes == image.manifest)
    #expect(resolved.descriptor.digest == image.manifestDigest)
    #expect(try await client.manifest(name, digest: image.manifestDigest) == resolved)
    #expect(try await client.config(name, resolved.manifest.config).command == ["/bin/true"])
    let layer = try #require(resolved.manifest.layers.first)
    let blob = client.blob(name, digest: layer.digest, size: layer.size)
    for range: Range<Int64> in [0..<1, 0..<300_000, 299_999..<300_000, 100_000..<250_000] {
      #expect(
        try await blob.fetch(range, urgency: .demand)
          == Array(image.layer[Int(range.lowerBound)..<Int(range.upperBound)]))
    }
    var streamed: [UInt8] = []
    try await blob.stream(urgency: .background) { streamed += $0 }
    #expect(streamed == image.layer)
    await #expect(throws: OutOfBounds.self) { try await blob.fetch(299_999..<300_001, urgency: .demand) }
    await client.shutdown()
  }

  @Test("An index leads to the manifest for this platform")
  func index() async throws {
    let registry = try await DockerRegistry()
    defer { registry.stop() }
    let client = RegistryClient.quick()
    let name = try ImageReference("\(registry.host)/app:latest")
    try await image.push(to: ImageReference("\(registry.host)/app:one"), client)
    func entry(_ platform: Platform?) -> Descriptor {
      Descriptor(
        mediaType: MediaType.manifest, digest: image.manifestDigest, size: Int64(image.manifest.count),
        platform: platform)
    }
    let index = ImageIndex(manifests: [entry(Platform(os: "plan9", architecture: "mips")), entry(.current)])
    let pushed = try await client.push(
      manifest: index.json.encoded(), mediaType: MediaType.index, to: name, tag: "latest")
    #expect(try await client.manifest(name).descriptor.digest == image.manifestDigest)
    #expect(try await client.manifest(name, digest: pushed.digest).bytes == image.manifest)

    let others = ImageIndex(manifests: [entry(Platform(os: "plan9", architecture: "mips"))])
    _ = try await client.push(manifest: others.json.encoded(), mediaType: MediaType.index, to: name, tag: "others")
    let error = try await registryError {
      _ = try await client.manifest(ImageReference("\(registry.host)/app:others"))
    }
    #expect(error?.kind == .notFound)
    #expect(error?.reason.contains("no image for linux/") == true)
  }

  @Test("A referrer is found where the registry has no API for referrers")
  func referrers() async throws {
    let registry = try await DockerRegistry()
    defer { registry.stop() }
    let client = RegistryClient.quick()
    let name = try ImageReference("\(registry.host)/app:latest")
    try await image.push(to: name, client)
    #expect(try await client.referrers(name, of: image.manifestDigest).isEmpty)
    for type in ["application/x.one", "application/x.two", "application/x.one"] {
      let content = Array("content of \(type)".utf8)
      let blob = try await client.push(blob: content, mediaType: "application/octet-stream", to: name)
      let empty = try await client.push(
        blob: Array("{}".utf8), mediaType: "application/vnd.oci.empty.v1+json", to: name)
      let manifest: JSONValue = [
        "schemaVersion": 2, "mediaType": .string(MediaType.manifest), "artifactType": .string(type),
        "config": empty.json,
        "layers": [blob.json],
        "subject": Descriptor(
          mediaType: MediaType.manifest, digest: image.manifestDigest, size: Int64(image.manifest.count)
        ).json,
      ]
      _ = try await client.push(manifest: manifest.encoded(), to: name)
    }
    let all = try await client.referrers(name, of: image.manifestDigest)
    #expect(all.map(\.artifactType) == ["application/x.one", "application/x.two"])
    let one = try await client.referrers(name, of: image.manifestDigest, artifactType: "application/x.two")
    #expect(one.count == 1)
    let manifest = try await client.manifest(name, digest: #require(one.first).descriptor.digest).manifest
    let layer = try #require(manifest.layers.first)
    let blob = client.blob(name, digest: layer.digest, size: layer.size)
    #expect(try await blob.fetch(0..<layer.size, urgency: .demand) == Array("content of application/x.two".utf8))
  }

  @Test("A user and password open a registry that wants them, and nothing else does")
  func basic() async throws {
    // bcrypt of "open sesame"
    let registry = try await DockerRegistry(
      users: "ali:$2b$04$CSOTHw/95EgjcI8UK/DY8e78/zE2ayMBRJVusq2BifUN2peAwvxAa\n")
    defer { registry.stop() }
    let name = try ImageReference("\(registry.host)/team/app:latest")
    func client(_ password: String?) async -> RegistryClient {
      let source = RememberedCredentials()
      if let password {
        await source.remember(
          .basic(user: "ali", password: password), for: RegistryPlace(host: registry.host, repository: ""))
      }
      return RegistryClient.quick(.quick(credentials: [source]))
    }
    try await image.push(to: name, await client("open sesame"))
    #expect(try await client("open sesame").manifest(name).bytes == image.manifest)
    for password in [nil, "open barley"] {
      let client = await client(password)
      let error = try await registryError { _ = try await client.manifest(name) }
      #expect(error?.kind == .unauthorized)
      #expect(error?.description.contains("barley") == false)
      #expect(error?.description.contains(registry.host) == true)
    }
  }

  @Test("A private authority is believed when hosts.toml names it, and not otherwise")
  func privateAuthority() async throws {
    let directory = try TemporaryDirectory()
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory.path)/ca")
    let leaf = try authority.issueServer(commonName: "registry", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
    let registry = try await DockerRegistry(
      certificate: (leaf.certificatePEM + authority.certificatePEM, leaf.privateKeyPEM))
    defer { registry.stop() }
    let other = try CertificateAuthority.loadOrCreate(directory: "\(directory.path)/other")
    let name = try ImageReference("\(registry.host)/app:latest")
    func client(_ setting: String) throws -> RegistryClient {
      let hosts = "certs-\(UInt32.random(in: 0..<1 << 30))"
      try directory.write(
        "\(hosts)/127.0.0.1_\(registry.port)_/hosts.toml", "server = \"https://\(registry.host)\"\n\(setting)\n")
      try directory.write("\(hosts)/127.0.0.1_\(registry.port)_/ca.pem", authority.certificatePEM)
      try directory.write("\(hosts)/127.0.0.1_\(registry.port)_/other.pem", other.certificatePEM)
      return RegistryClient.quick(.quick(hostsDirectory: "\(directory.path)/\(hosts)"))
    }
    try await image.push(to: name, client("ca = \"ca.pem\""))
    #expect(try await client("ca = [\"other.pem\", \"ca.pem\"]").manifest(name).bytes == image.manifest)
    #expect(try await client("skip_verify = true").manifest(name).bytes == image.manifest)
    for setting in ["", "ca = \"other.pem\""] {
      let error = try await registryError { _ = try await client(setting).manifest(name) }
      #expect(error?.kind == .tls, "\(error.map { "\($0)" } ?? "")")
      #expect(error?.remedy.contains("hosts.toml") == true)
    }
    let missing = try await registryError { _ = try await client("ca = \"nowhere.pem\"").manifest(name) }
    #expect(missing?.kind == .misconfigured)
    #expect(missing?.reason.contains("nowhere.pem") == true)
  }
}
