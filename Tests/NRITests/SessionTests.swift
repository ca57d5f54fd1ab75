import Foundation
import Locking
import NRIHarness
import TTRPC
import TestSupport
import Testing

@testable import NRI

/// A plugin and a runtime over real unix sockets.
struct SessionTests {
  /// Notes what it is told.
  private final class Notes: NRIHandling {
    struct State {
      var runtime = ""
      var pods: [String] = []
      var containers: [String] = []
      var happened: [String] = []
    }
    private let kept = Mutex(State())
    var state: State { kept.withLock { $0 } }
    let events: NRIEvents = [.createContainer, .removeContainer]

    func configure(_ request: NRIConfigureRequest) async { kept.withLock { $0.runtime = request.runtimeName } }

    func synchronize(_ pods: [NRIPodSandbox], _ containers: [NRIContainer]) async throws -> [NRIContainerUpdate] {
      kept.withLock {
        $0.pods += pods.map(\.id)
        $0.containers += containers.map(\.id)
      }
      return containers.map { container in .with { $0.containerID = container.id } }
    }

    func create(_ pod: NRIPodSandbox, _ container: NRIContainer) async throws -> NRIContainerAdjustment {
      if container.name == "refused" { throw HookRefusal(hook: "test", reason: "not \(pod.name)") }
      return .with { $0.annotations["seen"] = container.name }
    }

    func happened(_ event: NRIEvent, _ pod: NRIPodSandbox, _ container: NRIContainer?) async {
      kept.withLock { $0.happened.append("\(event) \(pod.id) \(container?.id ?? "-")") }
    }
  }

  private func with(_ body: @Sendable (FakeRuntime, FakeRuntime.Plugin, Notes) async throws -> Void) async throws {
    let runtime = FakeRuntime()
    try await runtime.start()
    let notes = Notes()
    let identity = try #require(NRIIdentity(name: "test", index: "42"))
    let session = Task {
      try await NRISession(identity, handler: notes).run(try await UnixSocketConnection.connect(runtime.socket))
    }
    try await eventually("the plugin registers") { !runtime.plugins.isEmpty }
    let plugin = try #require(runtime.plugins.first)
    #expect((plugin.request.pluginName, plugin.request.pluginIdx) == ("test", "42"))
    let result: Result<Void, any Error>
    do { result = .success(try await body(runtime, plugin, notes)) } catch { result = .failure(error) }
    await runtime.stop()
    _ = await session.result
    try result.get()
  }

  @Test func `a plugin says which events it wants`() async throws {
    try await with { _, plugin, notes in
      let answer: NRIConfigureResponse = try await plugin.call(
        "Configure", NRIConfigureRequest.with { $0.runtimeName = "containerd" })
      #expect(answer.events == 1 << 3 | 1 << 10)
      #expect(notes.state.runtime == "containerd")
    }
  }

  @Test func `what is there comes in parts`() async throws {
    try await with { _, plugin, notes in
      for part in 0..<3 {
        let request = NRISynchronizeRequest.with {
          $0.pods = [.with { $0.id = "p\(part)" }]
          $0.containers = [.with { $0.id = "c\(part)" }]
          $0.more = part < 2
        }
        let answer: NRISynchronizeResponse = try await plugin.call("Synchronize", request)
        #expect(answer.more == (part < 2))
        #expect(answer.update.map(\.containerID) == (part < 2 ? [] : ["c0", "c1", "c2"]))
      }
      #expect(notes.state.pods == ["p0", "p1", "p2"])
    }
  }

