import JSONDocument

extension NodePolicy {
  /// What is wrong with a field of a policy.
  public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
    /// `spec.ulimits[0].type`
    public let field: String
    public let value: JSONValue
    public let reason: String

    public var description: String {
      let text = String(decoding: value.encoded().prefix(200), as: UTF8.self)
      return "\(field): \(text) \(reason)"
    }
  }

  /// Everything that is wrong with a policy.
  public struct Faults: Error, Sendable, Hashable, CustomStringConvertible {
    public let policy: String
    public let faults: [Fault]

    public var description: String {
      "node policy \(policy): " + faults.prefix(20).map(\.description).joined(separator: "; ")
    }
  }

  /// Reads an object; unknown fields are faults, as a mistyped bound would bound nothing.
  public init(_ object: KubernetesObject) throws(Faults) {
    self.init(name: object.name)
    var reader = NodePolicyReader()
    reader.read(object.spec, into: &self)
    guard reader.faults.isEmpty else { throw Faults(policy: object.name, faults: reader.faults) }
  }
}

/// Reads the fields of a policy and collects what is wrong with them.
private struct NodePolicyReader {
  private(set) var faults: [NodePolicy.Fault] = []
  /// A policy that wants more of one kind is refused.
  private static let mostItems = 256

  mutating func read(_ spec: JSONValue, into policy: inout NodePolicy) {
    known(
      spec, "spec",
      [
        "order", "mode", "match", "onError", "ulimits", "resources", "oomScoreAdj", "env", "mounts", "volumeIO",
      ])
    if let order = integer(spec["order"], "spec.order", 0...1_000_000) { policy.order = Int(order) }
    policy.isAudit = choice(spec["mode"], "spec.mode", ["Enforce", "Audit"]) == "Audit"
    policy.failsContainer = choice(spec["onError"], "spec.onError", ["Fail", "Ignore"]).map { $0 == "Fail" }
    policy.match = match(spec["match"])
    policy.ulimits = list(spec["ulimits"], "spec.ulimits") { $0.ulimit($1, $2) }
    let types = policy.ulimits.map(\.type)
    if Set(types).count < types.count { fault("spec.ulimits", spec["ulimits"], "names a type twice") }
    resources(spec["resources"], into: &policy)
    known(spec["oomScoreAdj"], "spec.oomScoreAdj", ["default", "min"])
    policy.oomScore = integer(spec["oomScoreAdj"]["default"], "spec.oomScoreAdj.default", -1000...1000)
    policy.oomScoreLeast = integer(spec["oomScoreAdj"]["min"], "spec.oomScoreAdj.min", -1000...1000)
    policy.environment = list(spec["env"], "spec.env") { $0.variable($1, $2) }
    policy.mounts = list(spec["mounts"], "spec.mounts") { $0.mount($1, $2) }
    policy.volumeLimits = list(spec["volumeIO"], "spec.volumeIO") { $0.volumeLimit($1, $2) }
  }

  private mutating func match(_ json: JSONValue) -> NodePolicy.Match {
    var match = NodePolicy.Match()
    known(json, "spec.match", ["tenants", "namespaces", "podSelector", "containers"])
    match.tenants = Set(texts(json["tenants"], "spec.match.tenants"))
    match.containers = Set(texts(json["containers"], "spec.match.containers"))
    match.namespaces = texts(json["namespaces"], "spec.match.namespaces")
    for pattern in match.namespaces where pattern.dropLast().contains("*") {
      fault("spec.match.namespaces", .string(pattern), "may have a star at its end only")
    }
    do throws(LabelSelector.Malformed) { match.pods = try LabelSelector(json: json["podSelector"]) } catch {
      fault("spec.match.podSelector", json["podSelector"], error.description)
    }
    return match
  }

