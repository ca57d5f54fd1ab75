/// A value of a TOML document (TOML 1.0), without the kinds that configurations of registries never have: dates and
/// floating-point numbers.
public enum TOMLValue: Sendable, Hashable {
  case string(String)
  case integer(Int64)
  case bool(Bool)
  case array([TOMLValue])
  case table(TOMLTable)

  public var string: String? {
    if case .string(let value) = self { return value }
    return nil
  }

  public var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  public var table: TOMLTable? {
    if case .table(let value) = self { return value }
    return nil
  }

  public var elements: [TOMLValue]? {
    if case .array(let value) = self { return value }
    return nil
  }

  /// The strings of an array, or a single string; `nil` for anything else.
  public var strings: [String]? {
    if let string { return [string] }
    guard let elements else { return nil }
    let strings = elements.compactMap(\.string)
    return strings.count == elements.count ? strings : nil
  }
}

/// A table that remembers in which order its keys appeared: mirrors are tried in the order of their tables.
public struct TOMLTable: Sendable, Hashable {
  public private(set) var keys: [String] = []
  private var values: [String: TOMLValue] = [:]
  /// Whether a header or an inline table made it; then it may not be made a second time.
  private var isDefined = false

  public init() {}

  public subscript(key: String) -> TOMLValue? { values[key] }

  /// Puts a value at a path of keys; tables on the way are made.
  /// - Returns: false if something is there already.
  mutating func insert(_ value: TOMLValue, at path: ArraySlice<String>) -> Bool {
    guard let key = path.first else { return false }
    if path.count == 1 {
      guard values[key] == nil else { return false }
      keys.append(key)
      values[key] = value
      return true
    }
    return withTable(key) { $0.insert(value, at: path.dropFirst()) }
  }

  /// Begins the table of a header.
  /// - Returns: false if there is such a table already, or something else.
  mutating func define(_ path: ArraySlice<String>) -> Bool {
    guard let key = path.first else {
      defer { isDefined = true }
      return !isDefined
    }
    return withTable(key) { $0.define(path.dropFirst()) }
  }

  mutating func close() { isDefined = true }

  private mutating func withTable(_ key: String, _ body: (inout TOMLTable) -> Bool) -> Bool {
    var table = TOMLTable()
    switch values[key] {
    case .table(let existing)?: table = existing
    case nil: keys.append(key)
    default: return false
    }
    // The second reference goes before the change, so that it is made in place.
    values[key] = .bool(false)
    defer { values[key] = .table(table) }
    return body(&table)
  }
}
