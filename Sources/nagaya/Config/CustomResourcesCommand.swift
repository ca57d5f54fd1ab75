import APIServer
import ArgumentParser
import KubernetesAPI

/// `nagaya crds`: our own kinds for API servers that are not ours.
struct CustomResourcesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crds", abstract: "Print CustomResourceDefinitions of Nagaya's own kinds, for a cluster's API server.",
    discussion: """
      The API server of `nagaya up` serves these kinds by itself. Elsewhere they are definitions, with the same fields, names, \
      columns and subresources. `deploy/` has those that its parts write.

      EXAMPLES
        nagaya crds volumepools | kubectl apply -f -
        nagaya crds > crds.yaml
      """)

  @Argument(help: "Only of these kinds, by their plurals. Default: all.")
  var plurals: [String] = []

  func validate() throws {
    let known = CustomResources().kinds.map(\.plural)
    if let unknown = plurals.first(where: { !known.contains($0) }) {
      throw ValidationError("there is no kind \"\(unknown)\": name \(known.sorted().joined(separator: ", "))")
    }
  }

  func run() async throws {
    Console.current.write(try Self.text(of: plurals))
  }

  /// YAML documents, each behind a line of its own.
  static func text(of plurals: [String] = []) throws -> String {
    let definitions = CustomResources()
    return try definitions.kinds.filter { plurals.isEmpty || plurals.contains($0.plural) }
      .compactMap(definitions.definition(of:)).map { "---\n" + (try YAML.text(of: $0.json)) }.joined()
  }
}
