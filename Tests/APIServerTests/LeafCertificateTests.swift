import APIServer
import CertificateAuthority
import Crypto
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing
import X509

/// Certificates of apps' hosts, which the API server signs for the edge.
@Suite struct LeafCertificateTests {
  private struct OnlyEdge: Authorizing {
    func decide(_ access: AccessAttributes) async -> AccessDecision {
      access.user.name == "edge" ? .allowed("") : .denied("")
    }
    func refusalToGrant(_ write: WriteReview) -> APIStatus? { nil }
    func namespacesGranted(to user: UserInfo) -> [Set<String>] { [] }
  }

  private static func run(
    _ body: (_ ask: (String, String?, String) async throws -> JSONValue, _ signer: LeafCertificates) async throws ->
      Void
  ) async throws {
    let directory = "/tmp/nagaya-leaves-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory, purpose: .edge(domain: "apps.test"))
    let signer = LeafCertificates(authority, domain: "apps.test", lifetime: 3600, authorizer: OnlyEdge())
    let server = try await APIServer.inMemory(virtualResources: { _, _ in [signer] })
    let request = try CertificateSigningRequest(
      version: .v1, subject: try DistinguishedName { CommonName("x") },
      privateKey: .init(P256.Signing.PrivateKey()), attributes: CertificateSigningRequest.Attributes(),
      signatureAlgorithm: .ecdsaWithSHA256
    ).serializeAsPEM().pemString
    try await body(
      { user, host, text in
        let object: JSONValue = [
          "kind": "Certificate",
          "spec": ["host": host.map { .string($0) } ?? nil, "request": .string(text.isEmpty ? request : text)],
        ]
        let client = server.client(as: UserInfo(name: user, groups: []))
        return try JSONValue(
          parsing: try await client.bytes(
            APIRequest(
              .post, LeafCertificates.resource.path(), contentType: "application/json", body: object.encoded())))
      }, signer)
  }

  @Test func aHostIsSignedForByTheNameThatCoversIt() async throws {
    try await Self.run { ask, _ in
      let answer = try await ask("edge", "Hello.dev.demo.apps.test", "")
      let certificate = try Certificate(pemEncoded: answer["status"]["certificate"].string ?? "")
      let names = try #require(try certificate.extensions.subjectAlternativeNames)
      #expect(Array(names) == [.dnsName("*.dev.demo.apps.test")])
      #expect(certificate.notValidAfter.timeIntervalSinceNow < 3601)
    }
  }

  @Test(arguments: [
    ("nobody", "hello.dev.demo.apps.test", "", 403), ("edge", "hello.dev.demo.example.com", "", 422),
    ("edge", "*.dev.demo.apps.test", "", 422), ("edge", "a.b.c.d.apps.test", "", 422), ("edge", nil, "", 422),
    ("edge", "hello.dev.demo.apps.test", "no request", 422),
  ])
  func otherQuestionsAreRefused(user: String, host: String?, request: String, code: Int) async throws {
    try await Self.run { ask, _ in
      let refusal = await #expect(throws: APIStatus.self) { try await ask(user, host, request) }
      #expect(refusal?.code == code)
    }
  }
}
