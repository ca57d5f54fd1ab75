import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Testing

@testable import nagaya

/// Says for each pod what it was asked.
private final class EchoLogs: PodLogSource {
  let asked = Mutex<[PodLogOptions]>([])

  func log(of pod: KubernetesObject, options: PodLogOptions) async throws(APIStatus) -> ByteStream {
    asked.withLock { $0.append(options) }
    if pod.name.hasSuffix("late") { throw APIStatus(.badRequest, "container app is waiting to start") }
    // A line in two chunks, and a last one without its newline.
    let chunks = [Array("first of ".utf8), Array("\(pod.name)\nsecond".utf8)]
    return ByteStream(
      AsyncStream { continuation in
        for chunk in chunks { continuation.yield(chunk) }
        continuation.finish()
      })
  }
}

@Suite struct LogsCommandTests {
  private func withPods(_ names: [String], _ body: (CommandRunner, EchoLogs) async throws -> Void) async throws {
    let logs = EchoLogs()
    let server = try await APIServer.inMemory(registry: .standard, logs: logs)
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "demo-dev"), as: .namespaces)
    var app = KubernetesObject(.applications, namespace: "demo-dev", name: "web")
    app.spec["image"] = "i"
    try await client.create(app, as: .applications)
    for name in names {
      var pod = KubernetesObject(.pods, namespace: "demo-dev", name: name, labels: [AppParts.label: "web"])
      pod.spec = ["nodeName": "n", "containers": [["name": "app", "image": "i"]]]
      try await client.create(pod, as: .pods)
    }
    try await body(CommandRunner(server: server), logs)
  }

  @Test func `one pod's lines stand for themselves`() async throws {
    try await withPods(["web-1"]) { run, _ in
      let result = await run("logs", "app", "web", "-n", "demo-dev")
      #expect(result.code == 0, "\(result.error)")
      #expect(result.out == "first of web-1\nsecond\n")
    }
  }

  @Test func `a container that is not there is told with those that are`() async throws {
    try await withPods(["web-1"]) { run, logs in
      let result = await run("logs", "app", "web", "-n", "demo-dev", "--container", "nosuch")
      #expect(result.code == 1)
      #expect(result.error.contains("no container nosuch") && result.error.contains("its containers are: app"))
      #expect(logs.asked.withLock { $0.isEmpty })
    }
  }

  @Test func `several pods' lines name their pod, and one that is late hides nothing`() async throws {
    try await withPods(["web-1", "web-2", "web-late"]) { run, _ in
      let result = await run("logs", "app", "web", "-n", "demo-dev")
      #expect(result.code == 0)
      #expect(
        result.out == "[web-1] first of web-1\n[web-1] second\n[web-2] first of web-2\n[web-2] second\n")
      #expect(result.error == "note: container app is waiting to start\n")
    }
  }

  @Test func `options reach the node`() async throws {
    try await withPods(["web-1", "web-2"]) { run, logs in
      let result = await run(
        "logs", "app", "web", "-n", "demo-dev", "--tail", "5", "--since", "2m", "--previous", "--pod", "web-2", "-c",
        "app",
        "--timestamps")
      #expect(result.out.hasPrefix("first of web-2"), "\(result.error)")
      let expected = PodLogOptions(
        container: "app", previous: true, timestamps: true, tailLines: 5, sinceSeconds: 120)
      #expect(logs.asked.withLock { $0 } == [expected])
    }
  }

  @Test func `an app without pods and a pod that is not the app's say so`() async throws {
    try await withPods([]) { run, _ in
      let result = await run("logs", "app", "web", "-n", "demo-dev")
      #expect(result.code == 1)
      #expect(result.error.contains("nagaya describe app web -n demo-dev"))
    }
    try await withPods(["web-1"]) { run, _ in
      let result = await run("logs", "app", "web", "-n", "demo-dev", "--pod", "other")
      #expect(result.code == 1)
      #expect(result.error.contains("its pods are: web-1"))
    }
  }
}
