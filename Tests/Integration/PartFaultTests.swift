import Foundation
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// Parts that die: the others go on, and nobody has to do anything.
  @Suite("Faults of parts")
  struct PartFaultTests {
    private static let parts = ["api", "storage", "storage-controller", "controllers", "node", "hooks", "edge"]
    /// Killed, and ended as by a trap.
    private static let ends: [(part: String, signal: Int32)] =
      parts.map { ($0, SIGKILL) } + ["api", "node", "edge"].map { ($0, SIGILL) }
    private static let app = "--image=nagaya.local/hello:1 --volume data:/data:400Mi"

    @Test(
      "a part that is killed is back, the apps did not notice, and what was asked meanwhile is done",
      arguments: ends)
    func killed(part: String, signal: Int32) async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let name = "part-\(part)-\(signal)"
      try await shell.succeed("nagaya create app \(name) -n demo-dev \(Self.app)", seconds: 120)
      // An app is ready a moment before the edge has heard of it.
      try await eventually("it answers") {
        try await shell("curl -sSf --cacert $CA \(nagaya.url(name))").succeeded
      }
      let facts = """
        kubectl get pods -n demo-dev -l app.nagaya.dev/name=\(name) -o \
        jsonpath='{.items[0].status.containerStatuses[0].containerID} {.items[0].status.containerStatuses[0].restartCount}'
        """
      let before = try await shell.succeed(facts)
      let pids = try await others(than: part, nagaya)
      let pid = try await nagaya.pid(of: part)
      #expect(kill(pid, signal) == 0)
      // Whoever calls an app, or the API, while the part that serves them is started anew waits, and is not refused.
      try await eventually("the process is gone") { kill(pid, 0) != 0 }
      try await shell.succeed("curl -sSf --cacert $CA \(nagaya.url(name))")
      try await shell.succeed("kubectl get --raw /readyz")
      try await eventually("\(part) is ready again, in another process") {
        let (now, phase) = (try await nagaya.pid(of: part), try await nagaya.status()["phase"].string)
        return now > 1 && now != pid && phase == "ready"
      }
      #expect(try await others(than: part, nagaya) == pids)
      try await eventually("the app answers") {
        try await shell("curl -sSf --cacert $CA \(nagaya.url(name))").succeeded
      }
      #expect(try await shell.succeed(facts) == before)
      // Everything still works: what is changed now reaches the node and the edge.
      try await shell.succeed("nagaya scale app \(name) -n demo-dev --replicas 0")
      try await eventually("its pods are gone") {
        try await shell("kubectl get pods -n demo-dev -l app.nagaya.dev/name=\(name) -o name").out.isEmpty
      }
      try await shell.succeed("nagaya delete app \(name) -n demo-dev")
      let doctor = try await shell("nagaya doctor --state-dir \(nagaya.state) --run-dir \(nagaya.run)").out
      #expect(doctor.contains("the part \(part) was started again"), "\(doctor)")
    }

    private func others(than part: String, _ nagaya: PlatformInstance) async throws -> [Int32] {
      var pids: [Int32] = []
      for other in Self.parts where other != part { pids.append(try await nagaya.pid(of: other)) }
      return pids
    }

    @Test("a node that was taken for lost, though it was not, says how it is and takes pods again")
    func givenUp() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let name = try await shell.succeed("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")
      let before = try await shell.succeed(
        "kubectl get node \(name) -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].lastHeartbeatTime}'")
      try await shell.succeed(
        """
        kubectl patch node \(name) --subresource=status --type=strategic -p \
        '{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown","message":""}]}}'
        """)
      try await eventually("it has said how it is, and has no taint") {
        let node = try await shell.succeed(
          """
          kubectl get node \(name) -o \
          jsonpath='{.status.conditions[?(@.type=="Ready")].status} \
          {.status.conditions[?(@.type=="Ready")].lastHeartbeatTime} {.spec.taints}'
          """
        ).split(separator: " ")
        return node.count == 2 && node[0] == "True" && node[1] != before
      }
    }

    @Test(
      "what a killed instance left is taken down without starting it, even if it could not start",
      arguments: [false, true])
    func downOfTheDead(isStoreDamaged: Bool) async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await shell.succeed("nagaya create app orphan -n demo-dev \(Self.app)", seconds: 120)
      kill(try await nagaya.pid(), SIGKILL)
      try await eventually("the process is gone") {
        try await shell("nagaya status --state-dir \(nagaya.state) --run-dir \(nagaya.run)").status == 3
      }
      let store = "\(nagaya.state)/api/objects.sqlite"
      let kept = "\(nagaya.state)/kept"
      if isStoreDamaged { try await shell.succeed("mkdir \(kept) && mv \(store)* \(kept) && echo damaged > \(store)") }
      let doctor = try await shell.fail("nagaya doctor --state-dir \(nagaya.state) --run-dir \(nagaya.run)")
      #expect(doctor.contains("its containers do") && doctor.contains("objects.sqlite") == isStoreDamaged, "\(doctor)")

      let said = try await shell.succeed(
        "nagaya down --state-dir \(nagaya.state) --run-dir \(nagaya.run)", seconds: 120)
      #expect(said.contains("taking down what it left running"), "\(said)")
      #expect(try await nagaya.leftovers().isEmpty)
      #expect(try await shell("pgrep -x hello").out.isEmpty)

      if isStoreDamaged { try await shell.succeed("rm \(store)*; mv \(kept)/* \(nagaya.state)/api && rmdir \(kept)") }
      try await nagaya.up()
      try await eventually("the app answers again, with its volume") {
        try await shell("curl -sSf --cacert $CA \(nagaya.url("orphan"))").succeeded
      }
      try await shell.succeed("nagaya delete app orphan -n demo-dev")
    }
  }
}
