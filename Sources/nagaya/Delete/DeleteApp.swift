import ArgumentParser
import JSONDocument
import KubernetesAPI

struct DeleteApp: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Stop apps and take them away, with their endpoint and their volumes.",
    discussion: """
      Says what goes with it. Volumes go too unless --keep-volumes is given or the app was created with --retain-volumes.

      EXAMPLES
        nagaya delete app hello -n demo-dev
        nagaya delete app hello web -n demo-dev --keep-volumes --no-wait
      """, aliases: ["apps", "application"])

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The apps.") var names: [String]

  @Flag(help: "Keep the volumes and what is on them.") var keepVolumes = false

  @OptionGroup var waiting: WaitOptions

  func run() async throws {
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      var deleted: [KubernetesObject] = []
      for name in names {
        var app = try await session.client.get(.applications, namespace: namespace, name: name)
        if keepVolumes, !Self.keepsVolumes(app) {
          app = try await session.client.patch(
            .applications, namespace: namespace, name: name, ["spec": ["volumeRetention": "Retain"]])
        }
        try await session.client.delete(.applications, namespace: namespace, name: name, uid: app.uid)
        Console.print("\(ListOutput.typeName(.applications)) \"\(name)\" deleted")
        for line in Self.consequences(of: app) { Console.note("  \(line)") }
        deleted.append(app)
      }
      guard waiting.wait else { return }
      for app in deleted {
        try await DeletionWait.run(
          session.client, .applications, namespace: namespace, name: app.name, uid: app.uid, limit: waiting.timeout)
        try await DeletionWait.runForParts(
          session.client, of: app, keepsVolumes: Self.keepsVolumes(app), limit: waiting.timeout)
      }
    }
  }

  static func keepsVolumes(_ app: KubernetesObject) -> Bool { app.spec["volumeRetention"].string == "Retain" }

  /// What goes with an app, and what stays.
  static func consequences(of app: KubernetesObject) -> [String] {
    var lines: [String] = []
    if let endpoint = app.status["endpoint"].string { lines.append("goes: the endpoint \(endpoint)") }
    let replicas = app.spec["replicas"].int ?? 1
    if replicas > 0 { lines.append("goes: \(replicas) \(replicas == 1 ? "pod" : "pods")") }
    let keeps = keepsVolumes(app)
    for volume in app.spec["volumes"].elements {
      let name = volume["name"].string ?? ""
      let what = "volume \(name) (\(volume["size"].string ?? "?"))"
      lines.append(
        keeps ? "stays: \(what), as persistentvolumeclaim/\(app.name)-\(name)" : "goes: \(what) and what is on it")
    }
    return lines
  }
}
