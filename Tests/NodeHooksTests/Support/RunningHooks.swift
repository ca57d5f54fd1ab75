import LinuxSystem
import Locking
import Logging
import NRI
import NRIHarness
import TestSupport
import Testing

@testable import NodeHooks

/// The hooks as a service of the test's process, connected with a real containerd.
struct RunningHooks: Sendable {
  let hooks: NodeHooks
  let notices: ServiceTests.Notices

  static func with(
    _ stage: ContainerdStage, policies: String? = nil, failure: FailPolicy = .fail, hooks more: [Hook] = [],
    _ body: @Sendable (RunningHooks) async throws -> Void
  ) async throws {
    var configuration = NodeHooksConfiguration(
      runtimeSocket: stage.nriSocket, identity: try #require(NRIIdentity(name: "nagaya-hooks", index: "50")))
    configuration.failure = failure
    configuration.hooks = more
    if let policies {
      try SmallFile.write(Array(policies.utf8), to: "\(stage.directory)/policies.yaml")
      configuration.policyFile = "\(stage.directory)/policies.yaml"
      configuration.policyInterval = .milliseconds(10)
    }
    let notices = ServiceTests.Notices()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let running = RunningHooks(
      hooks: try NodeHooks(configuration, logger: logger) { notices.add($0) }, notices: notices)
    let task = Task { try await running.hooks.run() }
    let result: Result<Void, any Error>
    do {
      try await running.connected()
      result = .success(try await body(running))
    } catch { result = .failure(error) }
    task.cancel()
    _ = await task.result
    try result.get()
  }

  /// Waits until nothing is left of connections with a runtime that has ended by now.
  ///
  /// A runtime that ends may take one more connection on its way: that one is not with the next runtime.
  /// - Returns: the connections there were.
  func disconnected() async throws -> Int {
    let before = hooks.counters.now.disconnections
    try await eventually("an attempt has failed since") { hooks.counters.now.disconnections > before }
    return hooks.counters.now.connections
  }

  func connected(_ times: Int = 1) async throws {
    try await eventually("connection \(times)") { hooks.counters.now.connections >= times }
  }
}
