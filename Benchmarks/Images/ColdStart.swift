import Foundation
import PlatformHarness

/// From nothing to the first line that a program in the image prints.
struct ColdStart {
  /// Of one run.
  struct Run {
    var seconds: Double
    var pullSeconds: Double
    /// Through the relay, until the line was there.
    var bytes: Int64
    var requests: Int
    /// What was asked of the registry, for `--requests`.
    var log: [String]
  }

  let relay: NetworkRelay
  let image: BenchImage
  /// What `/start` prints.
  static let expected = "ready"

  struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  /// Pulls and runs once, with cold caches.
  func run(_ engine: ImageEngine) async throws -> Run {
    let image = "\(relay.host)/\(engine.mode.variant.name(of: image))"
    try await engine.shell.succeed("sync; echo 3 > /proc/sys/vm/drop_caches; mkfifo \(engine.directory)/line")
    relay.reset()
    let begin = ContinuousClock.now
    let pull =
      engine.mode == .soci
      ? "soci image rpull \(image)"
      : "ctr images pull --plain-http --snapshotter \(engine.mode.snapshotter) \(image)"
    // The container goes on for a moment after its line; whoever measures does not wait for it.
    let out = try await engine.shell.succeed(
      """
      cd \(engine.directory); date +%s%N
      \(pull) > pull.log 2>&1 || { tail -n 20 pull.log *.log; exit 1; }
      date +%s%N
      setsid ctr run --rm --snapshotter \(engine.mode.snapshotter) \(image) first /start \
        > line 2> run.log < /dev/null &
      IFS= read -r line < line; date +%s%N; echo "$line"; [ -n "$line" ] || { sleep 1; tail -n 20 *.log; }
      """, seconds: 300)
    let counts = relay.counts
    let lines = out.split(separator: "\n")
    let times = lines.prefix(3).compactMap { Double($0) }
    guard times.count == 3, lines.count > 3, lines[3] == Self.expected else {
      throw Wrong(description: "\(engine.mode.rawValue) did not print \(Self.expected):\n\(out)")
    }
    // It ends by itself; removal of its snapshot is not measured.
    try await engine.shell.succeed(
      "for i in $(seq 200); do [ -z \"$(ctr containers ls -q)\" ] && exit 0; sleep 0.05; done; exit 1")
    return Run(
      seconds: (times[2] - times[0]) / 1e9, pullSeconds: (times[1] - times[0]) / 1e9, bytes: counts.bytes,
      requests: counts.requests,
      log: counts.log.map { request in
        let path = request.line.split(separator: " ").dropFirst().first ?? ""
        let milliseconds = Int((request.time - begin).seconds * 1000)
        return "\(milliseconds) ms  \(path.suffix(80).prefix(40))  \(request.range)"
      })
  }
}
