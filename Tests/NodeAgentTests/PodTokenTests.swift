import APIServer
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Locking
import TestSupport
import Testing

@testable import NodeAgent

/// Tokens of service accounts in pods: there, renewed in time, whose they should be, and worth nothing afterwards.
@Suite(.serialized) struct PodTokenTests {
  static let place = "/file/var/run/secrets/kubernetes.io/serviceaccount"

  private static func prepare(_ node: TestNode) async throws {
    try await node.client.create(
      KubernetesObject(.serviceAccounts, namespace: "default", name: "robot"), as: .serviceAccounts)
    var map = KubernetesObject(.configMaps, namespace: "default", name: "kube-root-ca.crt")
    map["data"] = ["ca.crt": "the roots"]
    try await node.client.create(map, as: .configMaps)
  }

  /// Waits until the agent has compared the pod's files with the API once more.
  private static func refreshed(_ node: TestNode, _ pod: KubernetesObject) async throws {
    let text = UUID().uuidString
    try await node.client.patch(
      .configMaps, namespace: "default", name: "kube-root-ca.crt", ["data": ["ca.crt": .string(text)]])
    try await eventually("the files are compared again") { await node.get(pod, "\(place)/ca.crt") == text }
  }

  @Test
  func `a token is renewed at four fifths of its life, over a restart of the agent, and kept while the API is away`()
    async throws
  {
    try await TestNode.withoutAgent { node in
      try await Self.prepare(node)
      let ahead = Offset()
      let clock: @Sendable () -> Timestamp = { Timestamp.now.adding(seconds: ahead.seconds) }
      let away = FailingTokens(node.client.transport)
      let client = KubernetesClient(away, userAgent: "test")
      try await node.create(
        "reader", ["args": ["serve"]],
        spec: ["serviceAccountName": "robot", "automountServiceAccountToken": true])
      let kept = Mutexed<[String: String]>([:])
      try await node.withAgent(client: client, clock: clock) { _ in
        let pod = try await node.wait("reader", until: "ready") { $0.isReady }
        let published = await node.get(pod, "\(Self.place)/token")
        let token = try #require(published)
        let bearer = try #require(node.tokens.bearer(of: token))
        #expect(bearer.user.name == "system:serviceaccount:default:robot")
        #expect(await node.get(pod, "\(Self.place)/namespace") == "default")
        ahead.set(3607 * 4 / 5 - 100)
        try await Self.refreshed(node, pod)
        #expect(await node.get(pod, "\(Self.place)/token") == token, "not before its time")
        away.fail(true)
        ahead.set(3607 * 4 / 5 + 100)
        try await eventually("a new one is asked for") { away.count > 0 }
        try await Self.refreshed(node, pod)
        #expect(await node.get(pod, "\(Self.place)/token") == token, "it holds, and there is no other")
        away.fail(false)
        try await eventually("it is renewed") {
          guard let newer = await node.get(pod, "\(Self.place)/token"), newer != token else { return false }
          return node.tokens.bearer(of: newer) != nil
        }
      }
      ahead.set(0)
      try await node.withAgent(client: client, clock: clock) { _ in
        let pod = try await node.pod("reader")
        try await Self.refreshed(node, pod)
        let token = await node.get(pod, "\(Self.place)/token")
        let first = try #require(token)
        kept.set("token", first)
        try await Self.refreshed(node, pod)
        #expect(
          await node.get(pod, "\(Self.place)/token") == first, "an agent that starts anew has no need of another one")
        ahead.set(3607 * 4 / 5 + 100)
        try await eventually("this agent renews it, too") {
          await node.get(pod, "\(Self.place)/token").map { $0 != first } ?? false
        }
        #expect(node.tokens.bearer(of: first) != nil)
        try await node.delete("reader")
      }
      let first = try #require(kept.get("token"))
      let held = try await attempt(Attack(.podWithToken, "a token after the pod's end", on: .platformRights)) {
        let user = node.tokens.bearer(of: first)?.user.name
        return .check(user == nil, user ?? "refused")
      }
      #expect(held)
      #expect(Directory.namesIfReadable(in: "\(node.directory)/pods").isEmpty)
      // Nothing that was written down holds it.
      let log = (SmallFile.text(node.engine.layout.logFile) ?? "")
      #expect(!log.contains(first.suffix(40)))
    }
  }

  @Test func `a pod that has ended by itself has no token any more`() async throws {
    try await TestNode.with { node in
      try await Self.prepare(node)
      let pod = try await node.create(
        "once", ["args": ["serve"]],
        spec: ["serviceAccountName": "robot", "automountServiceAccountToken": true, "restartPolicy": "Never"])
      let running = try await node.wait("once", until: "ready") { $0.isReady }
      let published = await node.get(running, "\(Self.place)/token")
      let token = try #require(published)
      #expect(node.tokens.bearer(of: token) != nil)
      _ = await node.get(running, "/quit")
      try await node.wait("once", until: "over") { $0.isPodEnded }
      let held = try await attempt(
        Attack(.podWithToken, "a token after the pod's containers have ended for good", on: .platformRights)
      ) {
        let user = node.tokens.bearer(of: token)?.user.name
        return .check(user == nil, user ?? "refused")
      }
      #expect(held)
      try await eventually("it is not in memory any more") {
        Directory.namesIfReadable(in: "\(node.directory)/pods/\(pod.uid)/volumes/files").allSatisfy {
          !VolumeMounts.isMounted("\(node.directory)/pods/\(pod.uid)/volumes/files/\($0)")
        }
      }
    }
  }

  /// User, group and mode of files, as upstream has them.
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let security: JSONValue
    let token: (user: UInt32, group: UInt32, mode: UInt32)
    let secret: (group: UInt32, mode: UInt32)
  }

  static let rows = [
    Row(testDescription: "root", security: [:], token: (0, 0, 0o644), secret: (0, 0o400)),
    Row(
      testDescription: "a user", security: ["runAsUser": 1234], token: (1234, 0, 0o600), secret: (0, 0o400)),
    Row(
      testDescription: "a group", security: ["fsGroup": 4321], token: (0, 4321, 0o640), secret: (4321, 0o440)),
    Row(
      testDescription: "both", security: ["runAsUser": 1234, "fsGroup": 4321], token: (1234, 4321, 0o640),
      secret: (4321, 0o440)),
  ]

  @Test func `files are the pod's user's and group's, and can be read by them`() async throws {
    try await TestNode.with { node in
      try await Self.prepare(node)
      var secret = KubernetesObject(.secrets, namespace: "default", name: "word")
      secret["data"] = ["word": .string(Base64.encode("hush".utf8))]
      try await node.client.create(secret, as: .secrets)
      for (index, row) in Self.rows.enumerated() {
        let made = try await node.create(
          "pod-\(index)",
          [
            "args": ["serve"],
            "volumeMounts": [["name": "word", "mountPath": "/word"], ["name": "other", "mountPath": "/other"]],
          ],
          spec: [
            "serviceAccountName": "robot", "automountServiceAccountToken": true, "securityContext": row.security,
            "volumes": [
              ["name": "word", "secret": ["secretName": "word", "defaultMode": 0o400]],
              [
                "name": "other",
                "projected": [
                  "sources": [
                    ["serviceAccountToken": ["path": "deep/token", "audience": "vault", "expirationSeconds": 600]]
                  ]
                ],
              ],
            ],
          ])
        let pod = try await node.wait("pod-\(index)", until: "ready") { $0.isReady }
        let volumes = "\(node.directory)/pods/\(made.uid)/volumes/files"
        let name = try #require(Directory.namesIfReadable(in: volumes).first { $0.hasPrefix("kube-api-access-") })
        let token = try Self.attributes("\(volumes)/\(name)/..data/token")
        #expect(token == row.token, "\(row.testDescription)")
        let word = try Self.attributes("\(volumes)/word/..data/word")
        #expect((word.group, word.mode) == row.secret, "\(row.testDescription)")
        #expect(await node.get(pod, "\(Self.place)/token") != nil, "\(row.testDescription)")
        // Whoever is not root reads secrets of their group alone.
        let isReadable = row.security["runAsUser"].isNull || !row.security["fsGroup"].isNull
        #expect((await node.get(pod, "/file/word/word") == "hush") == isReadable, "\(row.testDescription)")
        // A token for somebody else opens nothing here.
        let published = await node.get(pod, "/file/other/deep/token")
        let other = try #require(published)
        #expect(node.tokens.bearer(of: other) == nil)
        #expect(node.tokens.bearer(of: other, audiences: ["vault"])?.user.name == "system:serviceaccount:default:robot")
        try await node.delete("pod-\(index)")
      }
    }
  }

  private static func attributes(_ path: String) throws -> (user: UInt32, group: UInt32, mode: UInt32) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw SystemError("stat", path, errno: errno) }
    return (status.st_uid, status.st_gid, UInt32(status.st_mode) & 0o7777)
  }

  @Test func `what is no token is replaced, and so is another pod's`() throws {
    var pod = KubernetesObject(.pods, namespace: "default", name: "p")
    pod.metadata["uid"] = "u1"
    let wanted = try #require(TokenProjection(source: ["serviceAccountToken": ["path": "token"]]))
    func token(_ claims: JSONValue) -> [UInt8] {
      Array("e30.\(Base64.encodeForURL(claims.encoded())).c2ln".utf8)
    }
    let good: JSONValue = [
      "iat": 1000, "exp": 2000, "aud": [.string(TokenProjection.apiAudience)],
      "kubernetes.io": ["pod": ["uid": "u1"], "serviceaccount": ["name": "default"]],
    ]
    let known = try #require(PublishedToken(token(good)))
    #expect(known.isMeant(for: pod, wanted) && known.renewal == 1800)
    for (path, value) in [
      (["kubernetes.io", "pod", "uid"], JSONValue.string("u2")),
      (["kubernetes.io", "serviceaccount", "name"], "robot"),
      (["aud"], ["vault"]), (["aud"], []),
    ] {
      var claims = good
      switch path.count {
      case 1: claims[path[0]] = value
      default: claims[path[0]][path[1]][path[2]] = value
      }
      #expect(PublishedToken(token(claims)).map { !$0.isMeant(for: pod, wanted) } ?? true)
    }
    for claims: JSONValue in [[:], ["iat": 5, "exp": 5], ["iat": "1", "exp": 2], []] {
      #expect(PublishedToken(token(claims)) == nil)
    }
    for text in ["", "..", "a.b", "a.b.c.d", "e30.%%%.x"] { #expect(PublishedToken(Array(text.utf8)) == nil) }
    var far = good
    (far["iat"], far["exp"]) = (.integer(.min), .integer(.max))
    #expect(PublishedToken(token(far))?.renewal == .min)
  }
}

/// How far the agent's clock is ahead.
private final class Offset: Sendable {
  private let value = Mutex<Int64>(0)
  var seconds: Int64 { value.withLock { $0 } }
  func set(_ seconds: Int64) { value.withLock { $0 = seconds } }
}

/// A way to the API on which requests for tokens fail when they are told to.
private final class FailingTokens: APITransport {
  private let inner: any APITransport
  private let state = Mutex<(fails: Bool, count: Int)>((false, 0))

  init(_ inner: any APITransport) { self.inner = inner }

  func fail(_ fails: Bool) { state.withLock { $0.fails = fails } }
  /// Requests that failed.
  var count: Int { state.withLock { $0.count } }

  func send(_ request: APIRequest) async throws -> APIResponse {
    let fails = state.withLock { state in
      guard state.fails, request.path.hasSuffix("/token") else { return false }
      state.count += 1
      return true
    }
    if fails { throw APIStatus(.serviceUnavailable, "the API is away") }
    return try await inner.send(request)
  }
}
