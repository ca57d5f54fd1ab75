import Foundation
import TestSupport
import Testing

@testable import CertificateAuthority

@Suite struct PlatformAuthoritiesTests {
  private func with(_ body: (TemporaryDirectory) throws -> Void) throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try body(directory)
  }

  private func authorities(_ directory: TemporaryDirectory, domain: String = "apps.test", after days: Double = 0) throws
    -> PlatformAuthorities
  {
    try .loadOrCreate(
      directory: "\(directory.path)/pki", serverNames: ["node-1"], domain: domain,
      now: Date().addingTimeInterval(days * 86_400))
  }

  @Test func `each authority has a key of its own, and its root says what it is for`() throws {
    try with { directory in
      let made = try authorities(directory)
      for name in ["api", "clients", "edge"] {
        #expect(try directory.mode("pki/\(name)") == 0o700)
        #expect(try directory.mode("pki/\(name)/ca.key") == 0o600)
      }
      let roots = [made.api, made.clients, made.edge]
      #expect(Set(roots.map { $0.certificate.publicKey }).count == 3)
      #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/pki/ca.key"))
      #expect(try String(contentsOfFile: "\(directory.path)/pki/ca.crt", encoding: .utf8) == made.edge.certificatePEM)
      for (name, usage, names) in [
        ("api", "TLS Web Server Authentication", "DNS:node-1"),
        ("clients", "TLS Web Client Authentication", "Excluded"),
        ("edge", "TLS Web Server Authentication", "DNS:apps.test"),
      ] {
        let text = try run("openssl", ["x509", "-in", "\(directory.path)/pki/\(name)/ca.crt", "-noout", "-text"]).1
        #expect(text.contains("pathlen:0") && text.contains(usage) && text.contains(names), "\(text)")
        #expect(text.contains("X509v3 Name Constraints: critical"))
      }
      let again = try authorities(directory)
      #expect([again.api, again.clients, again.edge].map(\.certificatePEM) == roots.map(\.certificatePEM))
    }
  }

  @Test func `openssl accepts what each authority is for`() throws {
    try with { directory in
      let made = try authorities(directory)
      func verifies(_ leaf: IssuedCertificate, _ root: CertificateAuthority, _ arguments: [String]) throws -> Bool {
        let file = try directory.write(leaf.certificatePEM, "leaf.pem")
        let trust = try directory.write(root.trustPEM, "trust.pem")
        return try run("openssl", ["verify", "-x509_strict", "-CAfile", trust] + arguments + [file]).status == 0
      }
      let server = try made.serverCertificate(names: ["node-1"])
      #expect(try verifies(server, made.api, ["-purpose", "sslserver", "-verify_hostname", "node-1"]))
      #expect(try verifies(server, made.api, ["-purpose", "sslserver", "-verify_ip", "127.0.0.1"]))
      for user in ["alice", "alice.smith", "alice@example.test"] {
        let client = try made.clients.issueClient(commonName: user, organizations: ["dev"])
        #expect(try verifies(client, made.clients, ["-purpose", "sslclient"]))
        #expect(try !verifies(client, made.clients, ["-purpose", "sslserver"]))
        #expect(try !verifies(client, made.edge, ["-purpose", "sslclient"]))
      }
      let app = try made.edge.issueServer(commonName: "*.dev.apps.test", dnsNames: ["*.dev.apps.test"])
      #expect(try verifies(app, made.edge, ["-purpose", "sslserver", "-verify_hostname", "a.dev.apps.test"]))
      #expect(try !verifies(app, made.api, ["-purpose", "sslserver"]))
    }
  }

  @Test func `a node that got another name keeps the root that kubeconfigs trust`() throws {
    try with { directory in
      let before = try authorities(directory)
      let after = try PlatformAuthorities.loadOrCreate(
        directory: "\(directory.path)/pki", serverNames: ["node-2"], domain: "apps.test")
      #expect(after.api.certificatePEM == before.api.certificatePEM)
      let served = try after.serverCertificate(names: ["node-2"])
      #expect(try served.certificate.extensions.subjectAlternativeNames.map(Array.init)?.count == 2)
    }
  }

  @Test func `another domain of apps makes a new edge root and leaves the others`() throws {
    try with { directory in
      let before = try authorities(directory)
      let after = try authorities(directory, domain: "other.test")
      #expect(after.edge.certificatePEM != before.edge.certificatePEM)
      #expect(after.clients.certificatePEM == before.clients.certificatePEM)
      _ = try after.edge.issueServer(commonName: "x", dnsNames: ["x.other.test"])
      #expect(try String(contentsOfFile: "\(directory.path)/pki/ca.crt", encoding: .utf8) == after.edge.trustPEM)
    }
  }

  @Test func `certificates in files are renewed when two thirds of their week are over`() throws {
    try with { directory in
      let made = try authorities(directory)
      func serve(_ days: Double) throws -> String {
        try made.serverCertificate(names: [], now: Date().addingTimeInterval(days * 86_400)).certificatePEM
      }
      let first = try serve(0)
      #expect(try serve(4) == first)
      let second = try serve(5)
      #expect(second != first)
      #expect(try serve(6) == second)
    }
  }

  // MARK: Renewal of roots

  @Test func `a root's successor is trusted long before it signs, and the root long after`() throws {
    try with { directory in
      let lifetime = CertificateAuthority.rootLifetime / 86_400
      let first = try authorities(directory)
      #expect(first.clients.roots.count == 1)
      let announced = try authorities(directory, after: lifetime * 0.61)
      #expect(announced.clients.certificatePEM == first.clients.certificatePEM)
      #expect(announced.clients.roots.count == 2)
      let user = try announced.clients.issue(
        .client(commonName: "alice", organizations: []), now: Date().addingTimeInterval(lifetime * 0.79 * 86_400))
      let second = try authorities(directory, after: lifetime * 0.81)
      #expect(second.clients.certificate == announced.clients.roots[1])
      #expect(second.clients.roots.count == 2)
      #expect(
        second.clients.roots.contains {
          $0.publicKey.isValidSignature(user.certificate.signature, for: user.certificate)
        })
      #expect(try directory.mode("pki/clients/ca.key") == 0o600)
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/pki/clients/previous").count == 1)
      let later = try authorities(directory, after: lifetime * 1.01)
      #expect(later.clients.certificate == second.clients.certificate)
      #expect(later.clients.roots.count == 1, "what has expired is trusted no longer")
    }
  }

  @Test func `what lives for seconds is renewed in its own time`() throws {
    try with { directory in
      var lives = PlatformAuthorities.Lives()
      (lives.root, lives.leaf) = (90, 30)
      let start = Date()
      let first = try PlatformAuthorities.loadOrCreate(
        directory: "\(directory.path)/pki", domain: "apps.test", lives: lives, now: start)
      func served(_ seconds: TimeInterval) throws -> String {
        try first.serverCertificate(names: [], now: start + seconds).certificatePEM
      }
      let certificate = try served(0)
      #expect(try served(19) == certificate && served(21) != certificate)
      let announced = try first.reloaded(now: start + 60)
      #expect(announced.clients.roots.count == 2 && announced.clients.certificatePEM == first.clients.certificatePEM)
      let second = try announced.reloaded(now: start + 80)
      #expect(second.clients.certificate == announced.clients.roots[1])
      // A certificate never outlives its root, and the next one is the new root's.
      let late = try second.clientCertificate("node", user: "system:node:n", groups: [], now: start + 80)
      #expect(late.notAfter <= second.clients.certificate.notValidAfter)
      #expect(try second.reloaded(now: start + 95).clients.roots.count == 1)
    }
  }

  @Test func `processes that find a root due at the same moment make one successor`() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = "\(directory.path)/clients"
    let start = Date()
    _ = try CertificateAuthority.loadOrCreate(directory: path, purpose: .clients, now: start, lifetime: 100)
    for seconds: TimeInterval in [61, 81, 150, 170] {
      let seen = try await withThrowingTaskGroup(of: [String].self) { group in
        for _ in 0..<8 {
          group.addTask {
            let authority = try CertificateAuthority.loadOrCreate(
              directory: path, purpose: .clients, now: start + seconds, lifetime: 100)
            return [authority.certificatePEM, authority.trustPEM]
          }
        }
        return try await group.reduce(into: Set<[String]>()) { $0.insert($1) }
      }
      #expect(seen.count == 1, "\(seconds)")
    }
  }

  @Test(arguments: ["key", "certificate", "both"]) func `a crash while roots change leaves the new one`(_ last: String)
    throws
  {
    try with { directory in
      let lifetime = CertificateAuthority.rootLifetime / 86_400
      let first = try authorities(directory)
      let announced = try authorities(directory, after: lifetime * 0.7)
      let pki = "\(directory.path)/pki/clients"
      // What is on disk when the process dies after the step.
      try FileManager.default.removeItem(atPath: "\(pki)/ca.key")
      if last != "key" {
        try FileManager.default.removeItem(atPath: "\(pki)/ca.crt")
        try FileManager.default.copyItem(atPath: "\(pki)/next.crt", toPath: "\(pki)/ca.crt")
      }
      if last == "both" { try FileManager.default.copyItem(atPath: "\(pki)/next.key", toPath: "\(pki)/ca.key") }
      let after = try authorities(directory, after: lifetime * 0.7)
      #expect(after.clients.certificate == announced.clients.roots[1])
      #expect(after.clients.certificate != first.clients.certificate)
      #expect(!FileManager.default.fileExists(atPath: "\(pki)/next.key"))
    }
  }

  @Test func `a machine that was off for longer than its roots live starts`() throws {
    try with { directory in
      let first = try authorities(directory)
      let after = try authorities(directory, after: 5000)
      #expect(after.api.certificatePEM != first.api.certificatePEM)
    }
  }

  // MARK: One root before

  /// An installation as it was when everything had one root.
  private func singleRoot(_ directory: TemporaryDirectory) throws -> (CertificateAuthority, IssuedCertificate) {
    let pki = "\(directory.path)/pki"
    let root = try CertificateAuthority.loadOrCreate(directory: pki)
    let server = try root.loadOrIssue(
      "apiserver", in: pki,
      .server(commonName: "nagaya-apiserver", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]))
    _ = try root.loadOrIssue("admin", in: pki, .client(commonName: "admin", organizations: ["system:masters"]))
    return (root, server)
  }

  @Test func `of a single root the key is destroyed, and what it signed runs out`() throws {
    try with { directory in
      let (root, server) = try singleRoot(directory)
      let user = try root.issueClient(commonName: "alice")
      let made = try authorities(directory)
      let pki = "\(directory.path)/pki"
      for gone in ["ca.key", "admin.key", "admin.crt", "apiserver.key"] {
        #expect(!FileManager.default.fileExists(atPath: "\(pki)/\(gone)"))
      }
      // Users' kubeconfigs go on: their certificates, and the server's that they trust.
      #expect(
        made.clients.roots.contains { $0.publicKey.isValidSignature(user.certificate.signature, for: user.certificate) }
      )
      #expect(try made.serverCertificate(names: []).certificatePEM == server.certificatePEM)
      #expect(made.api.trustPEM.contains(root.certificatePEM) && made.api.trustPEM.contains(made.api.certificatePEM))
      // The edge has nothing to do with it any more.
      #expect(made.edge.roots.count == 1)
      #expect(try String(contentsOfFile: "\(pki)/ca.crt", encoding: .utf8) == made.edge.trustPEM)
      let again = try authorities(directory)
      #expect(again.clients.roots == made.clients.roots)
      // When two thirds of the year are over, the new root's certificate is served.
      let later = try made.serverCertificate(names: [], now: Date().addingTimeInterval(250 * 86_400))
      #expect(made.api.certificate.publicKey.isValidSignature(later.certificate.signature, for: later.certificate))
    }
  }

  @Test func `a crash while a single root is taken over is made good`() throws {
    try with { directory in
      let (root, server) = try singleRoot(directory)
      let key = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/pki/ca.key"))
      let certificate = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/pki/ca.crt"))
      _ = try authorities(directory)
      // As if the last step, the key's removal, had not come to pass.
      try key.write(to: URL(fileURLWithPath: "\(directory.path)/pki/ca.key"))
      try certificate.write(to: URL(fileURLWithPath: "\(directory.path)/pki/ca.crt"))
      let made = try authorities(directory)
      #expect(made.clients.roots.contains(root.certificate))
      #expect(try made.serverCertificate(names: []).certificatePEM == server.certificatePEM)
      #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/pki/ca.key"))
    }
  }
}

