import Foundation
import KubernetesAPI

/// The parts of an instance for people: a line each, and for those that ended how and with what words.
struct PartsTable {
  let parts: [Instance.Part]
  var now = Date()

  func show() { if !parts.isEmpty { Console.print(text) } }

  var text: String {
    let seconds = Int64(now.timeIntervalSince1970)
    let rows = parts.map { part in
      [
        part.name, part.state, part.pid.map { "\($0)" } ?? "-", part.pid.flatMap(ProcessFacts.memory) ?? "-",
        "\(part.restarts)", HumanDuration.text(seconds: max(0, seconds - part.since)),
      ]
    }
    var table = TableText()
    var lines = table.lines([["PART", "STATE", "PID", "MEMORY", "RESTARTS", "SINCE"]] + rows)
    for part in parts {
      guard let end = part.lastEnd else { continue }
      let retry = part.retrySeconds.map { ", next try in \(max(0, part.since + Int64($0) - seconds)) s" } ?? ""
      lines.append("\(part.name) ended last: \(TableText.plain(end))\(retry)")
      let words = part.failure.map { $0.split(separator: "\n").map(String.init) } ?? part.lastWords
      lines += words.suffix(3).map { "  \(TableText.plain($0))" }
    }
    return lines.map { "  \($0)" }.joined(separator: "\n")
  }
}

/// What the kernel says of a process.
enum ProcessFacts {
  /// Resident memory: `61 MiB`.
  static func memory(_ pid: Int32) -> String? {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
      let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { return nil }
    return "\(kilobytes / 1024) MiB"
  }
}
