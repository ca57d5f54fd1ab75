import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Locking
import TestSupport
import Testing

@testable import NodeAgent

/// What runs beside and around a pod's containers: sidecars, hooks and startup probes.
@Suite(.serialized) struct PodCompanionsTests {
  @Test func aSidecarStartsFirstStaysAndIsRestartedAlone() async throws {
    try await TestNode.with { node in
      try await node.create(
        "accompanied", ["args": ["serve"]],
        spec: [
          "initContainers": [
            [
              "name": "sidecar", "image": .string(TestEngine.image), "args": ["serve", "9090"],
              "restartPolicy": "Always",
              "startupProbe": ["httpGet": ["path": "/", "port": 9090], "periodSeconds": 1],
            ]
          ]
        ])
      let pod = try await node.wait("accompanied", until: "ready") { $0.isReady }
      let sidecar = pod.status["initContainerStatuses"][0]
      #expect(sidecar["started"].bool == true && !sidecar["state"]["running"].isNull, "\(sidecar)")
      let began = sidecar["state"]["running"]["startedAt"].string ?? ""
      #expect(began <= pod.containerStatus["state"]["running"]["startedAt"].string ?? "", "the sidecar is first")
      let address = pod.status["podIP"].string ?? ""
      _ = try? await Command.run("/usr/bin/curl", ["-sf", "--max-time", "2", "http://\(address):9090/quit"])
      let after = try await node.wait("accompanied", until: "the sidecar runs again") {
        let sidecar = $0.status["initContainerStatuses"][0]
        return sidecar["restartCount"].int == 1 && !sidecar["state"]["running"].isNull
      }
      #expect(after.containerStatus["restartCount"].int == 0, "the container beside it goes on")
      #expect(after.containerStatus["containerID"] == pod.containerStatus["containerID"])
      try await node.delete("accompanied")
    }
  }

  @Test func hooksRunAfterTheStartAndBeforeTheEnd() async throws {
    try await TestNode.with { node in
      let shared = "\(node.engine.directory)/hooks"
      try Directory.make(shared, permissions: 0o777)
      try await node.create(
        "hooked",
        [
          "args": ["serve"], "volumeMounts": [["name": "shared", "mountPath": "/shared"]],
          "lifecycle": [
            "postStart": ["exec": ["command": ["/box", "touch", "/shared/began"]]],
            "preStop": ["exec": ["command": ["/box", "touch", "/shared/ends"]]],
          ],
        ], spec: ["volumes": [["name": "shared", "hostPath": ["path": .string(shared), "type": "Directory"]]]])
      try await node.wait("hooked", until: "ready") { $0.isReady }
      #expect(Directory.namesIfReadable(in: shared) == ["began"])
      try await node.delete("hooked")
      #expect(Directory.namesIfReadable(in: shared) == ["began", "ends"])
    }
  }

  @Test func whatSomebodyElseWritesOfLimitsIsPutRight() async throws {
    try await TestNode.with { node in
      let held = try await attempt(Attack(.editor, "an annotation that says limits of hooks", on: .fairShare)) {
        try await node.create("boastful", ["args": ["serve"]])
        try await node.wait("boastful", until: "ready") { $0.isReady }
        for text in [#"{"main":["memory 1, by policy p"]}"#, "nonsense"] {
          try await node.client.patch(
            .pods, namespace: "default", name: "boastful",
            ["metadata": ["annotations": [HookLimits.annotation: .string(text), "other.example/kept": "yes"]]])
          try await node.wait("boastful", until: "without it") { $0.annotations[HookLimits.annotation] == nil }
        }
        let pod = try await node.pod("boastful")
        return .check(pod.annotations["other.example/kept"] == "yes" && pod.isReady, "\(pod.annotations)")
      }
      #expect(held)
      try await node.delete("boastful")
    }
  }

  @Test func anAnswerThatComesLateUndoesNothing() async throws {
    try await TestNode.withoutAgent { node in
      let late = LateAnswers(node.client.transport)
      try await node.withAgent(client: KubernetesClient(late, userAgent: "test")) { agent in
        try await node.create("overtaken", ["args": ["serve"]])
        try await node.wait("overtaken", until: "ready") { $0.isReady }
        func annotate(_ text: String) async throws -> String {
          try await node.client.patch(
            .pods, namespace: "default", name: "overtaken",
            ["metadata": ["annotations": [HookLimits.annotation: .string(text)]]]
          ).resourceVersion
        }
        late.hold(true)
        _ = try await annotate("first")
        try await eventually("the agent has put it right") { late.held == 1 }
        let version = try await annotate("second")
        try await eventually("the agent knows of the next") {
          agent.requests.pod("default", "overtaken")?.resourceVersion == version
        }
        // From the agent to the pod's worker.
        try await Task.sleep(for: .milliseconds(200))
        late.hold(false)
        try await node.wait("overtaken", until: "without it") { $0.annotations[HookLimits.annotation] == nil }
        try await node.delete("overtaken")
      }
    }
  }

  @Test func aContainerWhoseStartHookFailsIsStartedAgain() async throws {
    try await TestNode.with { node in
      try await node.create(
        "unhooked",
        ["args": ["serve"], "lifecycle": ["postStart": ["exec": ["command": ["/box", "exit", "5"]]]]])
      try await eventually("the failure is told") {
        let events = try? await node.client.list(.events, namespace: "default").items
        return events?.contains {
          $0["reason"].string == "FailedPostStartHook" && $0["message"].string?.contains("exited with 5") == true
        } ?? false
      }
      try await node.wait("unhooked", until: "was restarted") { ($0.containerStatus["restartCount"].int ?? 0) >= 1 }
      try await node.delete("unhooked")
    }
  }

  @Test func theLastMessageIsWhatTheContainerWroteForIt() async throws {
    try await TestNode.with { node in
      try await node.create(
        "speaking",
        ["args": ["serve"], "terminationMessagePath": "/tmp/last-words"], spec: ["restartPolicy": "Never"])
      let pod = try await node.wait("speaking", until: "ready") { $0.isReady }
      try await eventually("it serves") { await node.get(pod, "/") == "hello" }
      #expect(await node.get(pod, "/write/tmp/last-words") == "")
      _ = await node.get(pod, "/quit")
      let ended = try await node.wait("speaking", until: "failed") { $0.status["phase"].string == "Failed" }
      #expect(ended.containerStatus["state"]["terminated"]["message"].string == "ok")
      #expect(ended.containerStatus["state"]["terminated"]["exitCode"].int == 7)
      try await node.delete("speaking")
    }
  }
}

/// A way to the API whose answers to writes of pods' statuses can be kept back: the writes are done.
private final class LateAnswers: APITransport {
  private let inner: any APITransport
  private let state = Mutex<(holds: Bool, held: Int)>((false, 0))

  init(_ inner: any APITransport) { self.inner = inner }

  func hold(_ holds: Bool) { state.withLock { $0.holds = holds } }
  /// Answers that were kept back so far.
  var held: Int { state.withLock { $0.held } }

  func send(_ request: APIRequest) async throws -> APIResponse {
    let answer = try await inner.send(request)
    guard request.method == .patch, request.path.hasSuffix("/overtaken/status") else { return answer }
    if state.withLock({ state in
      if state.holds { state.held += 1 }
      return state.holds
    }) {
      while state.withLock({ $0.holds }) { try await Task.sleep(for: .milliseconds(10)) }
    }
    return answer
  }
}
