import ArgumentParser
import KubernetesAPI

struct GetMoves: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moves", abstract: "List moves of volumes from one node to another, with how far they are.",
    discussion: """
      EXAMPLES
        nagaya get moves
        nagaya get moves --watch
        kubectl delete volumemove NAME              takes one back that is under way
      """,
    aliases: ["move", "volumemoves", "volumemove"])

  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.volumeMoves, namespace: nil, names: names, session)
    }
  }
}
