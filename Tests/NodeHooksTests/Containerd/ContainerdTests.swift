import GRPCCore
import LinuxSystem
import NRI
import NRIHarness
import TestSupport
import Testing

@testable import NodeHooks

/// Against the real containerd, as a kubelet speaks with it.
@Suite(.serialized) struct ContainerdTests {
  private static let key = "ulimits.noderesource.dev/container."

  @Test func `a container with the annotation prints the wanted limits, one without prints its own`() async throws {
    try await ContainerdStage.with { stage in
      try await RunningHooks.with(stage) { running in
        let pod = try await stage.runPod([
          "\(Self.key)main": "- {type: RLIMIT_NOFILE, soft: 123, hard: 456}\n- {type: core, hard: 0}"
        ])
        try await stage.start("main", in: pod)
        let lines = try await stage.output(of: "main", in: pod)
        #expect(lines.contains("NOFILE 123:456") && lines.contains("CORE 0:0"), "\(lines)")
        try await stage.start("other", in: pod)
        let others = try await stage.output(of: "other", in: pod)
        #expect(!others.contains("NOFILE 123:456"))
        #expect(running.hooks.counters.now.adjusted == 1)
      }
    }
  }

  @Test func `a wrong annotation fails its container with annotation and line, and no other`() async throws {
    try await ContainerdStage.with { stage in
      try await RunningHooks.with(stage) { running in
        let pod = try await stage.runPod([
          "\(Self.key)bad": "- type: NOFILE\n  soft: 5\n  hard: 4",
          "\(Self.key)good": "- {type: NOFILE, soft: 55, hard: 77}",
        ])
        for _ in 0..<3 {
          let error = await #expect(throws: RPCError.self) { try await stage.create("bad", in: pod) }
          #expect(error?.message.contains("annotation \(Self.key)bad, line 1") == true, "\(String(describing: error))")
        }
        try await stage.start("good", in: pod)
        let lines = try await stage.output(of: "good", in: pod)
        #expect(lines.contains("NOFILE 55:77"))
        // It was never dropped.
        #expect(running.hooks.counters.now.connections == 1 && running.hooks.counters.now.refused == 3)
      }
    }
  }

  @Test func `with Ignore the container starts without what is wrong, and that is told`() async throws {
    try await ContainerdStage.with { stage in
      try await RunningHooks.with(stage, failure: .ignore) { running in
        let pod = try await stage.runPod(["\(Self.key)main": "nonsense"])
        try await stage.start("main", in: pod)
        _ = try await stage.output(of: "main", in: pod)
        #expect(running.notices.all.map(\.kind) == [.ignored])
      }
    }
  }

  @Test func `policies limit, inject and bound; changes reach what runs`() async throws {
    try await ContainerdStage.with { stage in
      let injected = "/var/lib/nagaya-test-\(UInt32.random(in: 0 ... .max))"
      try Directory.make(injected)
      defer { try? Directory.removeTree(injected) }
      try SmallFile.write(Array("hello\n".utf8), to: "\(injected)/word")
      let policies = """
        apiVersion: nagaya.dev/v1alpha1
        kind: NodePolicy
        metadata: {name: shop}
        spec:
          match: {namespaces: ["shop-*"]}
          ulimits: [{type: NOFILE, soft: 64, hard: 128, max: 256}, {type: CORE, hard: 0, max: 0}]
          resources: {pids: {max: 70}, memory: {max: 64Mi}, cpu: {max: 500m}}
          env: [{name: GREETING, value: good morning}]
          mounts: [{name: words, hostPath: \(injected), mountPath: /injected}]
        """
      try await RunningHooks.with(stage, policies: policies) { running in
        let pod = try await stage.runPod([
          "\(Self.key)raised": "- {type: NOFILE, soft: 200, hard: 256}",
          "\(Self.key)above": "- {type: NOFILE, soft: 200, hard: 257}",
        ])
        let id = try await stage.start("main", in: pod)
        let lines = try await stage.output(of: "main", in: pod)
        for line in ["NOFILE 64:128", "CORE 0:0", "GREETING good morning", "injected hello"] {
          #expect(lines.contains(line), "\(lines)")
        }
        try await stage.start("raised", in: pod)
        let raised = try await stage.output(of: "raised", in: pod)
        #expect(raised.contains("NOFILE 200:256"))
        let error = await #expect(throws: RPCError.self) { try await stage.create("above", in: pod) }
        #expect(error?.message.contains("policy shop") == true)
        #expect(try await limit(of: id, "pids", "pids.max", stage) == "70")
        #expect(try await limit(of: id, "memory", "memory.limit_in_bytes", stage) == "67108864")
        #expect(try await limit(of: id, "cpu", "cpu.cfs_quota_us", stage) == "50000")
        // Live, and back to what the container has by itself.
        try SmallFile.write(
          Array(policies.replacing("{max: 64Mi}, cpu: {max: 500m}", with: "{max: 48Mi}").utf8),
          to: "\(stage.directory)/policies.yaml")
        try await eventually("the running container has the new limits") {
          let memory = try await limit(of: id, "memory", "memory.limit_in_bytes", stage)
          let quota = try await limit(of: id, "cpu", "cpu.cfs_quota_us", stage)
          return memory == "50331648" && quota == "-1"
        }
        #expect(running.hooks.counters.now.failedUpdates == 0)
        // Other namespaces are not meant.
        let bank = try await stage.runPod(name: "bank", namespace: "bank-dev")
        try await stage.start("main", in: bank)
        let others = try await stage.output(of: "main", in: bank)
        #expect(!others.contains("NOFILE 64:128") && !others.contains { $0.hasPrefix("GREETING") })
      }
    }
  }

  /// What the kernel has for a container's processes, whichever cgroup version it is.
  private func limit(of id: String, _ controller: String, _ file: String, _ stage: ContainerdStage) async throws
    -> String
  {
    try await stage.shell.succeed(
      """
      p=$(ctr tasks ls | awk '$1 == "\(id)" {print $2}')
      group=$(awk -F: '{n = split($2, c, ","); for (i = 1; i <= n; i++) if (c[i] == "\(controller)") print $3}' /proc/$p/cgroup)
      cat /sys/fs/cgroup/\(controller)$group/\(file)
      """
    ).filter { !$0.isNewline }
  }

  @Test func `a hook of one's own is asked, too`() async throws {
    try await ContainerdStage.with { stage in
      let greeting = Hook("greeting") { pod, container in
        var adjustment = Adjustment()
        try adjustment.set(.environment("GREETING", "\(container.name) of \(pod.name)"), because: "politeness")
        return adjustment
      }
      try await RunningHooks.with(stage, hooks: [greeting]) { _ in
        let pod = try await stage.runPod()
        try await stage.start("main", in: pod)
        let lines = try await stage.output(of: "main", in: pod)
        #expect(lines.contains("GREETING main of pod"))
      }
    }
  }
}
