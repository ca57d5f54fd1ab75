import Foundation
import Testing

@testable import CertificateAuthority

@Suite struct CertificateAuthorityTests {
  @Test func theAuthorityIsMadeOnceAndLoadedAfterwardsWithPrivateFiles() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let made = try CertificateAuthority.loadOrCreate(directory: "\(directory.path)/deep/pki")
    let loaded = try CertificateAuthority.loadOrCreate(directory: "\(directory.path)/deep/pki")
    #expect(made.certificatePEM == loaded.certificatePEM)
    #expect(try directory.mode("deep/pki") == 0o700)
    #expect(try directory.mode("deep/pki/ca.key") == 0o600)
    #expect(try directory.mode("deep/pki/ca.crt") == 0o644)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/deep/pki").count == 2)
    let (_, text) = try run("openssl", ["x509", "-in", "\(directory.path)/deep/pki/ca.crt", "-noout", "-text"])
    #expect(text.contains("CA:TRUE, pathlen:0"))
    #expect(text.contains("Certificate Sign"))
    #expect(text.contains("ASN1 OID: prime256v1"))
  }

  @Test func aCrashBetweenKeyAndCertificateKeepsTheKey() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let before = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let leaf = try before.issueServer(commonName: "x", dnsNames: ["x.test"])
    try FileManager.default.removeItem(atPath: "\(directory.path)/ca.crt")
    let after = try CertificateAuthority.loadOrCreate(directory: directory.path)
    #expect(after.certificatePEM != before.certificatePEM)
    #expect(after.certificate.publicKey == before.certificate.publicKey)
    #expect(after.certificate.publicKey.isValidSignature(leaf.certificate.signature, for: leaf.certificate))
  }

  @Test func aMissingOrForeignKeyIsNamedAndNothingIsOverwritten() throws {
    let (directory, other) = (try TemporaryDirectory(), try TemporaryDirectory())
    defer {
      directory.remove()
      other.remove()
    }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    _ = try CertificateAuthority.loadOrCreate(directory: other.path)
    let key = "\(directory.path)/ca.key"
    try FileManager.default.removeItem(atPath: key)
    let missing = #expect(throws: CertificateAuthorityError.self) {
      try CertificateAuthority.loadOrCreate(directory: directory.path)
    }
    #expect(missing?.description.contains(key) == true)
    try FileManager.default.copyItem(atPath: "\(other.path)/ca.key", toPath: key)
    let foreign = #expect(throws: CertificateAuthorityError.self) {
      try CertificateAuthority.loadOrCreate(directory: directory.path)
    }
    #expect(foreign == .keyMismatch(certificate: "\(directory.path)/ca.crt", key: key))
    #expect(try String(contentsOfFile: "\(directory.path)/ca.crt", encoding: .utf8) == authority.certificatePEM)
    _ = try directory.write("no PEM", "ca.key")
    let malformed = #expect(throws: CertificateAuthorityError.self) {
      try CertificateAuthority.loadOrCreate(directory: directory.path)
    }
    #expect(malformed?.description.contains("ca.key is not valid PEM") == true)
  }

  @Test func opensslVerifiesServerAndClientCertificatesForTheirPurposeOnly() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let ca = "\(directory.path)/ca.crt"
    let server = try directory.write(
      try authority.issueServer(
        commonName: "api", dnsNames: ["localhost", "*.dev.demo.localhost"], ipAddresses: ["127.0.0.1", "::1"]
      ).certificatePEM, "server.pem")
    let client = try directory.write(
      try authority.issueClient(commonName: "alice", organizations: ["system:masters", "dev"]).certificatePEM,
      "client.pem")
    func verify(_ arguments: String...) throws -> Bool {
      try run("openssl", ["verify", "-x509_strict", "-CAfile", ca] + arguments).status == 0
    }
    #expect(try verify("-purpose", "sslserver", "-verify_hostname", "localhost", server))
    #expect(try verify("-purpose", "sslserver", "-verify_hostname", "hello.dev.demo.localhost", server))
    #expect(try verify("-purpose", "sslserver", "-verify_ip", "127.0.0.1", server))
    #expect(try verify("-purpose", "sslserver", "-verify_ip", "::1", server))
    #expect(try !verify("-purpose", "sslserver", "-verify_hostname", "api", server))
    #expect(try !verify("-purpose", "sslserver", "-verify_hostname", "a.b.dev.demo.localhost", server))
    #expect(try !verify("-purpose", "sslclient", server))
    #expect(try verify("-purpose", "sslclient", client))
    #expect(try !verify("-purpose", "sslserver", client))
    let (_, subject) = try run("openssl", ["x509", "-in", client, "-noout", "-subject", "-nameopt", "multiline"])
    #expect(subject.contains("commonName                = alice"))
    #expect(subject.contains("organizationName          = system:masters"))
    #expect(subject.contains("organizationName          = dev"))
  }

  @Test(arguments: ["", "-x.test", "a..b", "exa mple", "*", "*.test", "a.*.test", String(repeating: "a", count: 64)])
  func namesThatAreNoHostNamesAreRefused(name: String) throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    #expect(throws: CertificateAuthorityError.invalidName(name)) {
      try authority.issueServer(commonName: "x", dnsNames: [name])
    }
    #expect(throws: CertificateAuthorityError.invalidName("1.2.3")) {
      try authority.issueServer(commonName: "x", dnsNames: [], ipAddresses: ["1.2.3"])
    }
  }

  @Test func aKeptLeafIsIssuedAnewOnlyWhenNamesChangeOrItsTimeRunsOutOrItIsBroken() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let request = LeafRequest.server(commonName: "api", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
    func load(_ request: LeafRequest, after days: Double = 0) throws -> IssuedCertificate {
      try authority.loadOrIssue("apiserver", in: directory.path, request, now: Date().addingTimeInterval(days * 86_400))
    }
    let first = try load(request)
    #expect(try directory.mode("apiserver.key") == 0o600)
    #expect(try load(request).certificatePEM == first.certificatePEM)
    #expect(try load(request, after: 200).certificatePEM == first.certificatePEM)
    let renewed = try load(request, after: 300)
    #expect(renewed.certificatePEM != first.certificatePEM)
    #expect(renewed.notAfter > first.notAfter)
    let wider = LeafRequest.server(commonName: "api", dnsNames: ["localhost", "api.test"], ipAddresses: ["127.0.0.1"])
    let changed = try load(wider)
    #expect(changed.certificatePEM != renewed.certificatePEM)
    // As after a crash between the two files: the key is another's.
    _ = try directory.write(first.privateKeyPEM, "apiserver.key")
    let repaired = try load(wider)
    #expect(repaired.certificatePEM != changed.certificatePEM)
    #expect(try load(wider).certificatePEM == repaired.certificatePEM)
    #expect(try load(.client(commonName: "api", organizations: [])).certificatePEM != repaired.certificatePEM)
  }

  @Test func aLeafNeverOutlivesItsAuthority() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let late = authority.certificate.notValidAfter.addingTimeInterval(-86_400)
    let leaf = try authority.issue(.client(commonName: "x", organizations: []), now: late)
    #expect(leaf.notAfter == authority.certificate.notValidAfter)
    let expired = #expect(throws: CertificateAuthorityError.self) {
      try CertificateAuthority.loadOrCreate(directory: directory.path, now: late.addingTimeInterval(2 * 86_400))
    }
    #expect(expired?.description.contains("expired") == true)
  }
}
