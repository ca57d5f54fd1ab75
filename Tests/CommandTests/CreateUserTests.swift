import CertificateAuthority
import Foundation
import KubernetesClient
import PlatformHarness
import Testing

@testable import nagaya

@Suite struct CreateUserTests {
  @Test func `a user gets a kubeconfig with a certificate of the platform's authority`() async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      let authorities = try PlatformAuthorities.loadOrCreate(directory: layout.pki, domain: "nagaya.test")
      try Kubeconfig(
        name: "nagaya",
        cluster: .init(
          server: "https://127.0.0.1:7443", authority: .inline(Array(authorities.api.trustPEM.utf8))),
        user: .init(token: .inline([65]))
      )
      .write(to: layout.kubeconfig)
      let file = "\(directory)/alice.kubeconfig"
      let made = await CommandRunner()(
        "create", "user", "alice", "--group", "auditors", "--group", "ops", "-n", "shop-dev", "--days", "7",
        "--state-dir", directory, "--output", file)
      #expect(made.code == 0, "\(made.error)")
      #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
      let config = try Kubeconfig.load(explicit: file)
      #expect(try config.connection().namespace == "shop-dev")
      #expect(config.clusters["nagaya"]?.server == "https://127.0.0.1:7443")
      #expect(config.clusters["nagaya"]?.authority == .inline(Array(authorities.api.trustPEM.utf8)))
      guard case .inline(let pem) = config.users["nagaya"]?.clientCertificate else {
        Issue.record("no certificate")
        return
      }
      try Data(pem).write(to: URL(fileURLWithPath: "\(directory)/alice.crt"))
      // The real openssl reads it as every server would.
      let shell = Shell()
      try await shell.succeed(
        "openssl verify -purpose sslclient -CAfile \(layout.pki)/clients/ca.crt \(directory)/alice.crt")
      let subject = try await shell.succeed(
        "openssl x509 -in \(directory)/alice.crt -noout -subject -nameopt multiline")
      #expect(subject.contains("= alice") && subject.contains("= auditors") && subject.contains("= ops"), "\(subject)")
      try await shell.succeed("openssl x509 -in \(directory)/alice.crt -noout -checkend \(6 * 86_400)")
      try await shell.fail("openssl x509 -in \(directory)/alice.crt -noout -checkend \(8 * 86_400)")
    }
  }

  @Test func `what users were given is listed, and taken back with what they gave`() async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      _ = try PlatformAuthorities.loadOrCreate(directory: layout.pki, domain: "nagaya.test")
      try Kubeconfig(
        name: "nagaya", cluster: .init(server: "https://127.0.0.1:7443"), user: .init(token: .inline([65]))
      ).write(to: layout.kubeconfig)
      for (user, issuer) in [("alice", "root"), ("bob", "alice"), ("carol", "root")] {
        let made = await CommandRunner()(
          "create", "user", user, "--issued-by", issuer, "--state-dir", directory, "--output", "\(directory)/\(user)")
        #expect(made.code == 0, "\(made.error)")
      }
      let revoked = await CommandRunner()("revoke", "user", "alice", "--state-dir", directory)
      #expect(revoked.code == 0 && revoked.error.contains("bob"), "\(revoked.error)")
      let token = await CommandRunner()("revoke", "token", "robot", "-n", "demo", "--state-dir", directory)
      #expect(token.code == 0, "\(token.error)")
      let list = await CommandRunner()("get", "users", "--state-dir", directory)
      let lines = list.out.split(separator: "\n")
      #expect(lines.count == 4)
      for (user, status) in [("alice", "Revoked"), ("bob", "Revoked"), ("carol", "Valid")] {
        #expect(lines.contains { $0.hasPrefix(user) && $0.hasSuffix(status) }, "\(list.out)")
      }
      #expect(try FileManager.default.attributesOfItem(atPath: layout.revocations)[.posixPermissions] as? Int == 0o600)
      let kept = try UserRecords(layout: layout).revocations
      #expect(kept.users.keys.sorted() == ["alice"] && kept.accounts.keys.sorted() == ["demo/robot"])
    }
  }

  @Test func `without a platform there is no user, and no authority is made`() async throws {
    try await withTemporaryDirectory { directory in
      let result = await CommandRunner()("create", "user", "alice", "--state-dir", directory)
      #expect(result.code == 1)
      #expect(result.error.contains("--state-dir"))
      let made = try FileManager.default.contentsOfDirectory(atPath: directory)
      #expect(made.isEmpty)
    }
  }

  @Test(arguments: [
    ["system:admin"], ["alice", "--group", "system:masters"], [""], ["a b"], ["alice", "--days", "0"],
    [String(repeating: "x", count: 65)],
  ]) func `names of the platform and impossible ones are refused`(_ arguments: [String]) async {
    let result = await CommandRunner().run(["create", "user"] + arguments)
    #expect(result.code == 2, "\(result.error)")
    #expect(result.out.isEmpty)
  }
}
