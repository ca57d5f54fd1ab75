import JSONDocument

/// Reads objects in the protobuf form of the API (`application/vnd.kubernetes.protobuf`): four magic bytes, an envelope
/// (`runtime.Unknown`) with apiVersion and kind, and the object's message, whose fields the schemas number.
///
/// Only reading: kubectl's own commands write it, and take JSON as the answer.
public enum KubernetesProtobuf {
  public static let mediaType = "application/vnd.kubernetes.protobuf"

  public enum Failure: Error, Hashable, CustomStringConvertible {
    case malformed(String)
    /// Kinds of ours and of custom resources have JSON only.
    case noProtobufForm(kind: String)
    case tooManyValues(limit: Int)

    public var description: String {
      switch self {
      case .malformed(let why): "the protobuf body cannot be read: \(why)"
      case .tooManyValues(let limit): "the protobuf body has more than \(limit) values"
      case .noProtobufForm(let kind): "objects of kind \(kind) have no protobuf form here: use application/json"
      }
    }
  }

  private static let magic: [UInt8] = [0x6B, 0x38, 0x73, 0x00]

  /// The object as JSON. Fields that are always written and hold their zero value are left out, as in JSON.
  public static func decode(
    _ bytes: [UInt8], catalog: SchemaCatalog, limits: JSONLimits = JSONLimits()
  ) throws(Failure) -> JSONValue {
    guard bytes.starts(with: magic) else { throw .malformed("it does not begin with \"k8s\" and a zero byte") }
    var envelope = ProtobufReader(bytes.dropFirst(magic.count))
    var (apiVersion, kind) = ("", "")
    var body: ArraySlice<UInt8> = []
    while let (number, value) = try envelope.next() {
      guard case .bytes(let content) = value else { continue }
      switch number {
      case 1:
        var meta = ProtobufReader(content)
        while let (number, value) = try meta.next() {
          guard case .bytes(let text) = value else { continue }
          if number == 1 { apiVersion = try string(text) }
          if number == 2 { kind = try string(text) }
        }
      case 2: body = content
      case 3 where !content.isEmpty: throw .malformed("content encodings are not supported")
      default: break
      }
    }
    let name = schemaName(apiVersion: apiVersion, kind: kind)
    guard let schema = catalog[name], schema.fields.contains(where: { $0.wire != nil }) else {
      throw .noProtobufForm(kind: kind.isEmpty ? "?" : String(kind.prefix(80)))
    }
    var message = ProtobufMessage(catalog: catalog, limits: limits)
    var object = try message.object(body, schema, depth: 0)
    object["apiVersion"] = .string(apiVersion)
    object["kind"] = .string(kind)
    return .object(object)
  }

  /// Groups of Kubernetes are packages by their first label: `rbac.authorization.k8s.io` is `rbac`.
  private static func schemaName(apiVersion: String, kind: String) -> String {
    if kind == "DeleteOptions" { return "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions" }
    let parts = apiVersion.split(separator: "/")
    guard parts.count == 2 else { return "io.k8s.api.core.\(apiVersion).\(kind)" }
    return "io.k8s.api.\(parts[0].prefix { $0 != "." }).\(parts[1]).\(kind)"
  }

  static func string(_ bytes: ArraySlice<UInt8>) throws(Failure) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed("a string is not valid UTF-8") }
    return text
  }
}

/// Reads messages by their schemas.
private struct ProtobufMessage {
  typealias Failure = KubernetesProtobuf.Failure
  let catalog: SchemaCatalog
  let limits: JSONLimits
  private var values = 0

  init(catalog: SchemaCatalog, limits: JSONLimits) {
    self.catalog = catalog
    self.limits = limits
  }

  /// - Parameter prefix: numbers on the way to a message that JSON does not show; its fields belong to `schema`.
  mutating func object(
    _ bytes: ArraySlice<UInt8>, _ schema: ObjectSchema, prefix: [Int] = [], depth: Int
  ) throws(Failure) -> [String: JSONValue] {
    guard depth <= limits.depth else { throw .malformed("nested deeper than \(limits.depth) levels") }
    var members: [String: JSONValue] = [:]
    var reader = ProtobufReader(bytes)
    while let (number, value) = try reader.next() {
      let place = prefix + [number]
      if let field = schema.fields.first(where: { $0.wire?.numbers == place }) {
        try read(value, field, into: &members, depth: depth)
      } else if case .bytes(let content) = value,
        schema.fields.contains(where: { field in
          field.wire.map { $0.numbers.count > place.count && $0.numbers.starts(with: place) } ?? false
        })
      {
        members.merge(try object(content, schema, prefix: place, depth: depth + 1)) { _, last in last }
      }
    }
    return members
  }

  private mutating func read(
    _ value: ProtobufReader.Value, _ field: ObjectSchema.Field, into members: inout [String: JSONValue], depth: Int
  ) throws(Failure) {
    switch field.schema {
    case .array(let element, _):
      var elements = members[field.name]?.elements ?? []
      members[field.name] = nil
      if case .bytes(let packed) = value, element.isNumeric {
        var reader = ProtobufReader(packed)
        while !reader.isAtEnd { elements.append(try scalar(.varint(try reader.varint()), element, depth: depth)) }
      } else {
        elements.append(try scalar(value, element, depth: depth))
      }
      members[field.name] = .array(elements)
    case .map(let element):
      guard case .bytes(let entry) = value else { throw .malformed("\(field.name) is no map") }
      let (key, member) = try mapEntry(entry, element, depth: depth)
      members[field.name, default: [:]][key] = member
    default:
      let result = try scalar(value, field.schema, depth: depth)
      if result.isNull || result.isZero && !keepsZero(field) { return }
      members[field.name] = result
    }
  }

