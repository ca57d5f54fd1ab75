import CertificateAuthority
import Foundation
import KubernetesAPI
import TestSupport
import Testing

@testable import APIServer

@Suite struct RevocationTests {
  private static func revoke(_ harness: FrontHarness, _ users: [String: Int64], offset: Int64 = 0) throws {
    var list = Revocations.List()
    list.users = users.mapValues { $0 + offset }
    let path = "\(harness.directory)/revocations.json"
    try Data(list.json.encoded()).write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  @Test(arguments: FrontTests.versions) func `a revoked user's open watch ends, and the next request is refused`(
    version: String
  ) async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let alice = try harness.client("alice")
      let watch = try Command.start(
        "curl",
        ["-sS", "-N", "--max-time", "60", "--cacert", harness.authorityPath, "\(harness.url)/watch", version] + alice)
      try await eventually("the watch has begun") { watch.output.contains("begin") }
      try Self.revoke(harness, ["alice": Timestamp.now.seconds])
      try await eventually("the watch has ended") { harness.front.counts.streams == 0 }
      _ = await watch.finished()
      let refused = try await harness.curl("/who", alice + [version])
      #expect(refused.status == 401 && refused.body.contains("revoked"), "\(refused.body)")
      let bob = try await harness.curl("/who", try harness.client("bob") + [version])
      #expect(bob.status == 200)
    }
  }

  @Test func `what a revoked user had issued for others ends, and what is issued later holds`() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      func client(issuedBy issuer: String, after seconds: TimeInterval = 0) throws -> [String] {
        try harness.write(
          try harness.authority.issue(
            .client(commonName: "bob", organizations: [], issuedBy: issuer), now: Date().addingTimeInterval(seconds)),
          "bob-\(UUID().uuidString)")
      }
      let (given, other) = (try client(issuedBy: "alice"), try client(issuedBy: "root"))
      #expect(try await harness.curl("/who", given).status == 200)
      try Self.revoke(harness, ["alice": Timestamp.now.seconds])
      #expect(try await harness.curl("/who", given).status == 401)
      #expect(try await harness.curl("/who", other).status == 200)
      #expect(try await harness.curl("/who", try client(issuedBy: "alice", after: 60)).status == 200)
    }
  }

  @Test func `the server's certificate is renewed while connections are open`() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let other = try CertificateAuthority.loadOrCreate(directory: "\(harness.directory)/renewed")
      let alice = try harness.client("alice")
      let watch = try Command.start(
        "curl", ["-sS", "-N", "--max-time", "60", "--cacert", harness.authorityPath, "\(harness.url)/watch"] + alice)
      try await eventually("the watch has begun") { watch.output.contains("begin") }
      try harness.front.use(
        try other.issueServer(commonName: "api", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]))
      let renewed = try await Command.run(
        "curl", ["-sS", "--cacert", "\(harness.directory)/renewed/ca.crt", "\(harness.url)/who"] + alice)
      #expect(renewed.status == 0 && renewed.output.contains("alice"), "\(renewed.errors)")
      #expect(harness.front.counts.streams == 1)
      watch.kill()
      _ = await watch.finished()
    }
  }
}
