import ArgumentParser
import KubernetesAPI

/// What all nouns of `get` take.
struct ListOptions: ParsableArguments {
  @OptionGroup var client: ClientOptions

  @Option(name: [.short, .long], help: "table, wide, json, yaml or name.") var output = OutputFormat.table

  @Option(
    name: [.customShort("l"), .long],
    help: ArgumentHelp("Only objects with these labels: team=web,tier!=test.", valueName: "labels"))
  var selector: SelectorArgument?

  @Flag(name: [.short, .long], help: "Go on and print every change.") var watch = false

  @Flag(help: "Leave out the head of the table.") var noHeaders = false

  func validate() throws {
    guard !watch || [.table, .wide].contains(output) else {
      throw ValidationError("--watch prints a table; leave --output out, or use -o wide")
    }
  }

  func show(_ resource: Resource, namespace: String?, names: [String], _ session: Session) async throws {
    guard names.isEmpty || selector == nil else {
      throw CommandFailure(
        "names and --selector exclude each other", remedy: "give the one or the other", exitCode: CommandFailure.usage)
    }
    guard names.isEmpty || namespace != nil || !resource.isNamespaced else {
      throw CommandFailure(
        "an object cannot be named across all namespaces", remedy: "say which namespace with -n",
        exitCode: CommandFailure.usage)
    }
    let listing = Listing(
      resource: resource, namespace: namespace, names: names, labels: selector?.selector ?? LabelSelector(),
      format: output, hasHead: !noHeaders)
    if watch { try await listing.watch(session.client) } else { try await listing.show(session.client) }
  }
}

/// The namespace of a list, or all of them.
struct ScopeOptions: ParsableArguments {
  @OptionGroup var namespace: NamespaceOptions

  @Flag(name: [.customShort("A"), .long], help: "Over all namespaces.") var allNamespaces = false

  /// `nil`: all.
  func namespace(_ session: Session) -> String? { allNamespaces ? nil : session.namespace(namespace) }
}

/// A label selector on the command line.
struct SelectorArgument: ExpressibleByArgument {
  let selector: LabelSelector

  init?(argument: String) {
    guard let selector = try? LabelSelector(parsing: argument) else { return nil }
    self.selector = selector
  }
}
