import ArgumentParser
import JSONDocument

/// `nagaya images doctor`: why nothing goes on.
struct ImagesDoctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what the snapshotter is doing, and what each of it waits for since when.",
    discussion: """
      Calls of containerd, reads that wait for bytes, and work in the background; the oldest first. If the snapshotter does \
      not answer, send it SIGQUIT: it then writes the same to its log.

      EXAMPLES
        nagaya images doctor
        nagaya images doctor -o json
      """)

  @OptionGroup var directories: ImagesDirectories
  @Option(name: [.short, .long], help: "table, json or yaml.") var output = ReportFormat.table

  func run() async throws {
    let report = try await ImagesSocket(directories).calls()
    let calls = report["calls"].elements
    try output.show(report) { calls.isEmpty ? nil : Self.rows(calls) }
    guard output == .table else { return }
    if calls.isEmpty { Console.print("Nothing is in progress.") }
    let longest = report["longestSeconds"].double ?? 0
    Console.print(
      "Since its start: \(report["timedOut"].int ?? 0) calls given up, \(report["refused"].int ?? 0) refused, "
        + "the longest took \(longest) s.")
  }

  private static func rows(_ calls: [JSONValue]) -> [[String]] {
    [["SECONDS", "CALL", "WAITS FOR"]]
      + calls.map { call in
        let waits = call["waitsFor"].elements.map { "\($0["what"].string ?? "") (\($0["seconds"].double ?? 0) s)" }
        let state = call["givenUp"].bool == true ? " (given up)" : ""
        return [
          "\(call["seconds"].double ?? 0)", (call["call"].string ?? "") + state,
          waits.isEmpty ? "-" : waits.joined(separator: "; "),
        ]
      }
  }
}
