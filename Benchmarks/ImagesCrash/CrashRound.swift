import Foundation
import PlatformHarness
import TestSupport

/// One image pulled, read under kills, read again in peace, and removed.
struct CrashRound {
  let engine: ImageEngine
  let daemon: CrashDaemon
  let registry: DockerRegistry
  /// The registry, through the slow line.
  let host: String
  let truth: String
  let longest: Int

  private static let readers = 2
  private var control: String { "\(engine.directory)/control" }

  /// What happens during a round; made before, so that a seed tells it.
  private struct Plan {
    struct Event {
      /// Not before the readers run; else it meets the pull.
      var isLate: Bool
      var wait: Int
      /// Nobody: the registry goes away.
      var victim: CrashDaemon.Victim?
      var absence: Int
    }
    var kind: CrashImages.Kind
    var events: [Event]
    var seeds: [Int]
    /// Before the pull: what an earlier round has taught would fetch all of it at once.
    var forgets: Bool

    init(_ longest: Int, _ random: inout SeededGenerator) {
      kind = CrashImages.Kind.allCases.randomElement(using: &random) ?? .plain
      events = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        Event(
          isLate: Int.random(in: 0..<3, using: &random) > 0, wait: Int.random(in: 0...longest, using: &random),
          victim: Int.random(in: 0..<4, using: &random) == 0
            ? nil : CrashDaemon.Victim.allCases.randomElement(using: &random),
          absence: Int.random(in: 0...500, using: &random))
      }
      seeds = (0..<CrashRound.readers + 1).map { _ in Int.random(in: 1...1_000_000, using: &random) }
      forgets = Bool.random(using: &random)
    }
  }

  func run(_ random: inout SeededGenerator, _ totals: inout CrashTotals) async throws {
    let plan = Plan(longest, &random)
    let image = "\(host)/\(plan.kind.repository):latest"
    try await engine.shell.succeed("rm -rf '\(control)' && mkdir '\(control)'")
    if plan.forgets { try await engine.shell.succeed("rm -f '\(engine.directory)'/nagaya/profiles/*.json") }
    async let restarts = work(image, plan)
    do { try await harm(plan, &totals) } catch {
      do { _ = try await restarts } catch let earlier { throw Problem("\(error); before: \(earlier)") }
      throw error
    }
    totals.failedStarts += try await restarts
    _ = FileManager.default.createFile(atPath: "\(control)/stop", contents: nil)
    for reader in 0..<Self.readers { totals.found = try await totals.found + result(of: "reader\(reader)") }

    // In peace, from the disk: every byte can be read. The guard may go on denying until the new daemon is before it.
    try await within("all of the image can be read again", seconds: 60) {
      try await engine.shell.succeed("echo 1 > /proc/sys/vm/drop_caches; rm -f '\(control)'/quiet*")
      guard try await startReader("quiet", plan.seeds[Self.readers], image) else { return false }
      let found = try await result(of: "quiet")
      totals.found.zeros += found.zeros
      totals.found.mismatches += found.mismatches
      totals.found.bytes += found.bytes
      return found.failures == 0
    }
    try await remove(image, &totals)
  }

  /// Kills, and brings everything back.
  private func harm(_ plan: Plan, _ totals: inout CrashTotals) async throws {
    for event in plan.events {
      if event.isLate {
        try await within("the readers run", seconds: 150) {
          for reader in 0..<Self.readers where try await !hasBegun("reader\(reader)") { return false }
          return true
        }
      }
      try await Task.sleep(for: .milliseconds(event.wait))
      if let victim = event.victim {
        try await daemon.kill(victim)
        totals.kills += 1
        try await Task.sleep(for: .milliseconds(event.absence))
        try await daemon.start()
      } else {
        registry.goAway()
        totals.outages += 1
        try await Task.sleep(for: .milliseconds(event.absence))
        try await registry.comeBack()
      }
    }
  }

  /// Pulls, and starts the readers, as often as it takes.
  /// - Returns: how often a container had to be started again.
  private func work(_ image: String, _ plan: Plan) async throws -> Int {
    try await within("the image is pulled", seconds: 90) {
      try await engine.shell(
        "timeout 60 ctr images pull --plain-http --snapshotter nagaya \(image) >> '\(engine.directory)/pull.log' 2>&1",
        seconds: 80
      ).succeeded
    }
    var restarts = -Self.readers
    for reader in 0..<Self.readers {
      try await within("a container starts", seconds: 60) {
        restarts += 1
        return try await startReader("reader\(reader)", plan.seeds[reader], image)
      }
    }
    return restarts
  }

  private func startReader(_ name: String, _ seed: Int, _ image: String) async throws -> Bool {
    let started = try await engine.shell(
      """
      ctr run -d --snapshotter nagaya --mount type=bind,src='\(truth)',dst=/truth,options=rbind:ro \
        --mount type=bind,src='\(control)',dst=/control,options=rbind:rw \(image) \(name) /reader \(name) \(seed) \
        >> '\(engine.directory)/run.log' 2>&1 < /dev/null && exit 0
      ctr tasks kill -s KILL \(name); ctr tasks delete -f \(name); ctr containers delete \(name); exit 1
      """, seconds: 60)
    return started.succeeded
  }

  /// Whether a reader reads, or has ended before it could: its own pages may be what cannot be read.
  private func hasBegun(_ name: String) async throws -> Bool {
    if FileManager.default.fileExists(atPath: "\(control)/\(name).runs") { return true }
    return try await hasEnded(name)
  }

  private func hasEnded(_ name: String) async throws -> Bool {
    if FileManager.default.fileExists(atPath: "\(control)/\(name)") { return true }
    let tasks = try await engine.shell.succeed("ctr tasks list")
    return tasks.split(separator: "\n").contains { $0.hasPrefix("\(name) ") && $0.contains("STOPPED") }
  }

  /// Waits for the end of a reader, and removes its container.
  private func result(of name: String) async throws -> CrashReader.Result {
    try await within("\(name) ends", seconds: 120) { try await hasEnded(name) }
    // By force if it could not be killed by what it waited for.
    _ = try await engine.shell(
      """
      for i in $(seq 100); do ctr tasks list | grep -q '^\(name) .*STOPPED' && break; sleep 0.05; done
      ctr tasks delete -f \(name); ctr containers delete \(name)
      """, seconds: 60)
    guard let line = try? String(contentsOfFile: "\(control)/\(name)", encoding: .utf8) else {
      // Its own pages could not be read (SIGBUS, or exec failed): an I/O error, too.
      return CrashReader.Result(failures: 1)
    }
    guard let found = CrashReader.Result(line) else { throw Problem("\(name) wrote \(line)") }
    if found.zeros + found.mismatches > 0 { report("\(name): \(line)") }
    return found
  }

  /// Removes the image and its content, and looks for what stays.
  private func remove(_ image: String, _ totals: inout CrashTotals) async throws {
    try await engine.shell.succeed("ctr images remove --sync \(image)", seconds: 60)
    try await within("no snapshot is left") { try await leftSnapshots() == 0 }
    try await engine.shell.succeed(
      "'\(daemon.program)' image gc --root '\(engine.directory)/nagaya' --run '\(engine.directory)/run'", seconds: 60)
    try await within("layers are unmounted") { try await mounts().isEmpty }
    let open = daemon.openFiles()
    for (who, count, limit) in [("daemon", open.daemon, 120), ("its helpers", open.helpers, 60)] where count > limit {
      totals.note(leaks: ["\(count) open files of \(who)"])
    }
    let files = try await engine.shell.succeed(
      "cd '\(engine.directory)/nagaya' && find . -name '.unfinished*' -o -name '*.new' -o -name '*.tmp'")
    totals.note(leaks: files.split(separator: "\n").map { "file \($0)" })
  }

  /// Ends the daemon; what is left of it then is a leak.
  func settle(_ totals: inout CrashTotals) async throws {
    try await daemon.stop()
    do { try await within("helpers end with the daemon", seconds: 60) { daemon.helpers().isEmpty } } catch {
      let state = "cd '\(engine.directory)'; tail -n 5 nagaya.log; ls run/layers run/layers/*; ls nagaya/snapshots/s"
      totals.note(
        leaks: daemon.helpers().map { "process \($0): \(name(of: $0))" } + [try await engine.shell(state).out])
    }
    totals.note(leaks: try await mounts().map { "mount \($0)" })
    let tasks = try await engine.shell.succeed("ctr tasks list -q; ctr containers list -q")
    totals.note(leaks: tasks.split(separator: "\n").map { "container \($0)" })
    let sizes = try await engine.shell.succeed(
      "find '\(engine.directory)/nagaya/layers' -type f -size +1000k ! -name 'metadata.erofs' -printf '%P %k KiB\\n'"
    )
    totals.note(leaks: sizes.split(separator: "\n").filter { !$0.hasSuffix(" 0 KiB") }.map { "file \($0)" })
  }

  /// The command and the open files of a process.
  private func name(of pid: Int32) -> String {
    let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
    let files = names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)") }
    return "\(String(decoding: line.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)) \(files.sorted())"
  }

  private func leftSnapshots() async throws -> Int {
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(engine.directory)/nagaya/snapshots/s")
    return names.count
  }

  /// Mounts below the engine's directory that are layers or containers' root file systems.
  private func mounts() async throws -> [String] {
    let table = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
    return table.split(separator: "\n").map(String.init).filter {
      $0.contains(" \(engine.directory)/") && ($0.contains(" - erofs ") || $0.contains(" - overlay "))
    }
  }
}
