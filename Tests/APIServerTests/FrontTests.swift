import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import ServiceLifecycle
import TestSupport
import Testing

import class LinuxSystem.ListeningSocket

@testable import APIServer

@Suite struct FrontTests {
  static let versions = ["--http1.1", "--http2"]

  @Test(arguments: versions) func aClientIsKnownByItsCertificateOrToken(version: String) async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let byCertificate = try await harness.curl("/who", try harness.client("alice", ["dev", "ops"]) + [version])
      #expect(byCertificate.status == 200, "\(byCertificate.body)")
      let answer = try JSONValue(parsing: byCertificate.body)
      #expect(answer["user"] == "alice")
      #expect(Set(answer["groups"].elements) == ["dev", "ops", "system:authenticated"])
      let byToken = try await harness.curl("/who", ["-H", "Authorization: Bearer dev-token", version])
      #expect(try JSONValue(parsing: byToken.body)["user"] == "dev")
      #expect(try JSONValue(parsing: byToken.body)["groups"] == ["devs", "system:authenticated"])
    }
  }

  @Test(arguments: versions) func whoIsNobodyIsToldSoWithAStatus(version: String) async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let stranger = try CertificateAuthority.loadOrCreate(directory: "\(harness.directory)/stranger")
      let past = Date().addingTimeInterval(-100 * 86_400)
      let cases: [(String, [String], String)] = [
        ("nothing", [], "Unauthorized"),
        ("wrong token", ["-H", "Authorization: Bearer wrong-token"], "token is not valid"),
        ("empty token", ["-H", "Authorization: Bearer "], "bearer"),
        ("password", ["-u", "alice:secret"], "only bearer tokens"),
        (
          "wrong authority",
          try harness.write(try stranger.issueClient(commonName: "alice", organizations: ["system:masters"]), "wrong"),
          "not from this server's authority"
        ),
        (
          "expired",
          try harness.write(
            try harness.authority.issue(
              .client(commonName: "alice", organizations: []), now: past, lifetime: 86_400), "expired"),
          "has expired"
        ),
        (
          "a server's certificate",
          try harness.write(try harness.authority.issueServer(commonName: "alice", dnsNames: ["alice.test"]), "server"),
          "not a client's"
        ),
      ]
      for (name, arguments, message) in cases {
        let answer = try await harness.curl("/api/v1/pods", arguments + [version])
        #expect(answer.status == 401, "\(name): \(answer.body)")
        let status = try JSONValue(parsing: answer.body)
        #expect(status["kind"] == "Status" && status["reason"] == "Unauthorized", "\(name)")
        #expect(status["message"].string?.contains(message) == true, "\(name): \(answer.body)")
      }
      for path in ["/healthz", "/livez", "/readyz", "/version"] {
        let answer = try await harness.curl(path, [version])
        #expect(answer.status == 200)
        #expect(try JSONValue(parsing: answer.body)["user"] == "system:anonymous")
      }
      let escaping = try await harness.curl("/healthz/../api", ["--path-as-is", version])
      #expect(escaping.status == 400)
      // A bad certificate does not stand in the way of a good token.
      let both = try await harness.curl("/who", cases[5].1 + ["-H", "Authorization: Bearer dev-token", version])
      #expect(try JSONValue(parsing: both.body)["user"] == "dev")
    }
  }

  @Test func oldTLSIsRefused() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let old = try await harness.curl("/healthz", ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"])
      #expect(old.exit != 0)
      let current = try await harness.curl("/healthz", ["--tls-max", "1.2"])
      #expect(current.status == 200)
    }
  }

  @Test(arguments: versions) func aBodyThatIsTooLargeIsRefusedAndTheServerLives(version: String) async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let path = "\(harness.directory)/large"
      try Data(repeating: 0x20, count: 10 << 20).write(to: URL(fileURLWithPath: path))
      let token = [
        "-H", "Authorization: Bearer dev-token", "-H", "Content-Type: application/json; charset=utf-8", version,
      ]
      for extra in [[], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked", "-H", "Expect:"]] {
        let answer = try await harness.curl("/large", token + ["--data-binary", "@\(path)"] + extra)
        #expect(answer.status == 413, "\(extra): \(answer.body)")
        #expect(answer.body.contains("RequestEntityTooLarge"))
      }
      try Data(repeating: 0x20, count: 3 << 20).write(to: URL(fileURLWithPath: path))
      let fits = try await harness.curl("/fits", token + ["--data-binary", "@\(path)"])
      #expect(try JSONValue(parsing: fits.body)["bytes"] == .integer(3 << 20))
      #expect(try JSONValue(parsing: fits.body)["type"] == "application/json")
      let unauthorized = try await harness.curl("/fits", [version, "--data-binary", "@\(path)", "-H", "Expect:"])
      #expect(unauthorized.status == 401)
    }
  }

  @Test(arguments: versions) func aStreamArrivesWholeAndAnIdleWatchIsEndedWhenItsClientIsGone(version: String)
    async throws
  {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let token = ["-H", "Authorization: Bearer dev-token", version]
      let count = try await harness.curl("/count", token)
      #expect(count.body.split(separator: "\n").count == 10)
      let watch = try Command.start(
        "curl", ["-sSN", "--cacert", harness.authorityPath, "\(harness.url)/watch"] + token)
      #expect(await eventually { watch.output == "begin\n" && harness.front.counts.streams == 1 })
      watch.kill()
      _ = await watch.finished()
      #expect(await eventually { harness.front.counts.streams == 0 })
      #expect(await eventually { harness.front.counts.connections == 0 })
    }
  }

  @Test(arguments: versions) func shutdownEndsEveryStreamCleanly(version: String) async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let token = ["-H", "Authorization: Bearer dev-token", version]
      let watch = try Command.start(
        "curl", ["-sSN", "--cacert", harness.authorityPath, "\(harness.url)/watch"] + token)
      #expect(await eventually { harness.front.counts.streams == 1 && watch.output == "begin\n" })
      await harness.shutDown()
      let result = await watch.finished()
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output == "begin\n")
    }
  }

  @Test(arguments: versions) func aClientThatTakesNothingIsCutOff(version: String) async throws {
    var limits = HTTPSFront.Limits()
    limits.stallTimeout = .milliseconds(300)
    try await FrontHarness.with(MirrorHandler(), limits: limits) { harness in
      let slow = try Command.start(
        "curl",
        [
          "-sSN", "-o", "/dev/null", "--cacert", harness.authorityPath, "\(harness.url)/endless", version,
          "-H", "Authorization: Bearer dev-token",
        ])
      #expect(await eventually { harness.front.counts.streams == 1 })
      slow.stop()
      #expect(await eventually { harness.front.counts.streams == 0 })
      slow.kill()
      _ = await slow.finished()
    }
  }

  @Test func aConnectionThatNeverSpeaksIsClosed() async throws {
    var limits = HTTPSFront.Limits()
    limits.handshakeTimeout = .milliseconds(300)
    try await FrontHarness.with(MirrorHandler(), limits: limits) { harness in
      let silent = try Command.start("bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(harness.port); cat <&3"])
      let result = await silent.finished()
      #expect(result.status == 0, "\(result.errors)")
      #expect(await eventually { harness.front.counts.connections == 0 })
    }
  }

  @Test func aHeadThatNeverEndsIsCutOff() async throws {
    var limits = HTTPSFront.Limits()
    limits.idleTimeout = .seconds(2)
    try await FrontHarness.with(MirrorHandler(), limits: limits) { harness in
      // A pipe that nobody writes to keeps the program's input open.
      let slow = try Command.start(
        "bash",
        [
          "-c",
          "mkfifo '\(harness.directory)/never'; exec 5<>'\(harness.directory)/never'; (printf 'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\nX-Slow: '; exec timeout 25 cat <&5) | openssl s_client -quiet -alpn http/1.1 -connect 127.0.0.1:\(harness.port)",
        ])
      #expect(await eventually { harness.front.counts.connections == 1 })
      #expect(await eventually { harness.front.counts.connections == 0 })
      slow.kill()
      _ = await slow.finished()
    }
  }

  @Test func headersThatAreTooLargeAreRefused() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let large = String(repeating: "x", count: 100_000)
      for version in Self.versions {
        let answer = try await harness.curl("/healthz", ["-H", "X-Large: \(large)", version])
        #expect(answer.status != 200, "\(version)")
        let after = try await harness.curl("/healthz", [version])
        #expect(after.status == 200)
      }
    }
  }

  @Test func `who connects between two fronts of one socket is served by the second`() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let socket = try ListeningSocket("127.0.0.1", port: 0)
      let port = try #require(socket.port)
      for turn in 1...3 {
        // Nobody accepts yet.
        let answer = Task {
          try await Command.run(
            "curl",
            ["-s", "--cacert", harness.authorityPath, "-w", "%{http_code}", "https://127.0.0.1:\(port)/healthz"])
        }
        try await Task.sleep(for: .milliseconds(100))
        let front = try HTTPSFront(
          port: 0, socket: dup(socket.descriptor.number),
          certificate: try harness.authority.issueServer(
            commonName: "x", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]),
          authenticator: try Authenticator(authority: harness.authority), handler: MirrorHandler(),
          logger: .init(label: "front"))
        let group = ServiceGroup(services: [front], logger: .init(label: "front"))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
          tasks.addTask { try await group.run() }
          #expect(try await front.port == port)
          #expect(try await answer.value.output.hasSuffix("200"), "turn \(turn)")
          await group.triggerGracefulShutdown()
          try await tasks.waitForAll()
        }
      }
    }
  }

  @Test func aPortThatIsTakenIsNamed() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let second = try HTTPSFront(
        port: harness.port, certificate: try harness.authority.issueServer(commonName: "x", dnsNames: ["localhost"]),
        authenticator: try Authenticator(authority: harness.authority), handler: MirrorHandler(),
        logger: .init(label: "second"))
      let failure = await #expect(throws: HTTPSFront.Failure.self) { try await second.run() }
      #expect(failure?.description.contains("127.0.0.1:\(harness.port)") == true)
    }
  }
}
