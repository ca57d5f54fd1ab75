import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import ProcessSupervision

/// What a part that has gone wrong (or was taken over) may try against its supervisor and the other parts.
@Suite struct SupervisorAttacks {
  static let tries: [(way: String, script: String)] = [
    ("a status line without end", "head -c 5000000 /dev/zero | tr '\\0' '[' >&3"),
    ("status lines that are no messages", "for i in $(seq 2000); do echo '[[[{{{\"ready\":1' >&3; done"),
    ("a flood of steps", "for i in $(seq 20000); do echo \"{\\\"step\\\":\\\"$i\\\"}\"; done >&3"),
    ("a step of a megabyte", "(echo -n '{\"step\":\"'; head -c 1000000 /dev/zero | tr '\\0' x; echo '\"}') >&3"),
    ("an output line without end", "head -c 20000000 /dev/zero | tr '\\0' y"),
    ("bytes that are no text", "head -c 3000000 /dev/urandom"),
    ("a closed status descriptor", "exec 3>&-"),
    ("closed outputs", "exec 1>&- 2>&-"),
    ("its output held open by a process that stays", "sleep 5 & disown"),
    ("a stop of the supervisor by name of its group", "kill -TERM 0"),
    ("a stop of the supervisor itself", "kill -STOP $$"),
  ]

  @Test("the supervisor and the other part go on", arguments: tries.map(\.way))
  func goesOn(way: String) async throws {
    let script = try #require(Self.tries.first { $0.way == way }).script
    let held = try await attempt(Attack(.component, way, on: .platformProcess)) {
      var outcome = AttackOutcome.through("the supervisor did not end")
      try await Stage.run([
        .init(name: "evil", text: "\(script); touch $D/done; exec sleep 10000"),
        .init(name: "good", text: Stage.ready + "exec sleep 10000"),
      ]) { stage in
        try await eventually("the other part is ready") { stage.part("good")?.state == .ready }
        let good = stage.pid("good")
        try await eventually("the try is over") {
          SmallFile.text("\(stage.directory)/done") != nil || (stage.part("evil")?.restarts ?? 0) > 0
            || SmallFile.text("/proc/\(stage.pid("evil"))/stat")?.contains(") T ") == true
        }
        // The supervisor still sees to the others.
        kill(good, SIGKILL)
        try await eventually("the other part is back") {
          stage.part("good")?.state == .ready && stage.pid("good") != good
        }
        let steps = stage.last?.steps ?? []
        outcome = .check(
          steps.count <= 100 && steps.allSatisfy { $0.name.utf8.count <= 4096 },
          "\(steps.count) steps kept; the other part is back")
      }
      return outcome
    }
    #expect(held)
  }

  @Test("a log that nobody reads costs lines, not time")
  func unreadLog() async throws {
    let held = try await attempt(Attack(.component, "a log whose reader has stopped", on: .platformProcess)) {
      var ends: [Int32] = [0, 0]
      #expect(pipe(&ends) == 0)
      defer { for end in ends { close(end) } }
      var relay = OutputRelay(descriptor: ends[1], patience: .milliseconds(1))
      let line = [UInt8](repeating: UInt8(ascii: "z"), count: 1000)
      for _ in 0..<500 { relay.write([line], of: "a") }
      // Once somebody reads again, what was dropped is said.
      var chunk = [UInt8](repeating: 0, count: 1 << 20)
      _ = read(ends[0], &chunk, chunk.count)
      relay.write([line], of: "a")
      let count = read(ends[0], &chunk, chunk.count)
      let text = String(decoding: chunk.prefix(max(0, count)), as: UTF8.self)
      return .check(text.contains("lines were dropped"), "\(text.prefix(60))")
    }
    #expect(held)
  }
}
