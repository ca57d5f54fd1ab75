import ArgumentParser
import JSONDocument
import KubernetesAPI

struct CreateApp: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Start an app and give it an https endpoint.",
    discussion: """
      Waits until the app serves and prints its endpoint; if it does not come up, says why and what to do. The app stays \
      in either case; nagaya delete app takes it away.

      EXAMPLES
        nagaya create app hello -n demo-dev --image nagaya.local/hello:1 --port 8080
        nagaya create app db -n demo-dev --image team.local/db:3 --port 5432 --volume data:/var/lib/db:10Gi
        nagaya create app web -n demo-prod --image team.local/web:7 --replicas 3 --cpu 500m --memory 256Mi \\
          --env MODE=production --probe-path /healthz
        nagaya create app chat -n demo-dev --image team.local/chat:4 --image-volume /models=registry.local/llama:3
        nagaya create app job -n demo-dev --image team.local/tools:1 --command /bin/sh -- -c 'serve --verbose'
      """,
    aliases: ["application"])

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The app's name, part of its host name.") var name: String

  @Option(help: "The image to run.") var image: String

  @Option(help: "The port that the app listens on.") var port = 8080

  @Option(help: "How many copies run.") var replicas = 1

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("A variable of the environment; may be repeated.", valueName: "NAME=value"))
  var env: [EnvironmentArgument] = []

  @Option(
    help: ArgumentHelp(
      "A volume on a local disk, such as data:/data:1Gi; may be repeated.", valueName: "NAME:/PATH:SIZE[:CLASS]"),
    transform: VolumeArgument.init(parsing:))
  var volume: [VolumeArgument] = []

  @Flag(help: "Keep the volumes when the app is deleted.") var retainVolumes = false

  @Option(
    help: ArgumentHelp(
      """
      Files of an image, to read only, such as /models=registry.local/team/llama:3,sub=weights; may be repeated. They are \
      fetched as they are read.
      """, valueName: "/PATH=IMAGE[,sub=PATH][,pull=POLICY]"),
    transform: ImageVolumeArgument.init(parsing:))
  var imageVolume: [ImageVolumeArgument] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A word of the program to run instead of the image's; may be repeated.", valueName: "word"))
  var command: [String] = []

  @Argument(parsing: .postTerminator, help: ArgumentHelp("Arguments of the program, after --.", valueName: "arguments"))
  var arguments: [String] = []

  @Option(
    help: ArgumentHelp(
      "The app is ready when GET of this path succeeds. Default: when its port is open.", valueName: "path"))
  var probePath: String?

  @Option(help: ArgumentHelp("Processor time for each copy: 500m is half a core.", valueName: "quantity"))
  var cpu: QuantityArgument?

  @Option(help: ArgumentHelp("Memory for each copy: 256Mi.", valueName: "quantity")) var memory: QuantityArgument?

  @OptionGroup var waiting: WaitOptions

  @Flag(help: "Print the object that would be created, and create nothing.") var dryRun = false

  func validate() throws {
    guard Names.isDNSLabel(name) else {
      throw ValidationError("the name \"\(name)\" must be lower-case letters, digits and dashes, at most 63")
    }
    guard (1...65_535).contains(port) else { throw ValidationError("--port must be 1 to 65535") }
    guard (0...1000).contains(replicas) else { throw ValidationError("--replicas must be 0 to 1000") }
    guard probePath?.hasPrefix("/") ?? true else { throw ValidationError("--probe-path must begin with /") }
    let paths = volume.map(\.mountPath) + imageVolume.map(\.mountPath)
    guard Set(volume.map(\.name)).count == volume.count, Set(paths).count == paths.count else {
      throw ValidationError("two volumes have the same name or path")
    }
  }

  func run() async throws {
    if dryRun {
      return Console.current.write(try YAML.text(of: object(namespace: namespace.namespace ?? "default").json))
    }
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      let created = try await session.client.create(object(namespace: namespace), as: .applications)
      guard waiting.wait, replicas > 0 else {
        return Console.print("\(ListOutput.qualifiedName(name, of: .applications)) created")
      }
      let wait = ReadinessWait(client: session.client, namespace: namespace, name: name, limit: waiting.timeout)
      try await wait.run(minimumGeneration: created.generation)
      try await Listing(resource: .applications, namespace: namespace, names: [name]).show(session.client)
    }
  }

  /// The Application that the options describe.
  func object(namespace: String) -> KubernetesObject {
    var object = KubernetesObject(.applications, namespace: namespace, name: name)
    object.spec["image"] = .string(image)
    object.spec["port"] = JSONValue(port)
    object.spec["replicas"] = JSONValue(replicas)
    func put(_ key: String, _ values: [JSONValue]) { if !values.isEmpty { object.spec[key] = .array(values) } }
    put("command", command.map { .string($0) })
    put("args", arguments.map { .string($0) })
    put("env", env.map(\.json))
    put("volumes", volume.map(\.json))
    put("imageVolumes", imageVolume.map(\.json))
    if retainVolumes { object.spec["volumeRetention"] = "Retain" }
    if let probePath { object.spec["readiness"]["path"] = .string(probePath) }
    for (key, quantity) in [("cpu", cpu), ("memory", memory)] {
      guard let quantity else { continue }
      object.spec["resources"]["requests"][key] = .string(quantity.text)
      object.spec["resources"]["limits"][key] = .string(quantity.text)
    }
    return object
  }
}
