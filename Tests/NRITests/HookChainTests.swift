import TestSupport
import Testing

@testable import NRI

struct HookChainTests {
  private let pod = NRIPodSandbox()
  private let container = NRIContainer.with { $0.name = "web" }

  /// A hook that wants one thing.
  private func hook(
    _ name: String, _ change: Adjustment.Change, _ strength: Adjustment.Strength = .wanted, failure: FailPolicy = .fail
  ) -> Hook {
    Hook(name, failure: failure) { _, _ in
      var adjustment = Adjustment()
      try adjustment.set(change, strength, because: name)
      return adjustment
    }
  }

  private func bounding(_ bounds: Adjustment.Bound...) -> Hook {
    Hook("bounds") { _, _ in
      var adjustment = Adjustment()
      for bound in bounds { adjustment.bound(bound, because: "policy") }
      return adjustment
    }
  }

  private func broken(_ failure: FailPolicy) -> Hook {
    Hook("broken", failure: failure) { _, _ in throw HookRefusal(hook: "broken", reason: "it is") }
  }

  private let files = Adjustment.Change.rlimit(Rlimit(.openFiles, soft: 10, hard: 20))

  @Test func `all hooks are heard`() throws {
    let outcome = try HookChain([hook("a", files), hook("b", .environment("X", "1"))]).run(pod, container)
    #expect(outcome.adjustment.entries.count == 2)
    #expect(outcome.adjustment.entries[.environment("X")]?.reason == "b")
  }

  @Test func `what is wanted takes the place of a default, whoever comes first`() throws {
    let other = Adjustment.Change.rlimit(Rlimit(.openFiles, soft: 1, hard: 2))
    for hooks in [
      [hook("default", other, .byDefault), hook("wish", files)], [hook("wish", files), hook("d", other, .byDefault)],
    ] {
      #expect(try HookChain(hooks).run(pod, container).adjustment.entries[.rlimit(.openFiles)]?.change == files)
    }
    let first = try HookChain([hook("1", other, .byDefault), hook("2", files, .byDefault)]).run(pod, container)
    #expect(first.adjustment.entries[.rlimit(.openFiles)]?.change == other)
  }

  @Test func `two that want different things of one field are in conflict, the same thing is none`() throws {
    let chain = HookChain([hook("a", .environment("X", "1")), hook("b", .environment("X", "2"))])
    let refusal = #expect(throws: HookRefusal.self) { try chain.run(pod, container) }
    #expect(refusal?.hook == "b")
    #expect(throws: Never.self) { try HookChain([hook("a", files), hook("b", files)]).run(pod, container) }
  }

  @Test func `a hook that fails fails the container, or is left out whole`() throws {
    #expect(throws: HookRefusal.self) { try HookChain([hook("a", files), broken(.fail)]).run(pod, container) }
    let outcome = try HookChain([broken(.ignore), hook("a", files)]).run(pod, container)
    #expect(outcome.ignored.map(\.hook) == ["broken"])
    #expect(outcome.adjustment.entries.count == 1)
  }