  /// Whether JSON would show the field's zero value: it is only written when it is set, or it is a scalar that must be
  /// there.
  private func keepsZero(_ field: ObjectSchema.Field) -> Bool {
    if field.wire?.isOptional == true { return true }
    if case .reference = field.schema { return false }
    return field.isRequired
  }

  private mutating func mapEntry(
    _ bytes: ArraySlice<UInt8>, _ element: Schema, depth: Int
  ) throws(Failure) -> (String, JSONValue) {
    var reader = ProtobufReader(bytes)
    var key = ""
    var member: JSONValue = element.zero
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (1, .bytes(let text)): key = try KubernetesProtobuf.string(text)
      case (2, .bytes(let content)):
        if case .array(let inner, _) = element {
          // A list cannot be a map's value: it comes in a message of its own.
          var items: [JSONValue] = []
          var list = ProtobufReader(content)
          while let (_, item) = try list.next() { items.append(try scalar(item, inner, depth: depth)) }
          member = .array(items)
        } else {
          member = try scalar(value, element, depth: depth)
        }
      case (2, _): member = try scalar(value, element, depth: depth)
      default: break
      }
    }
    return (key, member)
  }

  /// One value of a shape that is neither a list nor a map; null if a time is not set.
  private mutating func scalar(_ value: ProtobufReader.Value, _ schema: Schema, depth: Int) throws(Failure) -> JSONValue
  {
    values += 1
    guard values <= limits.values else { throw .tooManyValues(limit: limits.values) }
    switch (schema, value) {
    case (.string(let format, _), .bytes(let content)):
      switch format {
      case "date-time", "date-time-micro": return try time(content, isPrecise: format == "date-time-micro")
      case "byte": return .string(Base64.encode(content))
      default: return .string(try KubernetesProtobuf.string(content))
      }
    case (.integer(let bits, _), .varint(let number)):
      let number = Int64(bitPattern: number)
      return .integer(bits == 32 ? Int64(Int32(truncatingIfNeeded: number)) : number)
    case (.boolean, .varint(let number)): return .bool(number != 0)
    case (.number, .fixed64(let pattern)): return .number(Double(bitPattern: pattern))
    case (.quantity, .bytes(let content)): return .string(try text(in: content, field: 1))
    case (.intOrString, .bytes(let content)): return try intOrString(content)
    case (.reference(let name), .bytes(let content)):
      guard let object = catalog[name] else { return .null }
      return .object(try self.object(content, object, depth: depth + 1))
    case (.any, .bytes(let content)):
      // FieldsV1: JSON within a message.
      let text = try text(in: content, field: 1)
      return (try? JSONValue(parsing: text, limits: limits)) ?? .null
    default: throw .malformed("a field has the wrong wire type")
    }
  }

  private func text(in message: ArraySlice<UInt8>, field: Int) throws(Failure) -> String {
    var reader = ProtobufReader(message)
    while let (number, value) = try reader.next() {
      if number == field, case .bytes(let text) = value { return try KubernetesProtobuf.string(text) }
    }
    return ""
  }

  private func time(_ message: ArraySlice<UInt8>, isPrecise: Bool) throws(Failure) -> JSONValue {
    var reader = ProtobufReader(message)
    var seconds: Int64?
    var nanoseconds: Int64 = 0
    while let (number, value) = try reader.next() {
      guard case .varint(let part) = value else { continue }
      if number == 1 { seconds = Int64(bitPattern: part) }
      if number == 2 { nanoseconds = Int64(bitPattern: part) }
    }
    // Years 1 to 9999: what RFC 3339 can write.
    guard let seconds, (-62_135_596_800...253_402_300_799).contains(seconds) else { return .null }
    let time = Timestamp(microseconds: seconds * 1_000_000 + min(max(nanoseconds, 0), 999_999_999) / 1000)
    return .string(isPrecise ? time.microTime : time.description)
  }

  private func intOrString(_ message: ArraySlice<UInt8>) throws(Failure) -> JSONValue {
    var reader = ProtobufReader(message)
    var isString = false
    var number: Int64 = 0
    var text = ""
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (1, .varint(let type)): isString = type != 0
      case (2, .varint(let value)): number = Int64(Int32(truncatingIfNeeded: Int64(bitPattern: value)))
      case (3, .bytes(let content)): text = try KubernetesProtobuf.string(content)
      default: break
      }
    }
    return isString ? .string(text) : .integer(number)
  }
}

extension Schema {
  fileprivate var isNumeric: Bool {
    switch self {
    case .integer, .boolean: true
    default: false
    }
  }
}

extension JSONValue {
  /// What a field that is always written holds when nobody set it.
  fileprivate var isZero: Bool {
    switch self {
    case .null: true
    case .bool(let flag): !flag
    case .integer(let number): number == 0
    case .number(let number): number == 0
    case .string(let text): text.isEmpty
    case .array(let elements): elements.isEmpty
    case .object(let members): members.isEmpty
    }
  }
}
