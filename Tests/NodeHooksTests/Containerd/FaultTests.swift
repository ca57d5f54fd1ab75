import GRPCCore
import LinuxSystem
import NRI
import NRIHarness
import TestSupport
import Testing

@testable import NodeHooks

/// What ends under the hooks, and what ends of them.
@Suite(.serialized) struct FaultTests {
  private static let key = "ulimits.noderesource.dev/container."

  @Test func `containerd is restarted under the hooks 20 times, and the next container is adjusted each time`()
    async throws
  {
    try await ContainerdStage.with { stage in
      try await RunningHooks.with(stage) { running in
        let annotations = Dictionary(
          uniqueKeysWithValues: (0..<20).map { ("\(Self.key)c\($0)", "- {type: NOFILE, soft: 1\($0), hard: 200}") })
        let pod = try await stage.runPod(annotations)
        for round in 0..<20 {
          try await stage.endContainerd(round % 2 == 0 ? "TERM" : "KILL")
          let connections = try await running.disconnected()
          try await stage.startContainerd()
          try await running.connected(connections + 1)
          let id = try await stage.start("c\(round)", in: pod)
          let lines = try await stage.output(of: "c\(round)", in: pod)
          #expect(lines.contains("NOFILE 1\(round):200"), "\(lines)")
          // What ran before is known again.
          let known = running.hooks.decisions()
          #expect(known.contains { $0.id == id } && known.allSatisfy(\.isAdjusted) && known.count == round + 1)
        }
      }
    }
  }

  /// `nagaya serve hooks` as a process of its own that somebody starts again, killed in the midst of starts.
  @Test func `hooks are killed during 100 starts: none fails, and those that were missed are told of`() async throws {
    try await ContainerdStage.with { stage in
      let run = "\(stage.directory)/hooks"
      try await stage.shell.succeed(
        """
        cd \(stage.directory)
        cat > keep.sh <<'E'
        while [ ! -e stop ]; do
          nagaya serve hooks --nri-socket \(stage.nriSocket) --run \(run) --log-level notice >> hooks.log 2>&1 & echo $! > hooks.pid
          wait $!
        done
        E
        setsid bash keep.sh < /dev/null > /dev/null 2>&1 &
        """)
      try await eventually("the hooks are connected") { try await status(stage, run).hasPrefix("yes") }
      let annotations = Dictionary(
        uniqueKeysWithValues: (0..<100).map { ("\(Self.key)c\($0)", "- {type: NOFILE, soft: 100, hard: 200}") })
      let pod = try await stage.runPod(annotations)
      let killing = Task {
        var kills = 0
        while !Task.isCancelled {
          _ = try? await stage.shell("kill -9 $(cat \(stage.directory)/hooks.pid)")
          kills += 1
          try? await Task.sleep(for: .milliseconds(700))
        }
        return kills
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<100 {
          if number >= 8 { try await group.next() }
          group.addTask { try await stage.start("c\(number)", in: pod) }
        }
        try await group.waitForAll()
      }
      killing.cancel()
      let kills = await killing.value
      #expect(kills > 3)
      var missed = 0
      for number in 0..<100 {
        let lines = try await stage.output(of: "c\(number)", in: pod)
        if !lines.contains("NOFILE 100:200") { missed += 1 }
      }
      // After the last kill somebody is there again, and knows whom it missed.
      try await eventually("those that were missed are counted") {
        let status = try await status(stage, run)
        return status.hasPrefix("yes") && status.hasSuffix(" 100 \(missed)")
      }
      _ = try await stage.shell("cd \(stage.directory); touch stop; kill $(cat hooks.pid)")
    }
  }

  /// As `deploy/hooks` runs them.
  @Test func `hooks without any capability adjust containers, and their socket is root's alone`() async throws {
    try await ContainerdStage.with { stage in
      let run = "\(stage.directory)/hooks"
      try await stage.shell.succeed(
        """
        cd \(stage.directory)
        setsid setpriv --bounding-set=-all --inh-caps=-all --no-new-privs \
          nagaya serve hooks --nri-socket \(stage.nriSocket) --run \(run) >> hooks.log 2>&1 < /dev/null &
        echo $! > hooks.pid
        """)
      try await eventually("the hooks are connected") { try await status(stage, run).hasPrefix("yes") }
      let capabilities = try await stage.shell.succeed(
        "awk '/^Cap(Prm|Eff|Bnd)/ {print $2}' /proc/$(cat \(stage.directory)/hooks.pid)/status"
      )
      #expect(capabilities.split(separator: "\n").allSatisfy { $0.allSatisfy { $0 == "0" } }, "\(capabilities)")
      #expect(try await stage.shell.succeed("stat -c '%a %u' \(run)/status.sock \(run)") == "600 0\n700 0\n")
      let pod = try await stage.runPod(["\(Self.key)main": "- {type: NOFILE, soft: 100, hard: 200}"])
      try await stage.start("main", in: pod)
      let lines = try await stage.output(of: "main", in: pod)
      #expect(lines.contains("NOFILE 100:200"), "\(lines)")
      try await stage.shell.succeed("kill $(cat \(stage.directory)/hooks.pid)")
    }
  }

  /// The words of the one line that `nagaya hooks` prints.
  private func status(_ stage: ContainerdStage, _ run: String) async throws -> String {
    let text = try await stage.shell("nagaya hooks --run \(run)").out
    return text.split(separator: "\n").last?.split(separator: " ").joined(separator: " ") ?? ""
  }
}