  private mutating func ulimit(_ json: JSONValue, _ field: String) -> NodePolicy.Ulimit? {
    known(json, field, ["type", "soft", "hard", "max"])
    let text = (json["type"].string ?? "").uppercased()
    let type = text.hasPrefix("RLIMIT_") ? String(text.dropFirst(7)) : text
    guard NodePolicy.ulimitNames.contains(type) else {
      fault("\(field).type", json["type"], "is no limit of processes: NOFILE, NPROC, MEMLOCK, ...")
      return nil
    }
    let (soft, hard) = (limit(json["soft"], "\(field).soft"), limit(json["hard"], "\(field).hard"))
    let most = limit(json["max"], "\(field).max")
    if let soft, let hard, soft > hard { fault("\(field).soft", json["soft"], "is above hard") }
    if let most, let top = hard ?? soft, top > most { fault("\(field).max", json["max"], "is below the default") }
    if soft == nil, hard == nil, most == nil { fault(field, json, "says none of soft, hard and max") }
    return NodePolicy.Ulimit(type: type, soft: soft ?? hard, hard: hard ?? soft, most: most)
  }

  private mutating func resources(_ json: JSONValue, into policy: inout NodePolicy) {
    known(json, "spec.resources", ["memory", "cpu", "pids"])
    known(json["memory"], "spec.resources.memory", ["max"])
    known(json["cpu"], "spec.resources.cpu", ["max"])
    known(json["pids"], "spec.resources.pids", ["default", "max"])
    // runc itself needs some memory to start a container.
    policy.memoryMost = quantity(json["memory"]["max"], "spec.resources.memory.max", least: 6 << 20)?.value
    policy.cpuMostMilli = quantity(json["cpu"]["max"], "spec.resources.cpu.max", leastMilli: 10)?.milliValue
    policy.pids = integer(json["pids"]["default"], "spec.resources.pids.default", 1...4_194_304)
    policy.pidsMost = integer(json["pids"]["max"], "spec.resources.pids.max", 1...4_194_304)
    if let pids = policy.pids, let most = policy.pidsMost, pids > most {
      fault("spec.resources.pids.max", json["pids"]["max"], "is below the default")
    }
  }

  private mutating func variable(_ json: JSONValue, _ field: String) -> NodePolicy.Variable? {
    known(json, field, ["name", "value", "when"])
    guard let name = json["name"].string, !name.isEmpty, !name.contains("="), !name.hasPrefix("-"),
      !name.utf8.contains(0), name.utf8.count <= 256
    else {
      fault("\(field).name", json["name"], "is no name of a variable")
      return nil
    }
    let value = json["value"].string ?? ""
    guard !value.utf8.contains(0), value.utf8.count <= 32 << 10 else {
      fault("\(field).value", json["value"], "has a zero byte or more than 32 KiB")
      return nil
    }
    return NodePolicy.Variable(name: name, value: value, injection: injection(json["when"], "\(field).when"))
  }

  private mutating func mount(_ json: JSONValue, _ field: String) -> NodePolicy.HostMount? {
    known(json, field, ["name", "hostPath", "mountPath", "readOnly", "when"])
    guard let name = json["name"].string, Names.isDNSLabel(name) else {
      fault("\(field).name", json["name"], "must be a name of lower case letters, digits and -")
      return nil
    }
    for key in ["hostPath", "mountPath"] {
      guard let path = json[key].string, Self.isPlainPath(path) else {
        fault("\(field).\(key)", json[key], "must be an absolute path without . and ..")
        return nil
      }
    }
    if json["mountPath"].string == "/" { fault("\(field).mountPath", json["mountPath"], "would hide the image") }
    return NodePolicy.HostMount(
      name: name, hostPath: json["hostPath"].string ?? "", mountPath: json["mountPath"].string ?? "",
      isReadOnly: json["readOnly"].bool ?? true, injection: injection(json["when"], "\(field).when"))
  }

