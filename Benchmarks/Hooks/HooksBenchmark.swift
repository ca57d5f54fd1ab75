import ArgumentParser
import Foundation
import LinuxSystem
import NRI
import NRIHarness
import PlatformHarness
import TTRPC
import TestSupport

/// Node hooks: how soon they answer, how much memory they take, and whether any container of many was missed.
struct HooksBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hooks", abstract: "Measure `nagaya serve hooks`: answers, memory, and a burst of containers.")

  @Option(help: "Policies that hold.") var policies = 1000
  @Option(help: "Pods that are known, of one container each.") var pods = 5000
  @Option(help: "Answers that are measured.") var answers = 5000
  @Option(help: "Containers that the real containerd makes at once.") var burst = 500

  func run() async throws {
    let build = "\(PlatformInstance.root)/.build/release"
    guard FileStatus.exists("\(build)/nagaya") else { throw ValidationError("no \(build)/nagaya: run make build") }
    let directory = "/tmp/nagaya-bench-hooks-\(getpid())"
    try Directory.make(directory)
    let runtime = FakeRuntime(socket: "\(directory)/nri.sock")
    let shell = Shell(environment: ["PATH": "\(build):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
    do {
      try SmallFile.write(Array(policyText.utf8), to: "\(directory)/policies.yaml")
      try await runtime.start()
      try await serve(shell, directory, nri: runtime.socket, policies: "\(directory)/policies.yaml")
      try await eventually("the hooks register") { !runtime.plugins.isEmpty }
      guard let plugin = runtime.plugins.first else { return }
      try await synchronize(plugin)
      let sorted = try await measure(plugin).sorted()
      // What answers needed for a moment is given back when nothing was asked for five seconds.
      try await Task.sleep(for: .seconds(12))
      let resident = try await residentBytes(shell, directory)
      await end(shell, directory)
      await runtime.stop()
      let missed = try await burstOfContainers()
      func percentile(_ share: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] }
      var table = TextTable("policies", "pods known", "answers", "p50 ms", "p99 ms", "longest ms", "resident MB")
      table.add(
        "\(policies)", "\(pods)", "\(answers)", "\(Figure.rounded(percentile(0.5)))",
        "\(Figure.rounded(percentile(0.99)))", "\(Figure.rounded(sorted.last ?? 0))",
        "\(Figure.rounded(resident / 1e6))")
      table.show()
      print("\(burst) containers at once on the real containerd, \(missed) without their limits")
      Figure.show([
        Figure(name: "hooks.answer.p99", value: percentile(0.99), unit: "ms"),
        Figure(name: "hooks.resident", value: resident / 1e6, unit: "MB"),
        Figure(name: "hooks.unadjusted", value: Double(missed), unit: "count", digits: 0),
      ])
    } catch {
      await end(shell, directory)
      await runtime.stop()
      try? Directory.removeTree(directory)
      throw error
    }
    try? Directory.removeTree(directory)
  }

  private func serve(_ shell: Shell, _ directory: String, nri: String, policies: String) async throws {
    try await shell.succeed(
      """
      cd \(directory)
      setsid nagaya serve hooks --nri-socket \(nri) --run \(directory)/run --policies \(policies) >> log 2>&1 < /dev/null &
      echo $! > pid
      until [ -S run/status.sock ]; do kill -0 $(cat pid) || { cat log; exit 1; }; sleep 0.02; done
      """)
  }

  private func end(_ shell: Shell, _ directory: String) async {
    _ = try? await shell("p=$(cat \(directory)/pid) && kill $p && while kill -0 $p 2>/dev/null; do sleep 0.02; done")
  }

  /// A third each is for everybody, for one namespace, and for namespaces that begin alike.
  private var policyText: String {
    (0..<policies).map { number in
      let match = ["containers: [c\(number)]", "namespaces: [shop\(number)-dev]", "namespaces: [\"team\(number)-*\"]"]
      return """
        apiVersion: nagaya.dev/v1alpha1
        kind: NodePolicy
        metadata: {name: policy-\(number)}
        spec:
          order: \(number)
          match: {\(match[number % 3])}
          ulimits: [{type: NOFILE, soft: 1024, hard: 65536, max: 1048576}, {type: CORE, hard: 0, max: 0}]
          resources: {pids: {max: 512}, memory: {max: 4Gi}}
          env: [{name: TZ, value: UTC}]
        """
    }.joined(separator: "\n---\n")
  }

  private func pod(_ number: Int) -> NRIPodSandbox {
    .with {
      $0.id = "pod\(number)"
      $0.uid = "pod\(number)"
      $0.name = "pod-\(number)"
      $0.namespace = "shop\(number % 1000)-dev"
      $0.labels = ["app": "app\(number)", "pod-template-hash": "5d4f8c7b9", "tier": "web"]
      $0.annotations = [
        "ulimits.noderesource.dev/container.main": "- type: RLIMIT_NOFILE\n  soft: 2048\n  hard: 4096\n",
        "kubernetes.io/config.source": "api",
      ]
    }
  }

  private func container(_ number: Int, _ prefix: String) -> NRIContainer {
    .with {
      $0.id = "\(prefix)\(number)"
      $0.podSandboxID = "pod\(number)"
      $0.name = "main"
      $0.state = .containerRunning
      $0.env = (0..<20).map { "VARIABLE_\($0)=value of variable \($0)" }
      $0.args = ["/usr/bin/server", "--port", "8080"]
      $0.mounts = (0..<10).map { index in .with { $0.destination = "/mnt/\(index)" } }
      $0.linux.resources.memory.limit.value = 1 << 30
    }
  }

  private func synchronize(_ plugin: FakeRuntime.Plugin) async throws {
    for start in stride(from: 0, to: pods, by: 500) {
      let numbers = start..<min(start + 500, pods)
      let request = NRISynchronizeRequest.with {
        $0.pods = numbers.map(pod)
        $0.containers = numbers.map { container($0, "known") }
        $0.more = numbers.upperBound < pods
      }
      let _: NRISynchronizeResponse = try await plugin.call("Synchronize", request)
    }
  }

  /// Milliseconds from each question to its answer, one after the other, as runtimes ask.
  private func measure(_ plugin: FakeRuntime.Plugin) async throws -> [Double] {
    var times: [Double] = []
    for number in 0..<answers {
      let request = NRICreateContainerRequest.with {
        $0.pod = pod(number % pods)
        // Made anew each time, so that as many are known as before.
        $0.container = container(number % pods, "known")
      }
      let start = ContinuousClock.now
      let answer: NRICreateContainerResponse = try await plugin.call("CreateContainer", request)
      let time = ContinuousClock.now - start
      guard answer.adjust.rlimits.contains(where: { $0.hard == 4096 }) else {
        throw ValidationError("an answer without the wanted limits")
      }
      times.append(Double(time.components.attoseconds) / 1e15 + Double(time.components.seconds) * 1000)
    }
    return times
  }

  private func residentBytes(_ shell: Shell, _ directory: String) async throws -> Double {
    let text = try await shell.succeed("awk '/^VmRSS/ {print $2}' /proc/$(cat \(directory)/pid)/status")
    return (Double(text.filter(\.isNumber)) ?? 0) * 1024
  }

  /// - Returns: how many of the containers have not got what their annotation wants.
  private func burstOfContainers() async throws -> Int {
    let missed = Missed()
    let burst = burst
    try await ContainerdStage.with(configuration: "release") { stage in
      try SmallFile.write([], to: "\(stage.directory)/policies.yaml")
      try await serve(
        stage.shell, stage.directory, nri: stage.nriSocket, policies: "\(stage.directory)/policies.yaml")
      try await eventually("containerd can ask") {
        try await stage.shell("nagaya hooks --run \(stage.directory)/run").out.contains("yes")
      }
      let pod = try await stage.runPod(
        Dictionary(
          uniqueKeysWithValues: (0..<burst).map {
            ("ulimits.noderesource.dev/container.c\($0)", "- {type: NOFILE, soft: 100, hard: \(1000 + $0)}")
          }))
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<burst {
          group.addTask {
            let id = try await stage.create("c\(number)", in: pod)
            let status = try await stage.runtime.containerStatus(
              .with {
                $0.containerID = id
                $0.verbose = true
              }, options: stage.options)
            return status.info["info"]?.contains("\"hard\":\(1000 + number)") == true
          }
        }
        for try await isAdjusted in group where !isAdjusted { await missed.add() }
      }
      await end(stage.shell, stage.directory)
    }
    return await missed.count
  }

  private actor Missed {
    var count = 0
    func add() { count += 1 }
  }
}
