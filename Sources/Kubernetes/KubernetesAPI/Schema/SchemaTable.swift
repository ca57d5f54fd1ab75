/// Reads object schemas from a terse text table, so that a shape of twenty fields is twenty short lines.
///
/// ```
/// # PodSpec | What a pod runs.
/// containers! []Container@name 2 | The pod's containers.
/// # Pod : PodSpec PodStatus | A kind, with apiVersion, kind, metadata, spec and status.
/// ```
/// A field's line is `name type place | description`; `!` marks what is required; the place is that of the protobuf form
/// (`WirePlace`) and may be left out. Types: `string`, `time`, `microtime`,
/// `bytes` (base64), `int`, `int64`, `number`, `bool`, `quantity`, `intstr`, a range behind one of the whole numbers
/// (`int(1..65535)`, `int64(0..)`), `any`, `enum(A,B)`, `[]T` (replaced whole by
/// strategic merge), `[]T@set`, `[]T@key,key` (merged by the keys), `{}T` (map with string keys), a name of the same
/// package, or `core.Name`, `meta.Name` of another. Empty lines do not count.
struct SchemaTable: Sendable {
  /// Names of packages as types of other packages may be written.
  static let packages = [
    "meta": "io.k8s.apimachinery.pkg.apis.meta.v1", "core": "io.k8s.api.core.v1",
    "autoscaling": "io.k8s.api.autoscaling.v1", "authentication": "io.k8s.api.authentication.v1",
  ]

  /// `io.k8s.api.core.v1`
  let package: String
  let text: String

  init(_ package: String, _ text: String) {
    self.package = package
    self.text = text
  }

  /// The table's objects. A line that cannot be read becomes a field of any type; `faults` names it for the tests.
  func objects(faults: inout [String]) -> [ObjectSchema] {
    var objects: [ObjectSchema] = []
    var current: (name: String, description: String, fields: [ObjectSchema.Field])?
    func finish() {
      guard let current else { return }
      objects.append(ObjectSchema(current.name, description: current.description, fields: current.fields))
    }
    for line in text.split(separator: "\n") {
      let halves = line.split(separator: "|", maxSplits: 1)
      let words = halves[0].split(separator: " ")
      let description = halves.count > 1 ? String(halves[1]).trimmingSpaces() : ""
      guard let first = words.first else { continue }
      if first == "#" {
        finish()
        guard words.count > 1 else {
          faults.append(String(line))
          continue
        }
        current = ("\(package).\(words[1])", description, [])
        if words.count > 2 { current?.fields = kindFields(words.dropFirst(3)) }
        continue
      }
      let isRequired = first.hasSuffix("!")
      let name = String(isRequired ? first.dropLast() : first)
      let schema = (2...3).contains(words.count) ? type(words[1]) : nil
      let wire = words.count == 3 ? ObjectSchema.WirePlace(words[2]) : nil
      if schema == nil || current == nil || words.count == 3 && wire == nil { faults.append(String(line)) }
      current?.fields.append(
        .init(name, schema ?? .any, isRequired: isRequired, description: description, wire: wire))
    }
    finish()
    return objects
  }

  /// What every kind has, and its spec and status if they are named.
  private func kindFields(_ parts: ArraySlice<Substring>) -> [ObjectSchema.Field] {
    var fields: [ObjectSchema.Field] = [
      .init("apiVersion", .string(), description: "Group and version of the object's schema."),
      .init("kind", .string(), description: "The object's kind, in CamelCase."),
      .init(
        "metadata", .reference("\(Self.packages["meta"] ?? "").ObjectMeta"),
        description: "Name, namespace, labels and what else every object has.", wire: .init([1], isOptional: false)),
    ]
    let members = [("spec", "What is wanted."), ("status", "What is; written by controllers.")]
    for (part, member) in zip(parts, members) where part != "-" {
      fields.append(
        .init(
          member.0, type(part) ?? .any, description: member.1, wire: .init([fields.count - 1], isOptional: false)))
    }
    return fields
  }

  /// `1..65535`, or `0..` without an upper end.
  private static func range(_ text: Substring) -> ClosedRange<Int64>? {
    guard let dots = text.firstRange(of: ".."), let lower = Int64(text[..<dots.lowerBound]) else { return nil }
    let end = text[dots.upperBound...]
    guard let upper = end.isEmpty ? .max : Int64(end), lower <= upper else { return nil }
    return lower...upper
  }

  private func type(_ text: Substring) -> Schema? {
    if text.hasPrefix("[]") {
      let parts = text.dropFirst(2).split(separator: "@", maxSplits: 1)
      guard let first = parts.first, let element = type(first) else { return nil }
      guard parts.count == 2 else { return .array(of: element) }
      return .array(
        of: element, list: parts[1] == "set" ? .set : .map(keys: parts[1].split(separator: ",").map(String.init)))
    }
    if text.hasPrefix("{}") { return type(text.dropFirst(2)).map { .map(of: $0) } }
    if text.hasPrefix("enum("), text.hasSuffix(")") {
      return .string(allowed: text.dropFirst(5).dropLast().split(separator: ",").map(String.init))
    }
    if text.hasSuffix(")"), let open = text.firstIndex(of: "(") {
      guard let range = Self.range(text[text.index(after: open)...].dropLast()) else { return nil }
      switch text[..<open] {
      case "int": return .integer(range: range)
      case "int64": return .integer(bits: 64, range: range)
      case "intstr": return .intOrString(range: range)
      default: return nil
      }
    }
    switch text {
    case "string": return .string()
    case "time": return .string(format: "date-time")
    case "microtime": return .string(format: "date-time-micro")
    case "bytes": return .string(format: "byte")
    case "int": return .integer()
    case "int64": return .integer(bits: 64)
    case "number": return .number
    case "bool": return .boolean
    case "quantity": return .quantity
    case "intstr": return .intOrString()
    case "any": return .any
    default: break
    }
    guard text.first?.isUppercase == true || text.contains(".") else { return nil }
    let parts = text.split(separator: ".", maxSplits: 1)
    guard parts.count == 2 else { return .reference("\(package).\(text)") }
    return Self.packages[String(parts[0])].map { .reference("\($0).\(parts[1])") }
  }
}

extension SchemaCatalog {
  /// The shapes of every kind that Nagaya serves; read from the tables on first use.
  public static let standard = read(SchemaTable.standard).catalog

  /// - Returns: the catalog, and the lines that could not be read.
  static func read(_ tables: [SchemaTable]) -> (catalog: SchemaCatalog, faults: [String]) {
    var faults: [String] = []
    let objects = tables.flatMap { $0.objects(faults: &faults) }
    return (SchemaCatalog(objects), faults)
  }
}

extension SchemaTable {
  static let standard: [SchemaTable] = [
    .meta, .coreObjects, .corePod, .coreContainer, .coreVolume, .coreVolumeLegacy, .corePlacement, .corePodStatus,
    .coreNode, .coreService, .corePersistence, .apps, .storage, .snapshots, .coordination, .discovery, .rbac,
    .autoscaling,
    .authentication, .authorization, .policy, .nagaya, .nagayaStorage,
  ]
}