  @Test func `a wish above a bound is refused, and with Ignore the default holds again`() throws {
    let bound = bounding(.rlimit(.openFiles, most: 15))
    let standard = hook("default", .rlimit(Rlimit(.openFiles, soft: 5, hard: 5)), .byDefault)
    let refusal = #expect(throws: HookRefusal.self) {
      try HookChain([bound, standard, hook("wish", files)]).run(pod, container)
    }
    #expect(refusal?.hook == "wish")
    #expect(refusal?.reason.contains("policy") == true)
    let outcome = try HookChain([bound, standard, hook("wish", files, failure: .ignore)]).run(pod, container)
    #expect(outcome.adjustment.entries[.rlimit(.openFiles)]?.reason == "default")
    #expect(outcome.ignored.map(\.hook) == ["wish"])
  }

  @Test func `a default above a bound is lowered to it`() throws {
    let outcome = try HookChain([bounding(.rlimit(.openFiles, most: 15)), hook("d", files, .byDefault)]).run(
      pod, container)
    #expect(
      outcome.adjustment.entries[.rlimit(.openFiles)]?.change == .rlimit(Rlimit(.openFiles, soft: 10, hard: 15)))
  }

  @Test func `what a container has by itself is brought down to a bound, and left below it`() throws {
    let all = bounding(.memory(most: 1000), .cpu(mostMilli: 500), .pids(most: 10), .oomScore(least: 100))
    func changes(_ container: NRIContainer) throws -> [Adjustment.Change] {
      try HookChain([all]).run(pod, container).adjustment.entries.sorted { $0.key < $1.key }.map(\.value.change)
    }
    #expect(try changes(container) == [.memory(1000), .cpu(milli: 500), .pids(10), .oomScore(100)])
    let above = NRIContainer.with {
      $0.linux.resources.memory.limit.value = 1001
      $0.linux.resources.cpu.quota.value = 60_000
      $0.linux.resources.cpu.period.value = 100_000
      $0.linux.resources.pids.limit = -1
      $0.linux.oomScoreAdj.value = -998
    }
    #expect(try changes(above) == [.memory(1000), .cpu(milli: 500), .pids(10), .oomScore(100)])
    let within = NRIContainer.with {
      $0.linux.resources.memory.limit.value = 999
      $0.linux.resources.cpu.quota.value = 50_000
      $0.linux.resources.cpu.period.value = 100_000
      $0.linux.resources.pids.limit = 10
      $0.linux.oomScoreAdj.value = 100
    }
    #expect(try changes(within) == [])
  }

  @Test func `an adjustment becomes the message that runtimes read`() throws {
    var adjustment = Adjustment()
    try adjustment.set(files, because: "")
    try adjustment.set(.environment("A", "b"), because: "")
    try adjustment.set(.mount(InjectedMount(destination: "/d", source: "/s")), because: "")
    try adjustment.set(.annotation("k", "v"), because: "")
    try adjustment.set(.oomScore(7), because: "")
    try adjustment.set(.memory(5), because: "")
    try adjustment.set(.cpu(milli: 1500), because: "")
    try adjustment.set(.pids(9), because: "")
    try adjustment.set(.unified("io.max", "8:0 rbps=1"), because: "")
    let wire = adjustment.wire
    #expect(wire.rlimits == [.with { ($0.type, $0.hard, $0.soft) = ("RLIMIT_NOFILE", 20, 10) }])
    #expect(wire.env == [.with { ($0.key, $0.value) = ("A", "b") }])
    #expect(wire.mounts.map(\.options) == [["rbind", "rprivate", "nosuid", "nodev", "ro"]])
    #expect(wire.annotations == ["k": "v"])
    #expect(wire.linux.oomScoreAdj.value == 7)
    #expect(wire.linux.resources.memory.limit.value == 5)
    #expect((wire.linux.resources.cpu.quota.value, wire.linux.resources.cpu.period.value) == (150_000, 100_000))
    #expect(wire.linux.resources.pids.limit == 9)
    #expect(wire.linux.resources.unified == ["io.max": "8:0 rbps=1"])
    // Fields that older runtimes would take for something else are not sent at all.
    #expect(Adjustment().wire == NRIContainerAdjustment())
  }

  @Test func `devices are limited one after the other, as the kernel takes them`() throws {
    var adjustment = Adjustment()
    try adjustment.set(.unified("io.max", "7:1 rbps=1\n7:2 rbps=1"), because: "")
    try adjustment.set(.pids(9), because: "")
    #expect(adjustment.resourceSteps.map(\.unified) == [["io.max": "7:1 rbps=1"], ["io.max": "7:2 rbps=1"]])
    #expect(adjustment.resourceSteps.map(\.hasPids) == [true, false])
    #expect(adjustment.wire.linux.resources.unified == ["io.max": "7:1 rbps=1"])
  }

  /// The one that `docs/hooks.md` teaches.
  @Test func `a hook of one's own is a function`() throws {
    let javaMemory = Hook("java-memory", failure: .ignore) { pod, container in
      var adjustment = Adjustment()
      guard pod.labels["runtime"] == "java", container.linux.resources.memory.hasLimit else { return adjustment }
      let heap = container.linux.resources.memory.limit.value / 4 * 3
      try adjustment.set(
        .environment("JAVA_TOOL_OPTIONS", "-Xmx\(heap)"), .byDefault,
        because: "three quarters of the container's memory")
      return adjustment
    }
    let pod = NRIPodSandbox.with { $0.labels = ["runtime": "java"] }
    let container = NRIContainer.with { $0.linux.resources.memory.limit.value = 1 << 30 }
    let outcome = try HookChain([javaMemory]).run(pod, container)
    #expect(outcome.adjustment.wire.env.map(\.value) == ["-Xmx805306368"])
  }

  @Test func `numbers at the edges of their types stay numbers`() throws {
    var adjustment = Adjustment()
    try adjustment.set(.cpu(milli: .max), because: "")
    #expect(adjustment.resourceSteps.first?.cpu.quota.value == -1)
    let cpu = NRILinuxCPU.with { ($0.quota.value, $0.period.value) = (.max, 1) }
    #expect(cpu.milli == .max)
  }
}
