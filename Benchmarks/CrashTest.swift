import ArgumentParser
import Foundation
import Glibc
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import PlatformHarness

/// Kills nagaya, or one of its parts, with SIGKILL at random moments while objects are written and apps with volumes come
/// and go.
struct CrashTest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crash",
    abstract: "Kill nagaya and its parts again and again under load; nothing acknowledged may be lost, nothing leak.")

  @Option(help: "How often something is killed.")
  var rounds = 200

  @Option(help: "Longest time from being ready to the kill, in milliseconds.")
  var longest = 1500

  @Option(help: "The build whose binary is killed: debug or release.")
  var configurationName = "release"

  @Flag(
    help: """
      Kill the node hooks, too. While pods start and stop, their next registration may leave containerd 2.1's pod calls waiting for ever; \
      it is started anew then, which takes most of a minute.
      """)
  var hooks = false

  func run() async throws {
    let instance = try PlatformInstance(name: "crash", configuration: configurationName, poolSize: "20Gi")
    do {
      let result = try await crash(instance)
      await instance.destroy()
      Figure.show([
        Figure(name: "crash.lost_writes", value: Double(result.lost), unit: "count", digits: 0),
        Figure(name: "crash.leaks", value: Double(result.leaks.count), unit: "count", digits: 0),
        Figure(name: "crash.rounds", value: Double(rounds), unit: "count", digits: 0),
      ])
      guard result.lost == 0, result.leaks.isEmpty, result.restartedContainers == 0 else { throw ExitCode(1) }
    } catch {
      print(await instance.log())
      await instance.destroy()
      throw error
    }
  }

  /// What a round kills.
  private enum Victim: String, CaseIterable {
    /// The whole platform: the parts die with it. What runs in containers goes on.
    case supervisor
    case api, storage, controllers, node, hooks, edge
    case storageController = "storage-controller"
    /// The runtime below the node agent.
    case containerd

    func pid(_ instance: PlatformInstance) async throws -> Int32 {
      switch self {
      case .supervisor: try await instance.pid()
      case .api, .storage, .storageController, .controllers, .node, .hooks, .edge:
        try await instance.pid(of: rawValue)
      case .containerd: try await instance.containerd()
      }
    }
  }

  private struct Result {
    var lost = 0
    var leaks: [String] = []
    var restartedContainers = 0
  }

  private func crash(_ instance: PlatformInstance) async throws -> Result {
    var result = Result()
    try await instance.up(logLevel: "info")
    try await instance.shell.succeed(
      "nagaya create app steady -n demo-dev --image=nagaya.local/hello:1 --volume data:/data:300Mi", seconds: 120)
    let container = """
      kubectl get pods -n demo-dev -l app.nagaya.dev/name=steady \
      -o jsonpath='{.items[*].status.containerStatuses[*].containerID}'
      """
    let steady = try await instance.shell.succeed(container)
    var known: [String: Int] = [:]
    var written = 0
    var kills: [Victim: Int] = [:]
    let start = ContinuousClock.now
    let victims = Victim.allCases.filter { $0 != .hooks || hooks }

    for round in 1...rounds {
      let client = try Self.client(instance)
      let acknowledged = Acknowledged(known)
      // Each in turn, so that few rounds reach all of them.
      let victim = victims[round % victims.count]
      let pid = try await victim.pid(instance)
      guard pid > 1 else { throw Failure(description: "round \(round): \(victim.rawValue) does not run") }
      await withTaskGroup(of: Void.self) { group in
        for writer in 0..<8 {
          group.addTask { await Self.write(writer: writer, round: round, client: client, acknowledged: acknowledged) }
        }
        group.addTask { await Self.churn(round: round, client: client) }
        try? await Task.sleep(for: .milliseconds(Int.random(in: 0...longest)))
        kill(pid, SIGKILL)
        kills[victim, default: 0] += 1
        acknowledged.stop()
        await group.waitForAll()
      }
      while isAlive(pid) { try await Task.sleep(for: .milliseconds(5)) }
      if victim == .supervisor {
        try await instance.up(logLevel: "info")
      } else {
        try await back(victim, instead: pid, instance, round: round)
      }

      known = acknowledged.values
      written += acknowledged.count
      let stored = try await Self.client(instance).list(
        .configMaps, namespace: "demo-dev", labels: LabelSelector(matchLabels: ["crash": "test"]))
      let values = Dictionary(
        uniqueKeysWithValues: stored.items.map { ($0.name, $0["data"]["value"].string.flatMap { Int($0) } ?? -1) })
      for (name, value) in known where (values[name] ?? -1) < value {
        result.lost += 1
        report(
          "round \(round): \(name) was acknowledged with \(value), found \(values[name].map(String.init) ?? "nothing")")
      }
      if round % 10 == 0 {
        let elapsed = Int((ContinuousClock.now - start).seconds)
        report("round \(round)/\(rounds): \(written) acknowledged writes checked, \(result.lost) lost, \(elapsed) s")
      }
    }

    report("killed: " + Victim.allCases.map { "\($0.rawValue) \(kills[$0] ?? 0)" }.joined(separator: ", "))
    let now = try await instance.shell.succeed(container)
    if now != steady {
      result.restartedContainers = 1
      print("the steady app's containers were \(steady), are \(now)")
    }
    try await settle(instance, result: &result)
    return result
  }

  private struct Failure: Error, CustomStringConvertible { let description: String }

  /// Waits until another process does what the killed one did, and the instance is whole again.
  private func back(_ victim: Victim, instead pid: Int32, _ instance: PlatformInstance, round: Int) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline {
      let now = try await victim.pid(instance)
      if now > 1, now != pid, try await instance.status()["phase"].string == "ready" { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Failure(description: "round \(round): \(victim.rawValue) is not back after 120 s")
  }

  /// Deletes all apps, stops the instance, and looks for what is left.
  private func settle(_ instance: PlatformInstance, result: inout Result) async throws {
    try await instance.shell.succeed(
      "kubectl delete apps,deployments --all -n demo-dev --wait --timeout=120s", seconds: 150)
    let deadline = ContinuousClock.now + .seconds(120)
    var rest = "unknown"
    while !rest.isEmpty, ContinuousClock.now < deadline {
      rest = try await instance.shell.succeed("kubectl get pods,pvc -n demo-dev -o name; kubectl get pv -o name")
      if !rest.isEmpty { try await Task.sleep(for: .milliseconds(200)) }
    }
    result.leaks += rest.split(separator: "\n").map { "object \($0)" }
    var loops = ["unknown"]
    while !loops.isEmpty, ContinuousClock.now < deadline {
      loops = try await instance.leftovers().filter { $0.hasPrefix("loop") }
      if !loops.isEmpty { try await Task.sleep(for: .milliseconds(200)) }
    }
    result.leaks += loops
    result.leaks += try await instance.shell("find \(instance.state)/pools/default -type f -size +64k").out
      .split(separator: "\n").map { "file \($0)" }
    try await instance.down()
    result.leaks += try await instance.leftovers()
    result.leaks.forEach { print("left behind: \($0)") }
  }

  /// Counts up one object until the server dies.
  private static func write(writer: Int, round: Int, client: KubernetesClient, acknowledged: Acknowledged) async {
    let name = "writer-\(writer)"
    var object = KubernetesObject(.configMaps, namespace: "demo-dev", name: name, labels: ["crash": "test"])
    while !acknowledged.isStopped {
      let next = (acknowledged[name] ?? 0) + 1
      object["data"]["value"] = .string(String(next))
      do {
        if next == 1 {
          try await client.create(object, as: .configMaps)
        } else {
          try await client.update(object, as: .configMaps)
        }
        acknowledged.note(name, next)
      } catch let status as APIStatus where status.isAlreadyExists {
        acknowledged.note(name, 1)
      } catch { return }
    }
  }

  /// Makes an app with a volume and a Deployment that mounts parts of one, and deletes those of two rounds before.
  private static func churn(round: Int, client: KubernetesClient) async {
    var app = KubernetesObject(.applications, namespace: "demo-dev", name: "churn-\(round % 4)")
    app.spec = [
      "image": "nagaya.local/hello:1", "port": 8080,
      "volumes": [["name": "data", "mountPath": "/data", "size": "300Mi"]],
    ]
    _ = try? await client.create(app, as: .applications)
    try? await client.delete(.applications, namespace: "demo-dev", name: "churn-\((round + 2) % 4)")
    var deployment = KubernetesObject(.deployments, namespace: "demo-dev", name: "parts-\(round % 4)")
    deployment.spec = [
      "selector": ["matchLabels": ["parts": .string("\(round % 4)")]],
      "template": [
        "metadata": ["labels": ["parts": .string("\(round % 4)")]],
        "spec": [
          "volumes": [["name": "v", "emptyDir": [:]]],
          "containers": [
            [
              "name": "main", "image": "nagaya.local/hello:1",
              "volumeMounts": [
                ["name": "v", "mountPath": "/one", "subPath": "one"],
                ["name": "v", "mountPath": "/other", "subPath": "other/deep"],
              ],
            ]
          ],
        ],
      ],
    ]
    _ = try? await client.create(deployment, as: .deployments)
    try? await client.delete(.deployments, namespace: "demo-dev", name: "parts-\((round + 2) % 4)")
  }

  private static func client(_ instance: PlatformInstance) throws -> KubernetesClient {
    KubernetesClient(
      try HTTPSTransport(Kubeconfig.load(explicit: "\(instance.state)/kubeconfig").connection()),
      userAgent: "crash-test")
  }
}

/// What the server acknowledged, by object.
private final class Acknowledged: Sendable {
  private struct State {
    var values: [String: Int]
    var count = 0
    var isStopped = false
  }
  private let state: Mutex<State>

  init(_ values: [String: Int]) { state = Mutex(State(values: values)) }

  subscript(name: String) -> Int? { state.withLock { $0.values[name] } }
  var values: [String: Int] { state.withLock { $0.values } }
  var count: Int { state.withLock { $0.count } }
  var isStopped: Bool { state.withLock { $0.isStopped } }

  func stop() { state.withLock { $0.isStopped = true } }
  func note(_ name: String, _ value: Int) {
    state.withLock {
      $0.values[name] = max($0.values[name] ?? 0, value)
      $0.count += 1
    }
  }
}
