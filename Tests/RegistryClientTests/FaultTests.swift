import CertificateAuthority
import NIOSSL
import OCI
import Testing

@testable import RegistryClient

@Suite("Registries that fail or lie")
struct FaultTests {
  let image = TestImage()

  private func name(_ registry: LyingRegistry, _ path: String = "team/app:latest") throws -> ImageReference {
    try ImageReference("\(registry.host)/\(path)")
  }

  private func blob(_ registry: LyingRegistry, _ client: RegistryClient) throws -> RegistryBlob {
    client.blob(try name(registry), digest: image.layerDigest, size: Int64(image.layer.count))
  }

  @Test(
    "A refusal becomes the error that says it, with the registry's own words",
    arguments: [
      (401, RegistryError.Kind.unauthorized, 1), (403, .unauthorized, 1), (404, .notFound, 1), (416, .refusedRange, 1),
      (418, .refused, 1), (429, .unavailable(retryAfter: nil), 3), (500, .unavailable(retryAfter: nil), 3),
      (502, .unavailable(retryAfter: nil), 3), (503, .unavailable(retryAfter: nil), 3),
    ])
  func status(_ status: Int, _ kind: RegistryError.Kind, _ requests: Int) async throws {
    let registry = try await LyingRegistry { _ in
      .status(status, [:], #"{"errors":[{"code":"THE_CODE","message":"the words\u0007"}]}"#)
    }
    let client = RegistryClient.quick()
    let error = try await registryError { _ = try await blob(registry, client).fetch(0..<10, urgency: .demand) }
    #expect(error?.kind == kind)
    #expect(error?.host == registry.host)
    #expect(error?.repository == "team/app")
    #expect(error?.reference == image.layerDigest.description)
    // A 401 without a challenge that can be met is told as what it is.
    if status != 401 {
      #expect(error?.status == status)
      #expect(error?.reason.contains("THE_CODE, the words") == true)
    }
    #expect(registry.requests.count == requests)
    await registry.stop()
  }

  @Test("Trouble that passes is waited out", arguments: [429, 500, 503])
  func passingTrouble(_ status: Int) async throws {
    let registry = try await LyingRegistry { [image] request in
      request.number < 3 ? .status(status) : image.answer(request)
    }
    let client = RegistryClient.quick()
    #expect(try await blob(registry, client).fetch(5..<50, urgency: .demand) == Array(image.layer[5..<50]))
    #expect(registry.requests.count == 3)
    #expect(client.statistics[registry.host]?.retries == 2)
    #expect(client.statistics[registry.host]?.throttled == (status == 500 ? 0 : 2))
    await registry.stop()
  }

  @Test("Retry-After is honoured, and a registry that wants too much of it is given up")
  func retryAfter() async throws {
    let registry = try await LyingRegistry { [image] request in
      request.number == 1 ? .status(429, ["retry-after": "1"]) : image.answer(request)
    }
    let client = RegistryClient.quick()
    let start = ContinuousClock.now
    #expect(try await blob(registry, client).fetch(0..<10, urgency: .demand) == Array(image.layer[0..<10]))
    #expect(ContinuousClock.now - start >= .seconds(1))
    await registry.stop()

    let busy = try await LyingRegistry { _ in .status(503, ["retry-after": "3600"]) }
    let error = try await registryError { _ = try await blob(busy, client).fetch(0..<10, urgency: .demand) }
    #expect(error?.kind == .unavailable(retryAfter: .seconds(3600)))
    #expect(error?.remedy.contains("3600 s") == true)
    #expect(busy.requests.count == 1)
    await busy.stop()
  }

  @Test("A body that breaks off is continued where it ended", arguments: [true, false])
  func shortBodies(_ isStream: Bool) async throws {
    // Every answer ends after at most 70,000 bytes of what it announced.
    let registry = try await LyingRegistry { [image] request in
      var answer = image.answer(request)
      answer.announced = answer.body.count
      if answer.body.count > 70_000 {
        answer.body = Array(answer.body.prefix(70_000))
        answer.end = .close
      }
      return answer
    }
    let client = RegistryClient.quick(.quick(attempts: 2))
    let blob = try blob(registry, client)
    var bytes: [UInt8] = []
    if isStream {
      try await blob.stream(urgency: .prefetch) { bytes += $0 }
    } else {
      bytes = try await blob.fetch(0..<blob.size, urgency: .demand)
    }
    #expect(bytes == image.layer)
    // At least five; more where the last bytes of one were lost with its connection.
    let starts = registry.requests.map { $0.range?.lowerBound ?? 0 }
    #expect(starts.count >= 5)
    #expect(zip(starts, starts.dropFirst()).allSatisfy { $0 < $1 && $1 - $0 <= 70_000 })
    #expect(registry.requests.dropFirst().allSatisfy { $0.range?.upperBound == image.layer.count - 1 })
    await registry.stop()
  }

  @Test("A part that is honestly shorter than was asked for is completed")
  func shortParts() async throws {
    let registry = try await LyingRegistry { [image] request in
      guard let range = request.range else { return image.answer(request) }
      let end = min(range.upperBound, range.lowerBound + 999)
      return .init(
        status: 206, headers: ["content-range": "bytes \(range.lowerBound)-\(end)/\(image.layer.count)"],
        body: Array(image.layer[range.lowerBound...end]))
    }
    let client = RegistryClient.quick()
    #expect(try await blob(registry, client).fetch(100..<4000, urgency: .demand) == Array(image.layer[100..<4000]))
    #expect(registry.requests.map(\.range?.lowerBound) == [100, 1100, 2100, 3100])
    await registry.stop()
  }

  @Test("A stall ends after the idle time, and the rest is asked for again")
  func stalls() async throws {
    let registry = try await LyingRegistry { [image] request in
      var answer = image.answer(request)
      if request.number == 1 {
        answer.announced = answer.body.count
        answer.body = Array(answer.body.prefix(1000))
        answer.end = .stall
      }
      return answer
    }
    let client = RegistryClient.quick(.quick(idle: .seconds(2)))
    #expect(try await blob(registry, client).fetch(0..<5000, urgency: .demand) == Array(image.layer[0..<5000]))
    #expect(registry.requests.map(\.range?.lowerBound) == [0, 1000])
    await registry.stop()
  }

  @Test("A registry that never answers is unavailable")
  func silence() async throws {
    let registry = try await LyingRegistry { _ in .init(end: .silent) }
    let client = RegistryClient.quick(.quick(attempts: 2, idle: .milliseconds(200)))
    let error = try await registryError { _ = try await blob(registry, client).fetch(0..<10, urgency: .demand) }
    #expect(error?.kind == .unavailable(retryAfter: nil))
    #expect(registry.requests.count == 2)
    await registry.stop()
  }

  @Test("Nobody there: unavailable, with the address")
  func refusedConnection() async throws {
    let registry = try await LyingRegistry { _ in .status(500) }
    await registry.stop()
    let client = RegistryClient.quick()
    let error = try await registryError { _ = try await blob(registry, client).fetch(0..<10, urgency: .demand) }
    #expect(error?.kind == .unavailable(retryAfter: nil))
    #expect(error?.reason.contains("refused") == true)
  }

  @Test("A name that nobody knows is said to be unknown")
  func unknownName() async throws {
    let client = RegistryClient.quick()
    let error = try await registryError {
      _ = try await client.manifest(ImageReference("registry.nagaya.invalid/app:1"))
    }
    #expect(error?.kind == .dns, "\(error.map { "\($0)" } ?? "")")
    #expect(error?.remedy.contains("resolver") == true)
  }

  @Test("The whole blob instead of a part: skipped through while that is cheap, refused beyond")
  func wholeForPart() async throws {
    let large = TestImage(layerBytes: 9 << 20, seed: 2)
    let registry = try await LyingRegistry { request in .body(large.layer) }
    let client = RegistryClient.quick()
    let blob = client.blob(try name(registry), digest: large.layerDigest, size: Int64(large.layer.count))
    #expect(try await blob.fetch(1000..<2000, urgency: .demand) == Array(large.layer[1000..<2000]))
    let error = try await registryError { _ = try await blob.fetch((8 << 20)..<(8 << 20) + 10, urgency: .demand) }
    #expect(error?.kind == .refusedRange)
    #expect(error?.remedy.contains("pull the image whole") == true)
    // The whole as a stream is what such a registry can do.
    var count = 0
    try await blob.stream(urgency: .demand) { count += $0.count }
    #expect(count == large.layer.count)
    await registry.stop()
  }

  @Test(
    "A part that is not the one that was asked for is refused",
    arguments: ["bytes 0-9/300000", "bytes 100-299/300000", "bytes 100-109/7", "bytes nonsense", ""])
  func wrongPart(_ header: String) async throws {
    let registry = try await LyingRegistry { [image] _ in
      .init(status: 206, headers: ["content-range": header], body: Array(image.layer[100..<110]))
    }
    let client = RegistryClient.quick()
    let error = try await registryError { _ = try await blob(registry, client).fetch(100..<110, urgency: .demand) }
    #expect(error?.kind == .refusedRange)
    #expect(registry.requests.count == 1)
    await registry.stop()
  }

  @Test("A blob of another size is damaged, told without reading it")
  func otherSize() async throws {
    let registry = try await LyingRegistry { request in
      request.range == nil
        ? .body([1, 2, 3]) : .init(status: 206, headers: ["content-range": "bytes 0-2/3"], body: [1, 2, 3])
    }
    let client = RegistryClient.quick()
    let blob = try blob(registry, client)
    #expect(try await registryError { _ = try await blob.fetch(0..<10, urgency: .demand) }?.kind == .damaged)
    #expect(try await registryError { try await blob.stream(urgency: .demand) { _ in } }?.kind == .damaged)
    await registry.stop()
  }

  @Test("A manifest or configuration with another digest is not used; one without end is not read to its end")
  func wrongContent() async throws {
    let registry = try await LyingRegistry { [image] request in
      request.path.contains("/manifests/")
        ? .body(image.manifest + [0x20]) : .body([UInt8](repeating: 0x20, count: 9 << 20))
    }
    let client = RegistryClient.quick()
    let name = try name(registry)
    let error = try await registryError { _ = try await client.manifest(name, digest: image.manifestDigest) }
    #expect(error?.kind == .damaged)
    #expect(error?.reference == image.manifestDigest.description)
    let descriptor = Descriptor(mediaType: MediaType.config, digest: image.manifestDigest, size: 10)
    let long = try await registryError { _ = try await client.config(name, descriptor) }
    #expect(long?.kind == .malformed)
    #expect(registry.requests.count == 2)
    await registry.stop()
  }

  @Test("What the reader of a stream throws is passed on, and nothing is asked again")
  func consumer() async throws {
    struct Full: Error {}
    let registry = try await LyingRegistry { [image] in image.answer($0) }
    let client = RegistryClient.quick()
    await #expect(throws: Full.self) {
      try await blob(registry, client).stream(urgency: .demand) { _ in throw Full() }
    }
    #expect(registry.requests.count == 1)
    await registry.stop()
  }

