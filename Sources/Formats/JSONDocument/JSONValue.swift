/// A JSON document as a tree (RFC 8259), with integers kept exact to 64 bits.
///
/// Reading is forgiving: `value["spec"]["replicas"].int` is `nil` when anything on the way is missing.
/// Writing creates the objects on the way: `value["spec"]["replicas"] = 3`.
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The member of an object; `.null` if this is no object or has no such member.
  /// Assigning `.null` stores an explicit null; use `remove(_:)` to take a member out.
  public subscript(key: String) -> JSONValue {
    get {
      guard case .object(let members) = self else { return .null }
      return members[key] ?? .null
    }
    set { withMembers { $0[key] = newValue } }
    _modify {
      var members: [String: JSONValue]
      if case .object(let existing) = self { members = existing } else { members = [:] }
      self = .null  // gives up the second reference, so that the change is made in place
      var value = members.removeValue(forKey: key) ?? .null
      defer {
        members[key] = value
        self = .object(members)
      }
      yield &value
    }
  }

  /// The element of an array; `.null` if this is no array or is shorter.
  public subscript(index: Int) -> JSONValue {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return .null }
    return elements[index]
  }

  /// Takes a member out of an object and returns it.
  @discardableResult
  public mutating func remove(_ key: String) -> JSONValue? {
    guard case .object(var members) = self else { return nil }
    self = .null
    defer { self = .object(members) }
    return members.removeValue(forKey: key)
  }

  private mutating func withMembers(_ change: (inout [String: JSONValue]) -> Void) {
    var members: [String: JSONValue]
    if case .object(let existing) = self { members = existing } else { members = [:] }
    self = .null
    change(&members)
    self = .object(members)
  }

  /// Puts `value` under `key` if there is one; leaves the object as it is otherwise.
  public mutating func set(_ key: String, ifPresent value: JSONValue?) {
    if let value { self[key] = value }
  }
}

extension JSONValue {
  public var isNull: Bool { self == .null }

  public var string: String? {
    if case .string(let value) = self { return value }
    return nil
  }

  public var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  /// An integer, or a floating-point number without a fraction.
  public var int: Int? {
    switch self {
    case .integer(let value): return Int(value)
    case .number(let value): return Int(exactly: value)
    default: return nil
    }
  }

  /// A number of things: a whole number, moved into 0 to 2^31 - 1 if it lies outside. Sums of such counts, and products
  /// of two, fit into 64 bits, whatever an object holds.
  public var count: Int? { int.map { Swift.min(Swift.max($0, 0), 1 << 31 - 1) } }

  public var double: Double? {
    switch self {
    case .integer(let value): return Double(value)
    case .number(let value): return value
    default: return nil
    }
  }

  /// The elements of an array; empty for anything else.
  public var elements: [JSONValue] {
    if case .array(let value) = self { return value }
    return []
  }

  /// The members of an object; empty for anything else.
  public var members: [String: JSONValue] {
    if case .object(let value) = self { return value }
    return [:]
  }

  /// The members of an object whose values are strings.
  public var strings: [String: String] { members.compactMapValues(\.string) }

  /// What the value is, in the words of the JSON specification.
  public var typeName: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .integer: "integer"
    case .number: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }

  /// An object of strings.
  public static func strings(_ values: [String: String]) -> JSONValue {
    .object(values.mapValues { .string($0) })
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral, ExpressibleByStringInterpolation
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(nilLiteral: ()) { self = .null }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { _, last in last }))
  }
  public init(_ value: Int) { self = .integer(Int64(value)) }
}
