import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import TestSupport
import Testing

@testable import APIServer

@Suite struct AuditLogTests {
  private static func directory() throws -> String {
    let directory = "/tmp/nagaya-audit-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    return directory
  }

  private static func event(
    _ method: String, _ uri: String, status: Int = 200, user: String = "alice", agent: String? = nil
  ) -> AuditEvent {
    AuditEvent(
      identifier: "id", received: .now, uri: uri, path: String(uri.prefix { $0 != "?" }), method: method,
      isWatch: uri.contains("watch=1"), user: UserInfo(name: user), impersonation: nil, sourceAddress: "192.0.2.1",
      userAgent: agent, status: status, isLasting: false)
  }

  private static func lines(_ path: String) -> [JSONValue] {
    ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").map {
      (try? JSONValue(parsing: Array($0.utf8))) ?? .null
    }
  }

  @Test(arguments: [
    ("POST", "/api/v1/namespaces/a/configmaps", 201, true), ("GET", "/api/v1/namespaces/a/configmaps", 200, false),
    ("GET", "/api/v1/namespaces/a/secrets/s", 200, true), ("GET", "/api/v1/secrets?watch=1", 200, true),
    ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", 200, true), ("GET", "/healthz", 200, false),
    ("PUT", "/apis/coordination.k8s.io/v1/namespaces/k/leases/l", 200, false),
    ("PATCH", "/api/v1/nodes/n/status", 200, false), ("PATCH", "/api/v1/nodes/n", 200, true),
    ("POST", "/api/v1/namespaces/a/events", 201, false), ("GET", "/api/v1/pods", 403, true),
    ("GET", "/api/v1/pods", 401, true), ("POST", "/api/v1/namespaces/a/serviceaccounts/s/token", 201, true),
    ("DELETE", "/api/v1/namespaces/a/pods", 200, true),
    ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 201, false),
  ])
  func writesAndReadsOfRightsAreNoted(method: String, path: String, status: Int, isNoted: Bool) {
    #expect(AuditPolicy.isNoted(Self.event(method, path, status: status)) == isNoted)
  }

  @Test func impersonationAndItsTargetAreNoted() throws {
    var event = Self.event("GET", "/api/v1/namespaces/a/pods/p")
    event.impersonation = Impersonation(user: "bob", groups: ["g"])
    #expect(AuditPolicy.isNoted(event))
    let json = try JSONValue(parsing: event.line)
    #expect(json["impersonatedUser"]["username"] == "bob")
    #expect(json["user"]["username"] == "alice")
    #expect(json["verb"] == "get" && json["objectRef"]["name"] == "p" && json["objectRef"]["namespace"] == "a")
    #expect(json["kind"] == "Event" && json["apiVersion"] == "audit.k8s.io/v1" && json["level"] == "Metadata")
    #expect(json["sourceIPs"] == ["192.0.2.1"])
  }

  @Test(arguments: [
    "?token=geheim", "?access_token=geheim", "?%74oken=geheim", "?a=b&TOKEN=geheim&c=d", "?client_secret=geheim",
    "?password=geheim", "?Authorization=geheim", "?x=1&to%6ben=geheim",
  ])
  func secretsInParametersAreNot(query: String) {
    #expect(!AuditEvent.redacted("/api/v1/pods\(query)").contains("geheim"))
  }

  @Test(.timeLimit(.minutes(15))) func filesAreBoundedPrivateAndWhole() async throws {
    let directory = try Self.directory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var limits = AuditLog.Limits()
    limits.fileBytes = 100_000
    let log = AuditLog(path: "\(directory)/audit.log", limits: limits, logger: Logger(label: "test.audit"))
    for round in 0..<40 {
      for index in 0..<50 { log.record(Self.event("POST", "/api/v1/namespaces/a/pods?round=\(round).\(index)")) }
      try await eventually("written") { log.counts.written == (round + 1) * 50 }
    }
    #expect(log.counts.dropped == 0)
    for name in ["audit.log", "audit.log.1"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")
      #expect((attributes[.posixPermissions] as? Int) == 0o600)
      #expect((attributes[.size] as? Int ?? .max) < 150_000)
      #expect(Self.lines("\(directory)/\(name)").allSatisfy { $0["kind"] == "Event" })
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 2)
    #expect(Self.lines("\(directory)/audit.log").last?["requestURI"] == "/api/v1/namespaces/a/pods?round=39.49")
  }

  @Test func whatCannotBeWrittenIsDroppedAndCountedAndNobodyWaits() async throws {
    var logger = Logger(label: "test.audit")
    logger.logLevel = .critical
    let log = AuditLog(path: "/proc/nowhere/audit.log", logger: logger)
    for _ in 0..<10 { log.record(Self.event("POST", "/api/v1/namespaces/a/pods")) }
    try await eventually("dropped") { log.counts.dropped == 10 }
    #expect(log.counts.written == 0)
  }

  @Test func refusalsOfOneUserAreThinnedAndOthersAreNot() async throws {
    let directory = try Self.directory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var limits = AuditLog.Limits()
    limits.refusalsPerSecond = 0.001
    let log = AuditLog(path: "\(directory)/audit.log", limits: limits, logger: Logger(label: "test.audit"))
    limits.refusalsPerSecond = 0.001
    for _ in 0..<100 { log.record(Self.event("GET", "/api/v1/secrets", status: 403, user: "mallory")) }
    log.record(Self.event("DELETE", "/api/v1/namespaces/a/pods/p", user: "mallory"))
    try await eventually("the deed is written") {
      Self.lines("\(directory)/audit.log").contains { $0["verb"] == "delete" }
    }
    #expect(log.counts.dropped >= 99)
  }
}