  @Test("A certificate of an unknown authority, or for another host, ends at once", arguments: [true, false])
  func certificates(_ isKnown: Bool) async throws {
    let directory = try TemporaryDirectory()
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory.path)/ca")
    let leaf = try authority.issueServer(
      commonName: "other", dnsNames: ["other.example"], ipAddresses: isKnown ? [] : ["127.0.0.1"])
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: try leaf.certificateChain(), privateKey: try leaf.privateKey())
    tls.minimumTLSVersion = .tlsv12
    let registry = try await LyingRegistry(tls: NIOSSLContext(configuration: tls)) { _ in .status(200) }
    try directory.write(
      "certs/127.0.0.1_\(registry.port)_/hosts.toml",
      "server = \"https://\(registry.host)\"\n" + (isKnown ? "ca = \"\(directory.path)/ca/ca.crt\"" : ""))
    let client = RegistryClient.quick(.quick(hostsDirectory: "\(directory.path)/certs"))
    let error = try await registryError { _ = try await client.manifest(name(registry)) }
    #expect(error?.kind == .tls, "\(error.map { "\($0)" } ?? "")")
    #expect(registry.requests.isEmpty)
    await registry.stop()
  }

  @Test("A cancelled reader is let go at once")
  func cancellation() async throws {
    let asked = AsyncStream<Void>.makeStream()
    let registry = try await LyingRegistry { _ in
      asked.continuation.yield()
      return .init(end: .silent)
    }
    let client = RegistryClient.quick()
    let blob = try blob(registry, client)
    let task = Task { try await blob.fetch(0..<10, urgency: .demand) }
    for await _ in asked.stream { break }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    await registry.stop()
  }
}
