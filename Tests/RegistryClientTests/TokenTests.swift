import OCI
import Testing

@testable import RegistryClient

@Suite("Tokens")
struct TokenTests {
  let image = TestImage()

  /// A registry with a token server in it; `token` answers for the server.
  private func registry(
    accepts: @escaping @Sendable (String) -> Bool = { $0.hasPrefix("Bearer good") },
    _ token: @escaping @Sendable (LyingRegistry.Request) -> LyingRegistry.Answer
  ) async throws -> LyingRegistry {
    try await LyingRegistry { [image] request in
      if request.path == "/token" { return token(request) }
      if let header = request.headers.first(name: "authorization"), accepts(header) { return image.answer(request) }
      let host = request.headers.first(name: "host") ?? ""
      let repository = request.path.dropFirst(4).split(separator: "/").prefix(2).joined(separator: "/")
      return .status(
        401,
        [
          "www-authenticate":
            "Bearer realm=\"http://\(host)/token\",service=\"the service\",scope=\"repository:\(repository):pull\""
        ])
    }
  }

  private func name(_ registry: LyingRegistry, _ path: String = "team/app:latest") throws -> ImageReference {
    try ImageReference("\(registry.host)/\(path)")
  }

  private func client(_ registry: LyingRegistry, _ credential: RegistryCredential?) async -> RegistryClient {
    let source = RememberedCredentials()
    if let credential { await source.remember(credential, for: RegistryPlace(host: registry.host, repository: "")) }
    return .quick(.quick(credentials: [source]))
  }

  private func count(_ registry: LyingRegistry, _ path: String) -> Int {
    registry.requests.count { $0.path.hasPrefix(path) }
  }

  @Test("Without credentials a token is got by GET, once for all requests of a repository")
  func anonymous() async throws {
    let registry = try await registry { request in
      #expect(request.target.hasPrefix("/token?scope=repository%3Ateam%2Fapp"))
      #expect(request.target.hasSuffix("%3Apull&service=the%20service"))
      return .status(200, [:], #"{"token":"good","expires_in":300}"#)
    }
    let client = await client(registry, nil)
    let name = try name(registry)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<20 { group.addTask { _ = try await client.manifest(name) } }
      try await group.waitForAll()
    }
    #expect(count(registry, "/token") == 1)
    // The next repository's token is fetched without being refused first.
    let before = registry.requests.count
    _ = try? await client.manifest(ImageReference("\(registry.host)/team/app2:latest"))
    #expect(registry.requests.count == before + 2)
    #expect(registry.requests.last?.path == "/v2/team/app2/manifests/latest")
    await registry.stop()
  }

  @Test("A token that ran out is replaced before it is refused, one that is refused at once")
  func expiry() async throws {
    let served = Shared(0)
    let registry = try await registry(accepts: { header in
      // The first token is good for one request.
      guard header == "Bearer good1" else { return header == "Bearer good2" }
      return served.change { count in
        count += 1
        return count == 1
      }
    }) { _ in
      .status(200, [:], "{\"access_token\":\"good\(served.value == 0 ? 1 : 2)\"}")
    }
    let client = await client(registry, nil)
    for _ in 0..<3 { _ = try await client.manifest(name(registry)) }
    #expect(count(registry, "/token") == 2)
    await registry.stop()
  }

  @Test(
    "A password is exchanged by OAuth 2, or by GET where the server knows no OAuth 2", arguments: [200, 404, 405, 401])
  func password(_ status: Int) async throws {
    let registry = try await registry { request in
      if request.method == .POST {
        let form = String(decoding: request.body, as: UTF8.self).split(separator: "&")
        #expect(form.contains("grant_type=password"))
        #expect(form.contains("username=u"))
        #expect(form.contains("password=p%26q"))
        #expect(form.contains("service=the%20service"))
        #expect(
          form.contains("scope=repository%3Ateam%2Fapp%3Apull")
            || form.contains("scope=repository%3Ateam%2Fapp2%3Apull"))
        return status == 200 ? .status(200, [:], #"{"access_token":"good"}"#) : .status(status)
      }
      #expect(request.headers["authorization"] == ["Basic dTpwJnE="])
      #expect(request.target.contains("account=u"))
      return .status(200, [:], #"{"token":"good"}"#)
    }
    let client = await client(registry, .basic(user: "u", password: "p&q"))
    _ = try await client.manifest(name(registry))
    _ = try? await client.manifest(name(registry, "team/app2:latest"))
    #expect(count(registry, "/token") == [200: 2, 404: 3, 405: 3, 401: 4][status])
    await registry.stop()
  }

  @Test("An identity token is exchanged for access tokens")
  func identityToken() async throws {
    let registry = try await registry { request in
      let form = String(decoding: request.body, as: UTF8.self).split(separator: "&")
      return form.contains("grant_type=refresh_token") && form.contains("refresh_token=identity")
        ? .status(200, [:], #"{"access_token":"good"}"#) : .status(400)
    }
    _ = try await client(registry, .identityToken("identity")).manifest(name(registry))
    let error = try await registryError {
      _ = try await client(registry, .identityToken("stolen")).manifest(name(registry))
    }
    #expect(error?.kind == .unauthorized)
    #expect(error?.description.contains("stolen") == false)
    await registry.stop()
  }

  @Test("The next source is asked when the credentials of one are refused")
  func severalSources() async throws {
    let registry = try await registry { request in
      request.method == .POST
        ? .status(404)
        : request.headers["authorization"] == ["Basic dTpuZXc="]
          ? .status(200, [:], #"{"token":"good"}"#) : .status(401)
    }
    let (old, new) = (RememberedCredentials(), RememberedCredentials())
    let place = RegistryPlace(host: registry.host, repository: "")
    await old.remember(.basic(user: "u", password: "old"), for: place)
    await new.remember(.basic(user: "u", password: "new"), for: place)
    _ = try await RegistryClient.quick(.quick(credentials: [old, new])).manifest(name(registry))
    await registry.stop()
  }

  @Test(
    "A token server that answers nonsense is told as such",
    arguments: [
      (200, "nonsense", RegistryError.Kind.malformed), (200, "{}", .malformed), (200, #"{"token":"a\nb"}"#, .malformed),
      (200, #"{"token":""}"#, .malformed), (403, "", .unauthorized), (500, "", .unavailable(retryAfter: nil)),
    ])
  func nonsense(_ status: Int, _ body: String, _ kind: RegistryError.Kind) async throws {
    let registry = try await registry { _ in .status(status, [:], body) }
    let error = try await registryError { _ = try await client(registry, nil).manifest(name(registry)) }
    #expect(error?.kind == kind)
    await registry.stop()
  }

  @Test("A registry that refuses every token is asked twice, not for ever")
  func refusesAll() async throws {
    let registry = try await registry(accepts: { _ in false }) { _ in .status(200, [:], #"{"token":"any"}"#) }
    let error = try await registryError { _ = try await client(registry, nil).manifest(name(registry)) }
    #expect(error?.kind == .unauthorized)
    #expect(count(registry, "/v2/") == 3)
    await registry.stop()
  }
}