  private mutating func volumeLimit(_ json: JSONValue, _ field: String) -> NodePolicy.VolumeLimit? {
    let kinds = VolumeIOLimits.Kind.allCases
    known(json, field, ["storageClasses"] + kinds.map(\.rawValue))
    var limits = VolumeIOLimits()
    for kind in kinds where !json[kind.rawValue].isNull {
      limits[kind] = quantity(json[kind.rawValue], "\(field).\(kind.rawValue)", least: 1).map {
        UInt64(clamping: $0.value)
      }
    }
    if limits.isEmpty { fault(field, json, "limits nothing") }
    return NodePolicy.VolumeLimit(
      storageClasses: Set(texts(json["storageClasses"], "\(field).storageClasses")), limits: limits)
  }

  // MARK: Kinds of fields

  private mutating func fault(_ field: String, _ value: JSONValue, _ reason: String) {
    if faults.count < 100 { faults.append(.init(field: field, value: value, reason: reason)) }
  }

  private mutating func known(_ json: JSONValue, _ field: String, _ names: [String]) {
    guard !json.isNull else { return }
    guard case .object(let members) = json else { return fault(field, json, "must be an object") }
    for key in members.keys.sorted() where !names.contains(key) {
      fault("\(field).\(key)", members[key] ?? .null, "is an unknown field")
    }
  }

  private mutating func list<Item>(
    _ json: JSONValue, _ field: String, _ read: (inout NodePolicyReader, JSONValue, String) -> Item?
  ) -> [Item] {
    guard !json.isNull else { return [] }
    guard case .array(let elements) = json, elements.count <= Self.mostItems else {
      fault(field, .string(json.typeName), "must be an array of at most \(Self.mostItems)")
      return []
    }
    return elements.enumerated().compactMap { read(&self, $1, "\(field)[\($0)]") }
  }

  private mutating func texts(_ json: JSONValue, _ field: String) -> [String] {
    list(json, field) { reader, element, field in
      guard let text = element.string, !text.isEmpty, text.utf8.count <= 253 else {
        reader.fault(field, element, "must be a name")
        return nil
      }
      return text
    }
  }

  private mutating func choice(_ json: JSONValue, _ field: String, _ choices: [String]) -> String? {
    guard !json.isNull else { return nil }
    guard let text = json.string, choices.contains(text) else {
      fault(field, json, "must be one of \(choices.joined(separator: ", "))")
      return nil
    }
    return text
  }

  private mutating func injection(_ json: JSONValue, _ field: String) -> NodePolicy.Injection {
    choice(json, field, NodePolicy.Injection.allCases.map(\.rawValue)).flatMap(NodePolicy.Injection.init) ?? .always
  }

  private mutating func integer(_ json: JSONValue, _ field: String, _ range: ClosedRange<Int64>) -> Int64? {
    guard !json.isNull else { return nil }
    guard let value = json.int, range.contains(Int64(value)) else {
      fault(field, json, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return Int64(value)
  }

  private mutating func limit(_ json: JSONValue, _ field: String) -> UInt64? {
    if json.isNull { return nil }
    if json.string == "unlimited" { return NodePolicy.unlimited }
    return integer(json, field, 0 ... .max).map { UInt64(clamping: $0) }
  }

  private mutating func quantity(_ json: JSONValue, _ field: String, least: Int64 = 0, leastMilli: Int64 = 0)
    -> Quantity?
  {
    guard !json.isNull else { return nil }
    let text = json.string ?? json.int.map { String($0) } ?? ""
    guard let quantity = Quantity(text), quantity.value >= least, quantity.milliValue >= leastMilli else {
      fault(field, json, "must be a quantity of at least \(leastMilli > 0 ? "\(leastMilli)m" : "\(least)")")
      return nil
    }
    return quantity
  }

  private static func isPlainPath(_ path: String) -> Bool {
    path.hasPrefix("/") && path.utf8.count <= 4095 && !path.utf8.contains(0)
      && !path.split(separator: "/").contains { $0 == "." || $0 == ".." }
  }
}