  @Test func `containers are adjusted or refused with words, and the connection goes on`() async throws {
    try await with { _, plugin, _ in
      func create(_ name: String) async throws -> NRICreateContainerResponse {
        try await plugin.call(
          "CreateContainer",
          NRICreateContainerRequest.with {
            $0.pod.name = "shop"
            $0.container.name = name
          })
      }
      for _ in 0..<2 {
        let answer = try await create("web")
        #expect(answer.adjust.annotations == ["seen": "web"])
      }
      let error = await #expect(throws: TTRPCError.self) { _ = try await create("refused") }
      #expect(error?.message == "test: not shop")
      // Runtimes drop a plugin that answers with this code.
      #expect(error?.code != .deadlineExceeded)
      let next = try await create("web")
      #expect(next.adjust.annotations == ["seen": "web"])
    }
  }

  @Test func `events come by their own methods or by the old one`() async throws {
    try await with { _, plugin, notes in
      let event = NRIStateChangeEvent.with {
        $0.event = .removeContainer
        $0.pod.id = "p"
        $0.container.id = "c"
      }
      let _: NRIEmpty = try await plugin.call("StateChange", event)
      let request = NRIStopContainerRequest.with {
        $0.pod.id = "p"
        $0.container.id = "d"
      }
      let _: NRIEmpty = try await plugin.call("RemoveContainer", request)
      #expect(notes.state.happened == ["removeContainer p c", "removeContainer p d"])
    }
  }

  @Test func `methods and fields of newer runtimes are refused or passed over`() async throws {
    try await with { _, plugin, _ in
      let error = await #expect(throws: TTRPCError.self) {
        let _: NRIEmpty = try await plugin.call("PaintContainer", NRIEmpty())
      }
      #expect(error?.code == .unimplemented)
      // Field 2000 of the request and field 99 of the container, both strings.
      let bytes: [UInt8] = [0x12, 0x06, 0x1A, 0x01, 0x61, 0x9A, 0x06, 0x00, 0x82, 0x7D, 0x01, 0x78]
      let answer = try await plugin.client.call(
        FakeRuntime.Plugin.service, "CreateContainer", bytes, timeout: .seconds(180))
      #expect(try NRICreateContainerResponse(serializedBytes: answer).adjust.annotations == ["seen": "a"])
    }
  }

  /// Requests with bytes changed, cut and added: each is answered, well or with a code, on the same connection.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `whatever is asked is answered`(_ seed: UInt64) async throws {
    try await with { _, plugin, _ in
      var generator = SeededGenerator(seed: seed)
      let methods = [
        "Configure", "Synchronize", "Shutdown", "CreateContainer", "UpdateContainer", "StopContainer", "StateChange",
        "RemoveContainer", "UpdatePodSandbox", "ValidateContainerAdjustment", "Nothing",
      ]
      let good =
        try NRICreateContainerRequest.with {
          $0.pod.name = "shop"
          $0.pod.annotations = ["a": "b"]
          $0.container.name = "web"
          $0.container.linux.resources.memory.limit.value = 5
        }.serializedBytes() as [UInt8]
      for _ in 0..<300 {
        var bytes = good
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
          bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
        let method = methods.randomElement(using: &generator) ?? ""
        do {
          _ = try await plugin.client.call(FakeRuntime.Plugin.service, method, bytes, timeout: .seconds(180))
        } catch let error as TTRPCError {
          #expect(![.deadlineExceeded, .unavailable].contains(error.code), "\(method) \(bytes): \(error)")
        }
      }
      let answer = try await plugin.client.call(
        FakeRuntime.Plugin.service, "CreateContainer", good, timeout: .seconds(180))
      #expect(try NRICreateContainerResponse(serializedBytes: answer).adjust.annotations == ["seen": "web"])
    }
  }

  @Test func `a session ends with its connection, and is no reason for the process to end`() async throws {
    try await with { runtime, plugin, _ in plugin.drop() }
  }

  @Test(arguments: [("a", "1"), ("", "10"), ("a b", "10"), ("a", "1x"), ("a", "100"), ("ä", "10")])
  func `names and indices that no runtime takes are none`(_ name: String, _ index: String) {
    #expect(NRIIdentity(name: name, index: index) == nil)
  }
}
