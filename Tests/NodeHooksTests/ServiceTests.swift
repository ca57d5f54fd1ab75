import Dispatch
import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import Locking
import Logging
import NIOCore
import NRI
import NRIHarness
import PlatformHarness
import TTRPC
import TestSupport
import Testing

@testable import NodeHooks

/// The service with a runtime that a test plays.
struct ServiceTests {
  final class Notices: Sendable {
    private let kept = Mutex<[HookNotice]>([])
    var all: [HookNotice] { kept.withLock { $0 } }
    func add(_ notice: HookNotice) { kept.withLock { $0.append(notice) } }
  }

  struct Stage: Sendable {
    let runtime: FakeRuntime
    let hooks: NodeHooks
    let notices: Notices
    let directory: String

    /// The plugin of the newest connection.
    func plugin(_ number: Int = 1) async throws -> FakeRuntime.Plugin {
      try await eventually("connection \(number)") { runtime.plugins.count >= number }
      return runtime.plugins[number - 1]
    }

    func create(_ annotations: [String: String] = [:], id: String = "c1", on plugin: FakeRuntime.Plugin) async throws
      -> NRIContainerAdjustment
    {
      let request = NRICreateContainerRequest.with {
        $0.pod = .with {
          ($0.id, $0.name, $0.namespace) = ("p1", "pod", "shop-dev")
          $0.annotations = annotations
        }
        $0.container = .with { ($0.id, $0.podSandboxID, $0.name) = (id, "p1", "db") }
      }
      let answer: NRICreateContainerResponse = try await plugin.call("CreateContainer", request)
      return answer.adjust
    }

    func get(_ path: String) async throws -> String {
      try await Shell().succeed("curl -s --fail --unix-socket \(directory)/run/status.sock 'http://localhost\(path)'")
    }
  }

  private static let policies = """
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: p}
    spec: {resources: {pids: {max: 50}}, ulimits: [{type: NOFILE, max: 100}]}
    """

  private func with(hooks more: [Hook] = [], _ body: @Sendable (Stage) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-hooks-\(UInt32.random(in: 0 ... .max))"
    try Directory.make(directory)
    try SmallFile.write(Array(Self.policies.utf8), to: "\(directory)/policies.yaml")
    let runtime = FakeRuntime(socket: "\(directory)/nri.sock")
    try await runtime.start()
    var configuration = NodeHooksConfiguration(
      runtimeSocket: runtime.socket, identity: try #require(NRIIdentity(name: "nagaya-hooks", index: "50")))
    configuration.statusSocket = "\(directory)/run/status.sock"
    configuration.policyFile = "\(directory)/policies.yaml"
    configuration.policyInterval = .milliseconds(10)
    configuration.longestWait = .milliseconds(200)
    configuration.hooks = more
    let notices = Notices()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let hooks = try NodeHooks(configuration, logger: logger) { notices.add($0) }
    let running = Task { try await hooks.run() }
    let result: Result<Void, any Error>
    do {
      result = .success(
        try await body(Stage(runtime: runtime, hooks: hooks, notices: notices, directory: directory)))
    } catch { result = .failure(error) }
    running.cancel()
    _ = await running.result
    await runtime.stop()
    try Directory.removeTree(directory)
    try result.get()
  }

  @Test func `containers are adjusted and marked, and refused with the reason`() async throws {
    try await with { stage in
      let plugin = try await stage.plugin()
      let adjust = try await stage.create(
        ["ulimits.noderesource.dev/container.db": "- {type: NOFILE, soft: 10, hard: 20}"], on: plugin)
      #expect(adjust.rlimits.map(\.hard) == [20])
      #expect(adjust.linux.resources.pids.limit == 50)
      #expect(adjust.annotations[Adjustment.mark]?.contains("pids 50, by policy p") == true)
      let error = await #expect(throws: TTRPCError.self) {
        try await stage.create(
          ["ulimits.noderesource.dev/container.db": "- {type: NOFILE, hard: 101}"], id: "c2", on: plugin)
      }
      #expect(error?.message.contains("policy p") == true)
      #expect(stage.notices.all.map(\.kind) == [.refused])
      #expect(stage.hooks.counters.now.refused == 1 && stage.hooks.counters.now.adjusted == 1)
    }
  }

