import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import ProcessSupervision

@Suite struct SupervisorTests {
  private func sleeper(_ name: String, after: Set<String> = []) -> Stage.Script {
    Stage.Script(name: name, text: Stage.ready + "exec sleep 10000", after: after)
  }

  @Test("parts come up in order, say how, and end in the opposite one")
  func life() async throws {
    var pids: [pid_t] = []
    var told: [SupervisionReport] = []
    try await Stage.run([
      .init(name: "a", text: "echo '{\"step\":\"first\",\"detail\":\"here\"}' >&3; \(Stage.ready) exec sleep 10000"),
      .init(
        name: "b", text: "echo '{\"step\":\"second\"}' >&3; echo hello; \(Stage.ready) exec sleep 10000", after: ["a"]),
    ]) { stage in
      try await stage.untilReady()
      #expect(stage.last?.steps.map(\.name) == ["first", "second"])
      #expect(stage.last?.steps.first?.detail == "here")
      try await eventually("the output is passed on") { stage.log == "b: hello\n" }
      pids = [stage.pid("a"), stage.pid("b")]
      stage.supervisor.stop()
      try await eventually("all have ended") { stage.last?.parts.allSatisfy { $0.state == .stopped } == true }
      told = stage.told
    }
    #expect(pids.allSatisfy { $0 > 0 && Stage.isGone($0) })
    // At no time was the first gone or asked to go while the second was there.
    #expect(told.allSatisfy { $0.parts[0].state != .stopping || $0.parts[1].state == .stopped })
    #expect(told.first { $0.parts[1].pid != nil }?.parts[0].state == .ready)
  }

  @Test(
    "whatever ends a part, it is back, said how it ended, and the other part is the same process as before",
    arguments: [SIGKILL, SIGILL, SIGSEGV, SIGTERM, SIGABRT])
  func ends(signal: Int32) async throws {
    try await Stage.run([sleeper("a"), sleeper("b")]) { stage in
      try await stage.untilReady()
      let (killed, other) = (stage.pid("a"), stage.pid("b"))
      kill(killed, signal)
      try await eventually("it is back") {
        stage.last?.phase == .ready && stage.pid("a") != killed && stage.part("a")?.restarts == 1
      }
      #expect(stage.pid("b") == other && stage.part("b")?.restarts == 0)
      #expect(stage.part("a")?.lastEnd?.hasPrefix("signal \(signal)") == true)
      #expect(stage.told.contains { $0.phase == .degraded })
      #expect(Stage.isGone(killed))
    }
  }

  @Test("a part that always dies is tried again and again, with its last words kept; the other comes up")
  func alwaysDies() async throws {
    try await Stage.run([
      .init(name: "bad", text: "echo one; echo 'Fatal error: no' >&2; kill -ILL $$"), sleeper("good"),
    ]) { stage in
      try await eventually("it was tried several times") { (stage.part("bad")?.restarts ?? 0) >= 3 }
      #expect(stage.part("good")?.state == .ready)
      #expect(stage.last?.phase == .starting)
      #expect(stage.told.last { $0.parts[0].state == .backingOff }?.parts[0].lastWords == ["one", "Fatal error: no"])
      #expect(stage.part("bad")?.lastEnd == "signal 4 (a trap of the program)")
    }
  }

  @Test("a first start that is refused ends what had begun, and says why")
  func refused() async throws {
    try await Stage.run([
      sleeper("a"), .init(name: "b", text: "echo '{\"failed\":\"no engines\"}' >&3; exit 1", after: ["a"]),
    ]) { stage in
      try await eventually("all has ended") { stage.last?.parts.allSatisfy { $0.state == .stopped } == true }
      #expect(stage.last?.failure == "no engines")
      // Whoever prepares the end heard of it before it came.
      #expect(stage.told.first { $0.failure != nil }?.parts[0].state == .ready)
    }
  }

