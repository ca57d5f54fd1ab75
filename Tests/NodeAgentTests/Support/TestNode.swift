import APIServer
import CRI
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import TestSupport
import Testing

@testable import NodeAgent

/// A node of one test: containerd, an API server in memory, and an agent that can be restarted.
struct TestNode: Sendable {
  let engine: TestEngine
  let client: KubernetesClient
  let name = "test-node"
  let logs: NodeLogs
  /// What says whose a token is.
  let tokens: AccountTokens

  var directory: String { "\(engine.directory)/S/node" }

  /// Runs a body with a node whose agent runs.
  static func with(_ body: @Sendable (TestNode) async throws -> Void) async throws {
    try await withoutAgent { node in
      try await node.withAgent { _ in try await body(node) }
    }
  }

  /// Runs a body with everything but the agent.
  static func withoutAgent(_ body: @Sendable (TestNode) async throws -> Void) async throws {
    try await TestEngine.with { engine in
      let keys = SigningKeys()
      try await APIServer.withInMemory(
        registry: .standard, logger: engine.logger,
        virtualResources: { objects, authorizer in
          let tokens = AccountTokens(keys: keys, objects: objects)
          return [TokenResources(tokens: tokens, objects: objects, authorizer: authorizer)]
        }
      ) { server in
        let node = TestNode(
          engine: engine,
          client: KubernetesClient(InProcessTransport(server, as: .component("node")), userAgent: "test"),
          logs: NodeLogs(directory: "\(engine.directory)/S/node"), tokens: AccountTokens(keys: keys, objects: server))
        try await body(node)
      }
    }
  }

  /// One life of an agent: it ends with the body, as a stopped process does; pods go on.
  /// - Parameters:
  ///   - client: its way to the API, if it is not the test's.
  ///   - clock: what time it is for tokens; with one of its own, pods and their files are looked at all the time.
  func withAgent(
    client: KubernetesClient? = nil, clock: (@Sendable () -> Timestamp)? = nil,
    _ body: @Sendable (NodeAgent) async throws -> Void
  ) async throws {
    let agent = try NodeAgent(
      NodeConfiguration(
        name: name, address: "127.0.0.1", directory: directory, runtimeSocket: engine.layout.socket,
        network: engine.network, crashBackOff: (.seconds(1), .seconds(4)),
        resync: clock == nil ? .seconds(5) : .milliseconds(200), heartbeat: .seconds(1),
        volumeRefresh: clock == nil ? .seconds(60) : .milliseconds(100)),
      client: client ?? self.client, clock: clock ?? { .now }, logger: engine.logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await agent.run() }
      defer { group.cancelAll() }
      try await body(agent)
    }
  }

  /// Creates a pod that is bound to this node already.
  @discardableResult
  func create(_ name: String, _ container: JSONValue, spec: JSONValue = [:]) async throws -> KubernetesObject {
    var first = container
    if first["name"].isNull { first["name"] = "main" }
    if first["image"].isNull { first["image"] = .string(TestEngine.image) }
    var pod = KubernetesObject(.pods, namespace: "default", name: name, labels: ["app": name])
    pod.spec = spec
    pod.spec["nodeName"] = .string(self.name)
    pod.spec["containers"] = .array([first] + spec["containers"].elements)
    if pod.spec["terminationGracePeriodSeconds"].isNull { pod.spec["terminationGracePeriodSeconds"] = 5 }
    return try await client.create(pod, as: .pods)
  }

  func pod(_ name: String) async throws -> KubernetesObject {
    try await client.get(.pods, namespace: "default", name: name)
  }

  /// Waits until a pod is as wanted, and returns it.
  @discardableResult
  func wait(
    _ name: String, until what: String, within limit: Duration = .seconds(180),
    _ condition: @Sendable (KubernetesObject) -> Bool
  ) async throws -> KubernetesObject {
    let isMet = try await eventually(within: limit) { condition(try await pod(name)) }
    let last = try await pod(name)
    if !isMet {
      Issue.record("not in time: \(name) \(what): \(String(decoding: last.status.encodedForReading(), as: UTF8.self))")
    }
    return last
  }

  func delete(_ name: String) async throws {
    try await client.delete(.pods, namespace: "default", name: name)
    try await eventually("\(name) is gone") {
      (try? await client.getIfPresent(.pods, namespace: "default", name: name)) == .some(.none)
    }
  }

  /// What a pod's web server answers; `nil` if it does not.
  func get(_ pod: KubernetesObject, _ path: String) async -> String? {
    guard let address = pod.status["podIP"].string else { return nil }
    return try? await Command.run("/usr/bin/curl", ["-sf", "--max-time", "2", "http://\(address):8080\(path)"])
  }

  func log(_ pod: KubernetesObject, _ options: PodLogOptions = PodLogOptions()) async throws -> String {
    var bytes: [UInt8] = []
    for try await chunk in try await logs.log(of: pod, options: options) { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension KubernetesObject {
  var isReady: Bool {
    status["conditions"].elements.contains { $0["type"].string == "Ready" && $0["status"].string == "True" }
  }
  var containerStatus: JSONValue { status["containerStatuses"][0] }
}