  @Test func `it connects again whenever the runtime was away`() async throws {
    try await with { stage in
      _ = try await stage.plugin()
      for _ in 0..<10 {
        await stage.runtime.stop()
        try await stage.runtime.start()
        let plugin = try await stage.plugin()
        let adjust = try await stage.create(on: plugin)
        #expect(adjust.linux.resources.pids.limit == 50)
      }
      try await eventually("connections are counted") { stage.hooks.counters.now.connections == 11 }
    }
  }

  @Test func `a dropped connection is made anew`() async throws {
    try await with { stage in
      try await stage.plugin().drop()
      _ = try await stage.create(on: stage.plugin(2))
    }
  }

  /// A runtime that says nothing that can be understood, and breaks off in all ways.
  @Test func `a runtime that speaks nonsense is left, and a good one found after it`() async throws {
    try await with { stage in
      _ = try await stage.plugin()
      await stage.runtime.stop()
      var generator = SeededGenerator(seed: 1)
      let pieces = (0..<64).map { _ in
        (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
      }
      let accepted = Mutex(0)
      let listener = try await UnixSocketListener(stage.runtime.socket) { connection in
        let number = accepted.withLock { count in
          defer { count += 1 }
          return count
        }
        Task {
          // A header of the trunk that is good, too long, or none; then the end, at once or never by itself.
          let head: [UInt8] =
            number % 3 == 0 ? [0, 0, 0, 1, 0, 0, 0, 200] : number % 3 == 1 ? [0, 0, 0, 2, 255, 255, 255, 255] : []
          try? await connection.write(ByteBuffer(bytes: head + pieces[number % 64]))
          if number % 2 == 0 { try? await connection.closeOutput() } else { connection.close() }
          while let bytes = try? await connection.read(), bytes.readableBytes > 0 {}
          connection.close()
        }
      }
      try await eventually("it has come back some times") { accepted.withLock { $0 } >= 4 }
      await listener.close()
      try? FileManager.default.removeItem(atPath: stage.runtime.socket)
      try await stage.runtime.start()
      let adjust = try await stage.create(on: stage.plugin())
      #expect(adjust.linux.resources.pids.limit == 50)
    }
  }

  @Test func `what was made without hooks is found, told of and brought in step as far as it can be`() async throws {
    try await with { stage in
      let plugin = try await stage.plugin()
      let request = NRISynchronizeRequest.with {
        $0.pods = [.with { ($0.id, $0.name, $0.namespace) = ("p1", "pod", "shop-dev") }]
        $0.containers = [
          .with { ($0.id, $0.podSandboxID, $0.name, $0.state) = ("missed", "p1", "db", .containerRunning) },
          .with {
            ($0.id, $0.podSandboxID, $0.name, $0.state) = ("made", "p1", "web", .containerRunning)
            $0.annotations[Adjustment.mark] = ""
            $0.linux.resources.pids.limit = 50
          },
          .with { ($0.id, $0.podSandboxID, $0.name, $0.state) = ("over", "p1", "old", .containerStopped) },
        ]
      }
      let answer: NRISynchronizeResponse = try await plugin.call("Synchronize", request)
      #expect(answer.update.map(\.containerID) == ["missed"])
      #expect(answer.update.first?.linux.resources.pids.limit == 50)
      #expect(stage.notices.all.map(\.kind) == [.unadjusted])
      let metrics = try await stage.get("/metrics")
      #expect(metrics.contains("nagaya_hooks_unadjusted_containers 1\n"))
      #expect(metrics.contains("nagaya_hooks_containers 2\n"))
    }
  }

  @Test func `changed policies reach what runs, and a wrong file changes nothing`() async throws {
    try await with { stage in
      let plugin = try await stage.plugin()
      _ = try await stage.create(on: plugin)
      let path = "\(stage.directory)/policies.yaml"
      try SmallFile.write(Array("nonsense: [".utf8), to: path)
      try await eventually("the fault is seen") { stage.hooks.counters.now.policyFaults >= 1 }
      let adjust = try await stage.create(id: "c2", on: plugin)
      #expect(adjust.linux.resources.pids.limit == 50)
      try SmallFile.write(Array(Self.policies.replacing("max: 50", with: "max: 40").utf8), to: path)
      try await eventually("both are changed") { stage.runtime.updates.count == 2 }
      #expect(Set(stage.runtime.updates.map(\.containerID)) == ["c1", "c2"])
      #expect(stage.runtime.updates.allSatisfy { $0.linux.resources.pids.limit == 40 })
      #expect(stage.hooks.decisions().first?.lines == ["pids 40, by policy p"])
    }
  }

  @Test func `the node agent hears of limits that changed while containers run, each once`() async throws {
    try await with { stage in
      let plugin = try await stage.plugin()
      let adjust = try await stage.create(
        ["ulimits.noderesource.dev/container.db": "- {type: NOFILE, soft: 10, hard: 20}"], on: plugin)
      let made = (adjust.annotations[HookLimits.annotation] ?? "").split(separator: "\n").map(String.init)
      #expect(made.count == 2 && made[1] == "pids 50, by policy p", "\(made)")
      func limits(_ version: String) async throws -> JSONValue {
        try JSONValue(parsing: Array(try await stage.get("/v1/limits?after=\(version)").utf8))
      }
      try await eventually("the socket answers") { (try? await limits("")) != nil }
      // Who knows no version gets all; what was made is told by the runtime.
      let all = try await limits("")
      #expect(all["containers"][0]["id"] == "c1" && all["containers"][0]["limits"].elements.count == 2)
      let version = all["version"].string ?? ""
      #expect(try await limits(version)["containers"] == [])
      try SmallFile.write(
        Array(Self.policies.replacing("{pids: {max: 50}}", with: "{pids: {max: 40}, memory: {max: 64Mi}}").utf8),
        to: "\(stage.directory)/policies.yaml")
      try await eventually("the change is told") { try await limits(version)["containers"].elements.count == 1 }
      let changed = try await limits(version)
      // The number of processes stays as it was made.
      let lines = changed["containers"][0]["limits"].elements.compactMap(\.string)
      #expect(lines.contains("pids 50, by policy p") && lines.contains("memory 67108864, by policy p"), "\(lines)")
      #expect(try await limits(changed["version"].string ?? "")["containers"] == [])
      for wrong in ["other-5", "-", "9", "x-y-z"] {
        #expect(try await limits(wrong)["containers"].elements.count == 1)
      }
    }
  }

  /// Runtimes drop a plugin after two seconds, and make containers without it.
  @Test func `a hook that waits for ever fails its container in time, and holds up no other`() async throws {
    let release = DispatchSemaphore(value: 0)
    let stuck = Hook("stuck") { pod, _ in
      if pod.annotations["stuck"] != nil { release.wait() }
      return Adjustment()
    }
    try await with(hooks: [stuck]) { stage in
      let plugin = try await stage.plugin()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<60 {
          group.addTask {
            let error = await #expect(throws: TTRPCError.self) {
              try await stage.create(["stuck": "yes"], id: "stuck\(number)", on: plugin)
            }
            #expect(error?.message.contains("the hooks did not decide in time") == true, "\(String(describing: error))")
          }
        }
        try await group.waitForAll()
      }
      #expect(stage.hooks.counters.now.late > 0 && stage.runtime.plugins.count == 1)
      // Threads come back once the hook does.
      for _ in 0..<60 { release.signal() }
      try await eventually("others are adjusted") {
        (try? await stage.create(id: "free", on: plugin))?.linux.resources.pids.limit == 50
      }
      #expect(stage.notices.all.allSatisfy { $0.kind == .refused })
    }
  }

  @Test func `the status socket is its owner's, and explains each container`() async throws {
    try await with { stage in
      let plugin = try await stage.plugin()
      _ = try await stage.create(on: plugin)
      try await eventually("the socket answers") {
        (try? FileStatus(of: "\(stage.directory)/run/status.sock"))??.permissions == 0o600
      }
      let json = try JSONValue(parsing: Array(try await stage.get("/v1/containers?namespace=shop-dev&pod=pod").utf8))
      #expect(json["containers"][0]["changes"] == ["pids 50, by policy p"])
      let none = try JSONValue(parsing: Array(try await stage.get("/v1/containers?namespace=bank").utf8))
      #expect(none["containers"] == [])
      let status = try JSONValue(parsing: Array(try await stage.get("/v1/hooks").utf8))
      #expect(status["connected"] == true && status["policies"] == 1)
      let metrics = try await stage.get("/metrics")
      #expect(metrics.contains("nagaya_hooks_answer_seconds_count 1\n"))
      #expect(metrics.contains("nagaya_hooks_connected 1\n"))
    }
  }

  @Test func `containers that are removed are forgotten`() async throws {
    try await with { stage in
      let plugin = try await stage.plugin()
      _ = try await stage.create(on: plugin)
      let event = NRIStateChangeEvent.with {
        $0.event = .removeContainer
        $0.container.id = "c1"
      }
      let _: NRIEmpty = try await plugin.call("StateChange", event)
      #expect(stage.hooks.decisions().isEmpty)
    }
  }
}
