import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Moves of volumes as commands make them and wait for them.
enum VolumeMoves {
  static func create(
    _ client: KubernetesClient, volume: String, to node: String, bytesPerSecond: Int64?, reason: String
  ) async throws -> KubernetesObject {
    var move = KubernetesObject(
      .volumeMoves, name: "\(volume.suffix(12))-\(String(UInt32.random(in: 0 ... .max), radix: 36))")
    move.spec = ["volumeName": .string(volume), "targetNode": .string(node), "reason": .string(reason)]
    move.spec.set("bytesPerSecond", ifPresent: bytesPerSecond.map { .string("\($0)") })
    return try await client.create(move, as: .volumeMoves)
  }

  /// Shows how far moves are until all are over.
  /// - Throws: `CommandFailure` if one failed, or the time is up.
  static func wait(_ client: KubernetesClient, _ names: [String], limit: TimeSpan) async throws {
    let progress = ProgressLine()
    defer { progress.clear() }
    do {
      try await Deadline.within(limit.duration) {
        while true {
          let all = try await client.list(.volumeMoves).items.filter { names.contains($0.name) }.map(VolumeMove.init)
          let over = all.filter(\.phase.isOver)
          guard over.count < names.count else { return try judge(all, names) }
          let going = all.filter { !$0.phase.isOver }
          // One that somebody took back is gone.
          if going.isEmpty { return try judge(all, names) }
          progress.show(line(going, over: over.count, of: names.count))
          try await Task.sleep(for: .milliseconds(300))
        }
      }
    } catch is Deadline.Passed {
      throw CommandFailure(
        "not moved after \(limit)", remedy: "it goes on; see nagaya get moves", exitCode: CommandFailure.timedOut)
    }
  }

  private static func judge(_ all: [VolumeMove], _ names: [String]) throws {
    let failed = all.filter { $0.phase == .failed }
    guard failed.isEmpty, all.count == names.count else {
      let words = failed.map { "\($0.volumeName): \($0.object.status["message"].string ?? "no reason given")" }
      throw CommandFailure(
        words.isEmpty ? "it was taken back" : "not moved: \(words.sorted().joined(separator: "; "))",
        remedy: "the volume is where it was; see nagaya get moves")
    }
  }

  /// `[#####.....] 52 %  2 of 5  pvc-1: copying; its pods go on`
  private static func line(_ going: [VolumeMove], over: Int, of count: Int) -> String {
    let done = going.map { Double($0.source["comparedBytes"].int ?? 0) }.reduce(0, +)
    let bytes = going.map { Double($0.object.status["bytes"].int ?? 0) }.reduce(0, +)
    let share = (Double(over) + (bytes > 0 ? min(1, done / bytes) * Double(going.count) : 0)) / Double(max(1, count))
    let filled = Int(clamping: max(0, min(20, share * 20)))
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
    let first = going.min { $0.object.name < $1.object.name }
    let words = first?.source["message"].string ?? first?.object.status["message"].string ?? ""
    return
      "[\(bar)] \(Int(clamping: share * 100)) %  \(count > 1 ? "\(over) of \(count)  " : "")\(first?.volumeName ?? ""): \(words)"
  }
}
