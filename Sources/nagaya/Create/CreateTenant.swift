import ArgumentParser
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Tenancy

struct CreateTenant: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tenant", abstract: "Make a tenant: a team with its environments, members and quota.",
    discussion: """
      Each environment becomes a namespace <tenant>-<environment>, whose apps answer at
      https://<app>.<environment>.<tenant>.<domain>.
      Without --quota and --limit it gets the platform's defaults (nagaya up --tenant-quota, --container-limit); \
      --quota none and --limit none are for tenants without.

      EXAMPLES
        nagaya create tenant demo --environment dev --environment prod
        nagaya create tenant shop --environment dev --admin alice --edit bob --view group:auditors \\
          --quota requests.cpu=4 --quota requests.memory=8Gi --quota requests.storage=100Gi
        nagaya create tenant bank --environment dev --environment prod --pod-security prod=restricted
      """)

  @OptionGroup var client: ClientOptions

  @Argument(help: "The tenant's name.") var name: String

  @Option(name: .customLong("environment"), help: ArgumentHelp("An environment; may be repeated.", valueName: "name"))
  var environments: [String] = ["dev"]

  @Option(help: ArgumentHelp("May do everything in the tenant; may be repeated.", valueName: "user|group:name"))
  var admin: [String] = []
  @Option(help: ArgumentHelp("May change apps; may be repeated.", valueName: "user|group:name")) var edit: [String] = []
  @Option(help: ArgumentHelp("May look; may be repeated.", valueName: "user|group:name")) var view: [String] = []

  @Option(help: ArgumentHelp("A limit for each environment; may be repeated.", valueName: "resource=quantity"))
  var quota: [QuotaArgument] = []

  @Option(
    help: ArgumentHelp(
      "The limit of containers that say none; may be repeated.", valueName: "resource=quantity"))
  var limit: [QuotaArgument] = []

  @Option(
    help: ArgumentHelp(
      "What pods may ask for, in all environments or in one: baseline or restricted; may be repeated.",
      valueName: "[environment=]level"))
  var podSecurity: [PodSecurityArgument] = []

  @OptionGroup var waiting: WaitOptions

  func validate() throws {
    guard Names.isDNSLabel(name) else {
      throw ValidationError("the name \"\(name)\" must be lower-case letters, digits and dashes")
    }
    if let fault = TenantNames.fault(of: name) {
      throw ValidationError("the name \"\(name)\" \(fault); take another one")
    }
    for environment in environments where !Names.isDNSLabel("\(name)-\(environment)") {
      throw ValidationError(
        "\"\(name)-\(environment)\" is no name for a namespace (lower-case letters, digits, dashes; at most 63)")
    }
  }

  func run() async throws {
    try await Session.open(client) { session in
      let created = try await session.client.create(object, as: .tenants)
      if waiting.wait { try await waitUntilReady(session.client, created.generation) }
      Console.print("\(ListOutput.qualifiedName(name, of: .tenants)) created")
      if waiting.wait { Console.note("namespaces: \(environments.map { "\(name)-\($0)" }.joined(separator: ", "))") }
    }
  }

  var object: KubernetesObject {
    var object = KubernetesObject(.tenants, name: name)
    object.spec["environments"] = .array(environments.map { .string($0) })
    let members = [("admin", admin), ("edit", edit), ("view", view)].flatMap { role, names in
      names.map { text -> JSONValue in
        let isGroup = text.hasPrefix("group:")
        return [
          "kind": isGroup ? "Group" : "User", "name": .string(isGroup ? String(text.dropFirst(6)) : text),
          "role": .string(role),
        ]
      }
    }
    if !members.isEmpty { object.spec["members"] = .array(members) }
    if !quota.isEmpty { object.spec["quota"]["hard"] = QuotaArgument.list(quota) }
    if !limit.isEmpty { object.spec["limits"]["default"] = QuotaArgument.list(limit) }
    for item in podSecurity {
      if let environment = item.environment {
        object.spec["podSecurity"]["environments"][environment] = .string(item.level.rawValue)
      } else {
        object.spec["podSecurity"]["level"] = .string(item.level.rawValue)
      }
    }
    return object
  }

  /// Until the controller has made the namespaces.
  private func waitUntilReady(_ client: KubernetesClient, _ generation: Int) async throws {
    let expected = environments.map { "\(name)-\($0)" }
    do {
      try await Deadline.within(waiting.timeout.duration) { [name] in
        while true {
          let list = try await client.list(.tenants, fields: "metadata.name=\(name)")
          if list.items.contains(where: { Self.isDone($0, generation, expected) }) { return }
          let events = try await client.watch(
            .tenants, fields: "metadata.name=\(name)", from: list.resourceVersion, timeoutSeconds: 30)
          for try await case .modified(let object) in events where Self.isDone(object, generation, expected) { return }
          try await WatchPause.take()
        }
      }
    } catch is Deadline.Passed {
      throw CommandFailure(
        "tenant \(name) has no namespaces after \(waiting.timeout)",
        remedy: "see why: nagaya get tenants \(name) -o yaml", exitCode: CommandFailure.timedOut)
    }
  }

  private static func isDone(_ tenant: KubernetesObject, _ generation: Int, _ namespaces: [String]) -> Bool {
    let made = Set(tenant.status["namespaces"].elements.compactMap { $0.string ?? $0["name"].string })
    return (tenant.status["observedGeneration"].int ?? 0) >= generation && made.isSuperset(of: namespaces)
  }
}

/// `RESOURCE=QUANTITY`, or `none` for no bound at all.
struct QuotaArgument: ExpressibleByArgument {
  /// `nil`: none.
  let bound: (resource: String, quantity: String)?

  init?(argument: String) {
    if argument == "none" {
      bound = nil
      return
    }
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, Names.isQualifiedName(parts[0]), Quantity(parts[1]) != nil else { return nil }
    bound = (parts[0], parts[1])
  }

  /// As it was written.
  var argument: String { bound.map { "\($0.resource)=\($0.quantity)" } ?? "none" }

  /// A resource list; empty if it was said that there is none.
  static func list(_ arguments: [QuotaArgument]) -> JSONValue {
    .object(
      Dictionary(
        arguments.compactMap(\.bound).map { ($0.resource, .string($0.quantity)) }, uniquingKeysWith: { _, last in last }
      ))
  }
}

/// `LEVEL` or `ENVIRONMENT=LEVEL`
struct PodSecurityArgument: ExpressibleByArgument {
  let environment: String?
  let level: PodSecurityLevel

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    guard let word = parts.last, let level = PodSecurityLevel(rawValue: word) else { return nil }
    environment = parts.count == 2 ? parts[0] : nil
    self.level = level
  }
}
