import APIServer
// guide: command
import ArgumentParser
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Testing

@testable import nagaya

/// `nagaya get doorbells`
struct GetDoorbells: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doorbells", abstract: "List doorbells.",
    discussion: """
      EXAMPLES
        nagaya get doorbells
      """, aliases: ["doorbell", "db"])

  @OptionGroup var options: ListOptions
  @OptionGroup var place: NamespaceOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.doorbells, namespace: session.namespace(place), names: names, session)
    }
  }
}
// end

/// docs/extending.md, followed.
@Suite struct AddingACommand {
  @Test func `a command shows a table for people and objects for machines`() async throws {
    try await APIServer.withInMemory(registry: .withDoorbells) { server in
      var bell = KubernetesObject(.doorbells, namespace: "default", name: "front")
      bell.spec = ["door": "front"]
      try await server.client().create(bell, as: .doorbells)
      #expect(try await Self.run([], server).contains("front"))
      let json = try await Self.run(["-o", "json"], server)
      #expect(try JSONValue(parsing: json)["items"][0]["spec"]["door"] == "front")
    }
  }

  private static func run(_ arguments: [String], _ server: APIServer) async throws -> String {
    let out = Mutex("")
    let console = Console(
      write: { text in out.withLock { $0 += text } }, writeError: { _ in }, isTerminal: false, width: 80)
    try await Session.$transportForTests.withValue(InProcessTransport(server, as: .component("test"))) {
      try await Console.$current.withValue(console) {
        let command = try GetDoorbells.parse(arguments)
        try await command.run()
      }
    }
    return out.withLock { $0 }
  }
}
