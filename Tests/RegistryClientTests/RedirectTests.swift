import NIOHTTP1
import OCI
import Testing

@testable import RegistryClient

@Suite("Redirects")
struct RedirectTests {
  let image = TestImage()

  private func client(_ registry: LyingRegistry, _ directory: TemporaryDirectory) async throws -> RegistryClient {
    try directory.write(
      "127.0.0.1_\(registry.port)_/hosts.toml",
      "server = \"http://\(registry.host)\"\n[header]\nX-Secret = \"of the registry\"\n")
    let source = RememberedCredentials()
    await source.remember(.basic(user: "u", password: "p"), for: RegistryPlace(host: registry.host, repository: ""))
    return RegistryClient.quick(.quick(hostsDirectory: directory.path, credentials: [source]))
  }

  private func blob(_ registry: LyingRegistry, _ client: RegistryClient) throws -> RegistryBlob {
    client.blob(
      try ImageReference("\(registry.host)/team/app:latest"), digest: image.layerDigest, size: Int64(image.layer.count))
  }

  @Test("Neither credentials nor the host's headers follow to another host; what is wanted does")
  func secretsStay() async throws {
    let storage = try await LyingRegistry { [image] in .blob(image.layer, $0) }
    let registry = try await LyingRegistry { request in
      request.headers.contains(name: "authorization")
        ? .redirect("http://\(storage.host)/bucket/object?signature=abc")
        : .status(401, ["www-authenticate": "Basic realm=\"r\""])
    }
    let directory = try TemporaryDirectory()
    let client = try await client(registry, directory)
    #expect(try await blob(registry, client).fetch(10..<20, urgency: .demand) == Array(image.layer[10..<20]))
    let seen = try #require(storage.requests.first)
    #expect(seen.target == "/bucket/object?signature=abc")
    #expect(seen.headers["authorization"].isEmpty)
    #expect(seen.headers["x-secret"].isEmpty)
    #expect(seen.headers["range"] == ["bytes=10-19"])
    #expect(seen.headers["accept-encoding"] == ["identity"])
    #expect(registry.requests.last?.headers["x-secret"] == ["of the registry"])
    #expect(registry.requests.last?.headers["authorization"] == ["Basic dTpw"])
    await registry.stop()
    await storage.stop()
  }

  @Test("The address of a blob is kept, also for others who read it, until it runs out: then one new one is asked for")
  func expiry() async throws {
    let storage = try await LyingRegistry { [image] request in
      // The third request finds its signature expired.
      request.number == 3 ? .status(403, [:], "<Error><Code>AccessDenied</Code></Error>") : .blob(image.layer, request)
    }
    let registry = try await LyingRegistry { .redirect("http://\(storage.host)/object?number=\($0.number)") }
    let client = RegistryClient.quick()
    for number in 0..<4 {
      let range = Int64(number) * 100..<Int64(number) * 100 + 100
      let bytes = try await blob(registry, client).fetch(range, urgency: .demand)
      #expect(bytes == Array(image.layer[Int(range.lowerBound)..<Int(range.upperBound)]))
    }
    #expect(registry.requests.count == 2)
    #expect(storage.requests.map(\.target) == ["1", "1", "1", "2", "2"].map { "/object?number=\($0)" })
    await registry.stop()
    await storage.stop()
  }

  @Test("A place that always refuses is given up after one new address", arguments: [400, 401, 403])
  func denied(_ status: Int) async throws {
    let storage = try await LyingRegistry { _ in .status(status) }
    let registry = try await LyingRegistry { _ in .redirect("http://\(storage.host)/object") }
    let client = RegistryClient.quick()
    let error = try await registryError { _ = try await blob(registry, client).fetch(0..<10, urgency: .demand) }
    #expect(error?.status == status)
    #expect(registry.requests.count == 2)
    #expect(storage.requests.count == 2)
    await registry.stop()
    await storage.stop()
  }

  @Test("Redirects to redirects are followed, but not for ever")
  func nested() async throws {
    let registry = try await LyingRegistry { [image] request in
      let step = request.target.split(separator: "=").last.flatMap { Int($0) } ?? 0
      return step == 4 ? .blob(image.layer, request) : .redirect("/elsewhere?step=\(step + 1)")
    }
    let client = RegistryClient.quick()
    #expect(try await blob(registry, client).fetch(0..<10, urgency: .demand) == Array(image.layer[0..<10]))
    #expect(registry.requests.count == 5)
    await registry.stop()

    let circle = try await LyingRegistry { _ in .redirect("/again") }
    let error = try await registryError { _ = try await blob(circle, client).fetch(0..<10, urgency: .demand) }
    #expect(error?.kind == .malformed)
    #expect(circle.requests.count == 6)
    await circle.stop()
  }

  @Test("A redirect to nowhere is refused", arguments: ["", "ftp://x/y", "http://user:secret@x/y", "http://x y/"])
  func nowhere(_ location: String) async throws {
    let registry = try await LyingRegistry { _ in .redirect(location) }
    let error = try await registryError {
      _ = try await blob(registry, .quick()).fetch(0..<10, urgency: .demand)
    }
    #expect(error?.kind == .malformed)
    #expect(error?.description.contains("secret") == false)
    await registry.stop()
  }
}
