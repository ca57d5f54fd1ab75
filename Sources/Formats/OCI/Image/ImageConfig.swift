import JSONDocument

/// How an image runs and what it is made of (image-spec "Image Configuration").
public struct ImageConfig: Sendable, Hashable {
  public var platform: Platform
  /// RFC 3339; left out for images that shall be the same whenever they are made.
  public var created: String?
  public var environment: [String]
  public var entrypoint: [String]
  public var command: [String]
  public var workingDirectory: String
  /// `uid[:gid]` or names of the image's own files.
  public var user: String
  /// TCP ports the program listens on; for information only.
  public var ports: [Int]
  public var labels: [String: String]
  /// `SIGTERM` if empty.
  public var stopSignal: String
  /// Digests of the uncompressed layers, lowest first.
  public var diffIDs: [Digest]

  public init(
    platform: Platform = .current, created: String? = nil, environment: [String] = [], entrypoint: [String] = [],
    command: [String] = [], workingDirectory: String = "", user: String = "", ports: [Int] = [],
    labels: [String: String] = [:], stopSignal: String = "", diffIDs: [Digest] = []
  ) {
    self.platform = platform
    self.created = created
    self.environment = environment
    self.entrypoint = entrypoint
    self.command = command
    self.workingDirectory = workingDirectory
    self.user = user
    self.ports = ports
    self.labels = labels
    self.stopSignal = stopSignal
    self.diffIDs = diffIDs
  }

  /// `nil` if platform or layers are missing.
  public init?(json: JSONValue) {
    let config = json["config"]
    let diffIDs = json["rootfs"]["diff_ids"].elements.map { $0.string.flatMap { Digest($0) } }
    guard let platform = Platform(json: json), !diffIDs.contains(nil) else { return nil }
    func strings(_ value: JSONValue) -> [String] { value.elements.compactMap(\.string) }
    self.init(
      platform: platform, created: json["created"].string, environment: strings(config["Env"]),
      entrypoint: strings(config["Entrypoint"]), command: strings(config["Cmd"]),
      workingDirectory: config["WorkingDir"].string ?? "", user: config["User"].string ?? "",
      ports: config["ExposedPorts"].members.keys.compactMap { key in
        key.split(separator: "/").first.flatMap { Int($0) }
      }.sorted(),
      labels: config["Labels"].strings, stopSignal: config["StopSignal"].string ?? "",
      diffIDs: diffIDs.compactMap { $0 })
  }

  public var json: JSONValue {
    var config: JSONValue = [:]
    func set(_ key: String, _ values: [String]) {
      if !values.isEmpty { config[key] = .array(values.map { .string($0) }) }
    }
    func set(_ key: String, _ value: String) { if !value.isEmpty { config[key] = .string(value) } }
    set("Env", environment)
    set("Entrypoint", entrypoint)
    set("Cmd", command)
    set("WorkingDir", workingDirectory)
    set("User", user)
    set("StopSignal", stopSignal)
    for port in ports { config["ExposedPorts"]["\(port)/tcp"] = [:] }
    if !labels.isEmpty { config["Labels"] = .strings(labels) }
    var json = platform.json
    json.set("created", ifPresent: created.map { .string($0) })
    json["config"] = config
    json["rootfs"] = ["type": "layers", "diff_ids": .array(diffIDs.map { .string($0.description) })]
    return json
  }
}
