/// Changes of a document: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902).
public enum JSONPatch {
  /// A patch that cannot be applied; says which operation and why.
  public struct Failure: Error, Hashable, CustomStringConvertible {
    public let description: String
    /// The `test` operation did not hold, as opposed to a malformed patch.
    public let isTestFailure: Bool

    public init(_ description: String, isTestFailure: Bool = false) {
      self.description = description
      self.isTestFailure = isTestFailure
    }
  }

  /// RFC 7396: members of `patch` replace those of `target`; null takes a member out.
  public static func merge(_ patch: JSONValue, into target: JSONValue) -> JSONValue {
    guard case .object(let changes) = patch else { return patch }
    var result = target.members
    for (key, change) in changes {
      if change.isNull {
        result[key] = nil
      } else {
        result[key] = merge(change, into: result[key] ?? .null)
      }
    }
    return .object(result)
  }

  /// The operations one patch may hold.
  public static let maximumOperations = 10_000

  /// RFC 6902: the operations of `patch` in order; all or nothing.
  public static func apply(_ patch: JSONValue, to target: JSONValue) throws(Failure) -> JSONValue {
    guard case .array(let operations) = patch else {
      throw Failure("a JSON patch must be an array of operations")
    }
    guard operations.count <= maximumOperations else {
      throw Failure("a JSON patch may have at most \(maximumOperations) operations")
    }
    var document = target
    for (index, operation) in operations.enumerated() {
      do throws(Failure) {
        try apply(operation: operation, to: &document)
      } catch {
        throw Failure("operation \(index): \(error)", isTestFailure: error.isTestFailure)
      }
    }
    return document
  }

  private static func apply(operation: JSONValue, to document: inout JSONValue) throws(Failure) {
    guard let name = operation["op"].string, let pathText = operation["path"].string else {
      throw Failure("needs \"op\" and \"path\"")
    }
    let path = try pointer(pathText)
    func value() throws(Failure) -> JSONValue {
      guard let value = operation.members["value"] else { throw Failure("\(name) needs \"value\"") }
      return value
    }
    func from() throws(Failure) -> ArraySlice<String> {
      guard let text = operation["from"].string else { throw Failure("\(name) needs \"from\"") }
      return try pointer(text)
    }
    switch name {
    case "add": try add(try value(), at: path, in: &document)
    case "remove": _ = try remove(at: path, in: &document)
    case "replace":
      _ = try find(path, in: document)
      try replace(with: try value(), at: path, in: &document)
    case "move":
      let source = try from()
      guard !(path.starts(with: source) && path.count > source.count) else {
        throw Failure("cannot move a value into itself")
      }
      let moved = try remove(at: source, in: &document)
      try add(moved, at: path, in: &document)
    case "copy": try add(try find(try from(), in: document), at: path, in: &document)
    case "test":
      guard try find(path, in: document) == value() else {
        throw Failure("test failed at \(pathText)", isTestFailure: true)
      }
    default: throw Failure("unknown operation \"\(name)\"")
    }
  }

  /// RFC 6901: a JSON Pointer's reference tokens.
  private static func pointer(_ text: String) throws(Failure) -> ArraySlice<String> {
    if text.isEmpty { return [] }
    guard text.hasPrefix("/") else { throw Failure("path \"\(text)\" must begin with /") }
    return text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
      String($0).replacing("~1", with: "/").replacing("~0", with: "~")
    }[...]
  }

  private static func find(_ path: ArraySlice<String>, in document: JSONValue) throws(Failure)
    -> JSONValue
  {
    var value = document
    for token in path {
      switch value {
      case .object(let members):
        guard let member = members[token] else { throw missing(token) }
        value = member
      case .array(let elements):
        value = elements[try index(token, within: elements.count)]
      default: throw missing(token)
      }
    }
    return value
  }

  private static func missing(_ token: String) -> Failure {
    Failure("path leads to \"\(token)\", which does not exist")
  }

  private static func index(_ token: String, within count: Int) throws(Failure) -> Int {
    guard token == "0" || !token.hasPrefix("0"), token.utf8.allSatisfy({ (48...57).contains($0) }),
      let index = Int(token), index < count
    else { throw Failure("\"\(token)\" is no index of an array of \(count)") }
    return index
  }

  /// Runs `change` on the container that holds the last token of `path`.
  private static func edit(
    _ path: ArraySlice<String>, in value: inout JSONValue,
    change: (inout JSONValue, String) throws(Failure) -> Void
  ) throws(Failure) {
    guard let token = path.first else { return }
    if path.count == 1 { return try change(&value, token) }
    switch value {
    case .object(var members):
      guard var member = members[token] else { throw missing(token) }
      try edit(path.dropFirst(), in: &member, change: change)
      members[token] = member
      value = .object(members)
    case .array(var elements):
      let index = try index(token, within: elements.count)
      try edit(path.dropFirst(), in: &elements[index], change: change)
      value = .array(elements)
    default: throw missing(token)
    }
  }

  private static func add(
    _ new: JSONValue, at path: ArraySlice<String>, in document: inout JSONValue
  ) throws(Failure) {
    guard !path.isEmpty else { return document = new }
    try edit(path, in: &document) { (container, token) throws(Failure) in
      switch container {
      case .object(var members):
        members[token] = new
        container = .object(members)
      case .array(var elements):
        let index = token == "-" ? elements.count : try index(token, within: elements.count + 1)
        elements.insert(new, at: index)
        container = .array(elements)
      default: throw missing(token)
      }
    }
  }

  private static func replace(
    with new: JSONValue, at path: ArraySlice<String>, in document: inout JSONValue
  ) throws(Failure) {
    guard !path.isEmpty else { return document = new }
    try edit(path, in: &document) { (container, token) throws(Failure) in
      switch container {
      case .object(var members):
        members[token] = new
        container = .object(members)
      case .array(var elements):
        elements[try index(token, within: elements.count)] = new
        container = .array(elements)
      default: throw missing(token)
      }
    }
  }

  private static func remove(at path: ArraySlice<String>, in document: inout JSONValue)
    throws(Failure) -> JSONValue
  {
    let removed = try find(path, in: document)
    guard !path.isEmpty else {
      document = .null
      return removed
    }
    try edit(path, in: &document) { (container, token) throws(Failure) in
      switch container {
      case .object(var members):
        members[token] = nil
        container = .object(members)
      case .array(var elements):
        elements.remove(at: try index(token, within: elements.count))
        container = .array(elements)
      default: throw missing(token)
      }
    }
    return removed
  }
}
