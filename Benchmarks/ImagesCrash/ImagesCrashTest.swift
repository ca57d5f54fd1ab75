import ArgumentParser
import Foundation
import PlatformHarness
import TestSupport

/// Kills what serves lazy images at random moments while containers read, and compares every byte that they read.
struct ImagesCrashTest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crash-images",
    abstract:
      "Kill the daemon, the keeper, both or everything while containers read; no wrong byte may be seen, nothing leak.",
    discussion: """
      Every round pulls an image of one kind (eStargz, zstd:chunked, plain), starts containers that read all of it and \
      compare it with the truth, kills one to three times, and takes the registry away at times. At the end of a round \
      everything is read once more, and the image and its content are removed.
      """)

  @Option(help: "How many rounds.")
  var rounds = 100

  @Option(help: "Seed of what is random: the same seed kills in the same order (though not at the same instruction).")
  var seed: UInt64 = 1

  @Option(help: "Rounds with the same directories; then all is made anew.")
  var generation = 10

  @Option(help: "Longest time between two kills, in milliseconds.")
  var longest = 700

  @Option(help: "The build whose binary is killed: debug or release.")
  var configurationName = "release"

  @Option(help: "For containerd and layers; on ext4, xfs or btrfs.")
  var scratch = "/tmp"

  private var nagaya: String { "\(PlatformInstance.root)/.build/\(configurationName)/nagaya" }

  func run() async throws {
    let work = "\(scratch)/nagaya-crash-images-\(UInt32.random(in: 0..<1 << 24))"
    try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: work) }
    report("making images (seed \(seed))")
    let images = try await CrashImages(in: "\(work)/images", nagaya: nagaya, seed: seed)
    let registry = try await DockerRegistry()
    defer { registry.stop() }
    try await images.push(to: registry.host, work: "\(work)/push")
    // So far away that layers take a second to come.
    let relay = try await NetworkRelay(to: registry.port, roundTrip: .milliseconds(4), bytesPerSecond: 15e6)
    var totals = CrashTotals()
    do {
      try await crash(images, registry, relay, work, &totals)
    } catch {
      await relay.stop()
      totals.show()
      throw error
    }
    await relay.stop()
    totals.show()
    Figure.show([
      Figure(name: "crash.zeros", value: Double(totals.found.zeros), unit: "count", digits: 0),
      Figure(name: "crash.mismatches", value: Double(totals.found.mismatches), unit: "count", digits: 0),
      Figure(name: "crash.leaks", value: Double(totals.leaks.count), unit: "count", digits: 0),
      Figure(name: "crash.rounds", value: Double(totals.rounds), unit: "count", digits: 0),
    ])
    guard totals.found.zeros == 0, totals.found.mismatches == 0, totals.leaks.isEmpty else { throw ExitCode(1) }
  }

  private func crash(
    _ images: CrashImages, _ registry: DockerRegistry, _ relay: NetworkRelay, _ work: String,
    _ totals: inout CrashTotals
  ) async throws {
    var random = SeededGenerator(seed: seed)
    let start = ContinuousClock.now
    while totals.rounds < rounds {
      let directory = "\(work)/\(totals.rounds)"
      let engine = try await ImageEngine(.nagayaPlain, in: directory, nagaya: nagaya)
      let daemon = CrashDaemon(of: engine, nagaya: nagaya)
      let round = CrashRound(
        engine: engine, daemon: daemon, registry: registry, host: relay.host, truth: images.truth, longest: longest)
      do {
        for _ in 0..<min(generation, rounds - totals.rounds) {
          try await round.run(&random, &totals)
          totals.rounds += 1
          if totals.rounds % 10 == 0 {
            let done = totals.rounds * 20 / rounds
            report(
              """
              [\(String(repeating: "#", count: done))\(String(repeating: "-", count: 20 - done))] round \
              \(totals.rounds)/\(rounds): \(totals.words), \(Int((ContinuousClock.now - start).seconds)) s
              """)
          }
        }
        try await round.settle(&totals)
      } catch {
        print("round \(totals.rounds + 1): \(error)")
        print((try? await engine.shell("tail -n 60 \(directory)/nagaya.log").out) ?? "")
        daemon.destroy()
        await engine.destroy()
        throw error
      }
      daemon.destroy()
      await engine.destroy()
    }
  }
}

/// What all rounds found.
struct CrashTotals {
  var rounds = 0
  var found = CrashReader.Result()
  var kills = 0
  var outages = 0
  /// Containers that did not come up because nobody was there to fill.
  var failedStarts = 0
  private(set) var leaks: [String] = []

  /// Notes what is still there and should not be.
  mutating func note(leaks: [String]) {
    for leak in leaks { report("left behind after round \(rounds): \(leak)") }
    self.leaks += leaks
  }

  var words: String {
    """
    \(kills) kills, \(outages) outages, \(found.bytes >> 20) MiB compared, \(found.failures) reads failed, \
    \(found.zeros) zeros, \(found.mismatches) mismatches, \(leaks.count) leaks
    """
  }

  func show() {
    print("\(rounds) rounds: \(words); \(failedStarts) containers were started again")
  }
}