  @Test("a program that is not there is a part that ends, not the end of all")
  func noProgram() async throws {
    var program = SupervisedProgram(name: "a", program: "/nonexistent", arguments: [])
    program.stopLimit = .seconds(1)
    let child = try await BlockingWork.run { [program] in
      let child = try ChildProcess(program)
      var end: ProcessEnd?
      while end == nil { end = child.reap() }
      return (end, child.readOutput().map { String(decoding: $0, as: UTF8.self) })
    }
    #expect(child.0 == .exited(code: 127))
    #expect(child.1 == ["the program cannot be run"])
  }

  @Test("a part that does not hear SIGTERM is killed; what it had started itself does not hold the supervisor up")
  func deaf() async throws {
    var pid: pid_t = 0
    try await Stage.run([
      .init(name: "deaf", text: "trap '' TERM; sleep 3 & \(Stage.ready) while true; do sleep 1000; done")
    ]) { stage in
      try await stage.untilReady()
      pid = stage.pid("deaf")
    }
    #expect(Stage.isGone(pid))
  }

  @Test("children end when the thread that started them ends, however it does")
  func deathWithTheParent() async throws {
    let child = try await BlockingWork.run {
      let child = try ChildProcess(
        SupervisedProgram(
          name: "a", program: "/bin/bash", arguments: ["-c", "trap '' TERM INT HUP; while true; do sleep 1000; done"]))
      return SendableChild(child)
    }
    try await eventually("the kernel has killed it") { child.end == .signaled(SIGKILL) }
  }

  /// One task at a time uses it.
  private final class SendableChild: @unchecked Sendable {
    private let child: ChildProcess
    init(_ child: ChildProcess) { self.child = child }
    var end: ProcessEnd? { child.reap() }
  }

  @Test("a child holds nothing of its parent but its output and its status, and is spared as it was asked")
  func descriptors() async throws {
    let leak = open("/dev/null", O_RDONLY)  // without O_CLOEXEC, as libraries do it
    defer { close(leak) }
    try await Stage.run([
      .init(
        name: "a",
        text:
          "ls -l /proc/$$/fd | grep -c /dev/null; cat /proc/$$/oom_score_adj; ps -o pgid= -p $$ | tr -d ' '; echo $$; "
          + "\(Stage.ready) exec sleep 10000", oomScore: 123)
    ]) { stage in
      try await stage.untilReady()
      try await eventually("it has told") { stage.log.split(separator: "\n").count == 4 }
      let lines = stage.log.split(separator: "\n").map { $0.dropFirst("a: ".count) }
      #expect(lines[0] == "1")
      #expect(lines[1] == "123")
      #expect(lines[2] == lines[3])
    }
  }

  @Test("a child finds the sockets that were kept for it, by their names, and nothing else")
  func sockets() async throws {
    let (one, two) = (try ListeningSocket("127.0.0.1", port: 0), try ListeningSocket("127.0.0.1", port: 0))
    var program = SupervisedProgram(
      name: "a", program: "/bin/bash",
      arguments: [
        "-c", "echo $NAGAYA_SOCKETS; for n in 4 5; do readlink /proc/$$/fd/$n; done; set -- /proc/$$/fd/*; echo $#",
      ])
    program.sockets = [
      .init(name: "two", descriptor: two.descriptor.number), .init(name: "one", descriptor: one.descriptor.number),
    ]
    let lines = try await BlockingWork.run { [program] in
      let child = try ChildProcess(program)
      // Readable once it has ended.
      var end = pollfd(fd: child.end.number, events: Int16(POLLIN), revents: 0)
      while child.reap() == nil { poll(&end, 1, -1) }
      return child.readOutput().map { String(decoding: $0, as: UTF8.self) }
    }
    let expected = try [two, one].map { "socket:[\(try $0.descriptor.identity().inode)]" }
    // The standard ones, the status, the two, and the directory that is read.
    #expect(lines.prefix(3) == (["two:one"] + expected)[...] && ["6", "7"].contains(lines.last), "\(lines)")
  }
}
