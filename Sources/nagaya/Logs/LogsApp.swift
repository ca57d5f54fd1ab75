import ArgumentParser
import KubernetesAPI
import KubernetesClient

struct LogsApp: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Show what all copies of an app print; with several, each line names its pod.",
    discussion: """
      EXAMPLES
        nagaya logs app hello -n demo-dev
        nagaya logs app hello -n demo-dev -f --tail 20
        nagaya logs app hello -n demo-dev --since 10m --pod hello-7d9f8b6c5-x2x4z
      """, aliases: ["apps", "application"])

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The app.") var name: String

  @Flag(name: [.customShort("f"), .long], help: "Go on as more is printed, and take in new copies.") var follow = false

  @Option(help: ArgumentHelp("Only the last lines of each pod.", valueName: "lines")) var tail: Int?

  @Option(help: ArgumentHelp("Only what is newer than this: 30s, 10m, 2h.", valueName: "time")) var since: TimeSpan?

  @Flag(name: [.short, .long], help: "Of the container before its last restart.") var previous = false

  @Option(name: [.short, .long], help: "The container, if pods have several.") var container: String?

  @Option(help: "Only this pod.") var pod: String?

  @Flag(help: "Put the time in front of each line.") var timestamps = false

  func validate() throws {
    guard tail ?? 0 >= 0 else { throw ValidationError("--tail must not be negative") }
    guard !(follow && previous) else { throw ValidationError("--previous has ended: it cannot be followed") }
  }

  func run() async throws {
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      _ = try await session.client.get(.applications, namespace: namespace, name: name)
      let all = try await AppParts.pods(session.client, namespace, name)
      let pods = all.filter { pod == nil || $0.name == pod }
      if let pod, pods.isEmpty {
        throw CommandFailure(
          "app \(name) has no pod \(pod)", remedy: "its pods are: \(all.map(\.name).joined(separator: ", "))")
      }
      try checkContainer(in: pods)
      let reader = PodLogReader(client: session.client, namespace: namespace, query: query)
      if follow {
        try await reader.follow(pods, app: pod == nil ? name : nil)
      } else {
        guard !pods.isEmpty else {
          throw CommandFailure(
            "app \(name) has no pods", remedy: "see why: nagaya describe app \(name) -n \(namespace)")
        }
        try await reader.show(pods)
      }
    }
  }

  /// Better here than as the server's refusal of a bad request: the pods are known.
  private func checkContainer(in pods: [KubernetesObject]) throws {
    guard let container, !pods.isEmpty else { return }
    let names = Set(
      pods.flatMap { $0.spec["initContainers"].elements + $0.spec["containers"].elements }
        .compactMap { $0["name"].string })
    guard !names.contains(container) else { return }
    throw CommandFailure(
      "app \(name) has no container \(container)",
      remedy: "its containers are: \(names.sorted().joined(separator: ", ")) (--container)")
  }

  /// `PodLogOptions` as parameters.
  var query: [(name: String, value: String)] {
    var query: [(name: String, value: String)] = []
    if follow { query.append(("follow", "true")) }
    if previous { query.append(("previous", "true")) }
    if timestamps { query.append(("timestamps", "true")) }
    if let tail { query.append(("tailLines", String(tail))) }
    if let since { query.append(("sinceSeconds", String(max(1, since.seconds)))) }
    if let container { query.append(("container", container)) }
    return query
  }
}