/// One authority asked for what another one vouches for.
@Suite("Attacks on the authorities") struct AuthorityAttacks {
  enum Holder: String, CaseIterable, Sendable { case api, clients, edge }

  static let wishes: [(String, LeafRequest, Holder?)] = [
    ("a client that is an administrator", .client(commonName: "admin", organizations: ["system:masters"]), .clients),
    ("a node", .client(commonName: "system:node:n", organizations: ["system:nodes"]), .clients),
    ("the API server", .server(commonName: "a", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]), .api),
    ("a foreign site", .server(commonName: "a", dnsNames: ["example.com"], ipAddresses: []), nil),
    ("an address", .server(commonName: "a", dnsNames: [], ipAddresses: ["93.184.216.34"]), .api),
    ("an app", .server(commonName: "a", dnsNames: ["*.dev.apps.test"], ipAddresses: []), .edge),
    ("the domain's twin", .server(commonName: "a", dnsNames: ["evilapps.test"], ipAddresses: []), nil),
    ("all hosts above the domain", .server(commonName: "a", dnsNames: ["*.sub.test"], ipAddresses: []), nil),
  ]

  @Test("who holds one authority's key cannot pretend what another one vouches for", arguments: Holder.allCases, wishes)
  func issues(holder: Holder, wish: (String, LeafRequest, Holder?)) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let made = try PlatformAuthorities.loadOrCreate(directory: directory.path, domain: "apps.test")
    let authority =
      switch holder {
      case .api: made.api
      case .clients: made.clients
      case .edge: made.edge
      }
    guard wish.2 != holder else {
      _ = try authority.issue(wish.1)
      return
    }
    let attack = Attack(.component, "\(holder)'s key vouches for \(wish.0)", on: .platformRights)
    let held = try await attempt(attack) {
      do {
        return .through(try authority.issue(wish.1).certificatePEM)
      } catch let error as CertificateAuthorityError {
        return .held("\(error)")
      }
    }
    #expect(held)
  }
}
