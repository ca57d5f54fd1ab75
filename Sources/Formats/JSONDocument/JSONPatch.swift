/// Changes of a document: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902).
public enum JSONPatch {
  /// A patch that cannot be applied; says which operation and why.
  public struct Failure: Error, Hashable, CustomStringConvertible {
    public let description: String
    /// The `test` operation did not hold, as opposed to a malformed patch.
    public let isTestFailure: Bool
    /// The patch would make more of the document, or of the work on it, than is allowed.
    public let isTooLarge: Bool

    public init(_ description: String, isTestFailure: Bool = false, isTooLarge: Bool = false) {
      self.description = description
      self.isTestFailure = isTestFailure
      self.isTooLarge = isTooLarge
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

  /// Bytes that the copies of a patch may add together, unless a caller says otherwise.
  public static let maximumCopiedBytes = 3 << 20
  /// Elements of arrays that a patch may move to make room or to close gaps, in all its operations together.
  private static let maximumMoves = 20_000_000

  /// What the rest of a patch may still make and do.
  private struct Budget {
    let copies: Int
    var copiedBytes: Int
    var moves = JSONPatch.maximumMoves

    /// Counts a copy before it is made.
    mutating func copy(_ value: JSONValue) throws(Failure) {
      copiedBytes -= value.encodedCount(upTo: copiedBytes + 1)
      guard copiedBytes >= 0 else {
        throw Failure("the copies of the patch are larger than \(copies) bytes together", isTooLarge: true)
      }
    }

    mutating func move(_ count: Int) throws(Failure) {
      moves -= count
      guard moves >= 0 else {
        throw Failure("the patch moves too many elements of arrays: replace the array", isTooLarge: true)
      }
    }
  }

  /// RFC 6902: the operations of `patch` in order; all or nothing.
  /// - Parameter maximumCopiedBytes: what all its copies may add, in bytes of JSON: each could double the document.
  public static func apply(
    _ patch: JSONValue, to target: JSONValue, maximumCopiedBytes: Int = Self.maximumCopiedBytes
  ) throws(Failure) -> JSONValue {
    guard case .array(let operations) = patch else {
      throw Failure("a JSON patch must be an array of operations")
    }
    guard operations.count <= maximumOperations else {
      throw Failure("a JSON patch may have at most \(maximumOperations) operations")
    }
    var document = target
    var budget = Budget(copies: maximumCopiedBytes, copiedBytes: maximumCopiedBytes)
    for (index, operation) in operations.enumerated() {
      do throws(Failure) {
        try apply(operation: operation, to: &document, &budget)
      } catch {
        throw Failure(
          "operation \(index): \(error)", isTestFailure: error.isTestFailure, isTooLarge: error.isTooLarge)
      }
    }
    return document
  }

  private static func apply(
    operation: JSONValue, to document: inout JSONValue, _ budget: inout Budget
  ) throws(Failure) {
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
    case "add": try add(try value(), at: path, in: &document, &budget)
    case "remove": _ = try remove(at: path, in: &document, &budget)
    case "replace":
      _ = try find(path, in: document)
      try replace(with: try value(), at: path, in: &document)
    case "move":
      let source = try from()
      guard !(path.starts(with: source) && path.count > source.count) else {
        throw Failure("cannot move a value into itself")
      }
      let moved = try remove(at: source, in: &document, &budget)
      try add(moved, at: path, in: &document, &budget)
    case "copy":
      let copied = try find(try from(), in: document)
      try budget.copy(copied)
      try add(copied, at: path, in: &document, &budget)
    case "test":
      guard try find(path, in: document) == value() else {
        throw Failure("test failed at \(shown(pathText))", isTestFailure: true)
      }
    default: throw Failure("unknown operation \"\(shown(name))\"")
    }
  }

  /// RFC 6901: a JSON Pointer's reference tokens.
  private static func pointer(_ text: String) throws(Failure) -> ArraySlice<String> {
    if text.isEmpty { return [] }
    guard text.hasPrefix("/") else { throw Failure("path \"\(shown(text))\" must begin with /") }
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
    Failure("path leads to \"\(shown(token))\", which does not exist")
  }

  /// What a message shows of a text from outside.
  private static func shown(_ text: String) -> String { text.utf8.count <= 200 ? text : "\(text.prefix(200))…" }

  private static func index(_ token: String, within count: Int) throws(Failure) -> Int {
    guard token == "0" || !token.hasPrefix("0"), token.utf8.allSatisfy({ (48...57).contains($0) }),
      let index = Int(token), index < count
    else { throw Failure("\"\(shown(token))\" is no index of an array of \(count)") }
    return index
  }

  /// Runs `change` on the container that holds the last token of `path`.
  private static func edit(
    _ path: ArraySlice<String>, in value: inout JSONValue,
    change: (inout JSONValue, String) throws(Failure) -> Void
  ) throws(Failure) {
    guard let token = path.first else { return }
    if path.count == 1 { return try change(&value, token) }
    // The containers are taken out while they are changed, so that none is copied; a failure gives up the document.
    switch value {
    case .object(var members):
      guard var member = members[token] else { throw missing(token) }
      value = .null
      members[token] = .null
      try edit(path.dropFirst(), in: &member, change: change)
      members[token] = member
      value = .object(members)
    case .array(var elements):
      let index = try index(token, within: elements.count)
      value = .null
      try edit(path.dropFirst(), in: &elements[index], change: change)
      value = .array(elements)
    default: throw missing(token)
    }
  }

  private static func add(
    _ new: JSONValue, at path: ArraySlice<String>, in document: inout JSONValue, _ budget: inout Budget
  ) throws(Failure) {
    guard !path.isEmpty else { return document = new }
    try edit(path, in: &document) { (container, token) throws(Failure) in
      switch container {
      case .object(var members):
        container = .null
        members[token] = new
        container = .object(members)
      case .array(var elements):
        let index = token == "-" ? elements.count : try index(token, within: elements.count + 1)
        try budget.move(elements.count - index)
        container = .null
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
        container = .null
        members[token] = new
        container = .object(members)
      case .array(var elements):
        let index = try index(token, within: elements.count)
        container = .null
        elements[index] = new
        container = .array(elements)
      default: throw missing(token)
      }
    }
  }

  private static func remove(
    at path: ArraySlice<String>, in document: inout JSONValue, _ budget: inout Budget
  ) throws(Failure) -> JSONValue {
    let removed = try find(path, in: document)
    guard !path.isEmpty else {
      document = .null
      return removed
    }
    try edit(path, in: &document) { (container, token) throws(Failure) in
      switch container {
      case .object(var members):
        container = .null
        members[token] = nil
        container = .object(members)
      case .array(var elements):
        let index = try index(token, within: elements.count)
        try budget.move(elements.count - index)
        container = .null
        elements.remove(at: index)
        container = .array(elements)
      default: throw missing(token)
      }
    }
    return removed
  }
}
