import JSONDocument

/// Which labels an object must have: `app=web,tier in (a, b),!legacy`, or `matchLabels`/`matchExpressions`.
public struct LabelSelector: Sendable, Hashable {
  public enum Requirement: Sendable, Hashable {
    case isIn(String, [String])
    case isNotIn(String, [String])
    case exists(String)
    case doesNotExist(String)
    /// The label is a whole number above the bound.
    case isGreater(String, than: Int64)
    /// The label is a whole number below the bound.
    case isLess(String, than: Int64)

    public func matches(_ labels: [String: String]) -> Bool {
      switch self {
      case .isIn(let key, let values): labels[key].map(values.contains) ?? false
      case .isNotIn(let key, let values): labels[key].map { !values.contains($0) } ?? true
      case .exists(let key): labels[key] != nil
      case .doesNotExist(let key): labels[key] == nil
      case .isGreater(let key, let bound): labels[key].flatMap { Int64($0) }.map { $0 > bound } ?? false
      case .isLess(let key, let bound): labels[key].flatMap { Int64($0) }.map { $0 < bound } ?? false
      }
    }
  }

  public struct Malformed: Error, CustomStringConvertible, Hashable {
    public let description: String
  }

  public var requirements: [Requirement]

  public init(_ requirements: [Requirement] = []) { self.requirements = requirements }
  public init(matchLabels: [String: String]) {
    requirements = matchLabels.sorted { $0.key < $1.key }.map { .isIn($0.key, [$0.value]) }
  }

  /// No requirement: everything matches.
  public var isEmpty: Bool { requirements.isEmpty }
  public func matches(_ labels: [String: String]) -> Bool { requirements.allSatisfy { $0.matches(labels) } }

  /// A `metav1.LabelSelector`.
  public init(json: JSONValue) throws(Malformed) {
    self.init(matchLabels: json["matchLabels"].strings)
    for expression in json["matchExpressions"].elements {
      let key = expression["key"].string ?? ""
      let values = expression["values"].elements.compactMap(\.string)
      switch expression["operator"].string {
      case "In": requirements.append(.isIn(key, values))
      case "NotIn": requirements.append(.isNotIn(key, values))
      case "Exists": requirements.append(.exists(key))
      case "DoesNotExist": requirements.append(.doesNotExist(key))
      case let other:
        throw Malformed(description: "\"\(other ?? "")\" is not a valid label selector operator")
      }
    }
  }

  /// The query parameter's form.
  public init(parsing text: String) throws(Malformed) {
    requirements = []
    for part in try Self.split(text) where !part.isEmpty {
      requirements.append(try Self.requirement(part))
    }
  }

  /// The query parameter's form.
  public var text: String {
    requirements.map {
      switch $0 {
      case .isIn(let key, let values) where values.count == 1: "\(key)=\(values[0])"
      case .isIn(let key, let values): "\(key) in (\(values.joined(separator: ",")))"
      case .isNotIn(let key, let values) where values.count == 1: "\(key)!=\(values[0])"
      case .isNotIn(let key, let values): "\(key) notin (\(values.joined(separator: ",")))"
      case .exists(let key): key
      case .doesNotExist(let key): "!\(key)"
      case .isGreater(let key, let bound): "\(key)>\(bound)"
      case .isLess(let key, let bound): "\(key)<\(bound)"
      }
    }.joined(separator: ",")
  }

  /// Splits at commas outside of parentheses.
  private static func split(_ text: String) throws(Malformed) -> [String] {
    var parts: [String] = []
    var current = ""
    var depth = 0
    for character in text {
      switch character {
      case "(": depth += 1
      case ")": depth -= 1
      case "," where depth == 0:
        parts.append(current)
        current = ""
        continue
      default: break
      }
      guard (0...1).contains(depth) else {
        throw Malformed(description: "unbalanced parentheses in selector \"\(text)\"")
      }
      current.append(character)
    }
    guard depth == 0 else { throw Malformed(description: "unbalanced parentheses in selector \"\(text)\"") }
    parts.append(current)
    return parts.map { $0.trimmingSpaces() }
  }

  private static func requirement(_ part: String) throws(Malformed) -> Requirement {
    func key(_ text: some StringProtocol) throws(Malformed) -> String {
      let key = String(text).trimmingSpaces()
      guard Names.isQualifiedName(key) else {
        throw Malformed(description: "\"\(key)\" is not a valid label key")
      }
      return key
    }
    func value(_ text: some StringProtocol) throws(Malformed) -> String {
      let value = String(text).trimmingSpaces()
      guard Names.isLabelValue(value) else {
        throw Malformed(description: "\"\(value)\" is not a valid label value")
      }
      return value
    }
    if part.hasPrefix("!") { return .doesNotExist(try key(part.dropFirst())) }
    if part.hasSuffix(")"), let open = part.firstIndex(of: "(") {
      let head = part[..<open].split(separator: " ", omittingEmptySubsequences: true)
      var values: [String] = []
      for item in part[part.index(after: open)...].dropLast().split(
        separator: ",", omittingEmptySubsequences: false)
      {
        values.append(try value(item))
      }
      switch head.count == 2 ? String(head[1]) : "" {
      case "in": return .isIn(try key(head[0]), values)
      case "notin": return .isNotIn(try key(head[0]), values)
      default: throw Malformed(description: "cannot read selector \"\(part)\"")
      }
    }
    if let range = part.firstRange(of: "!=") {
      return .isNotIn(try key(part[..<range.lowerBound]), [try value(part[range.upperBound...])])
    }
    if let range = part.firstRange(of: "==") ?? part.firstRange(of: "=") {
      return .isIn(try key(part[..<range.lowerBound]), [try value(part[range.upperBound...])])
    }
    if let position = part.firstIndex(where: { $0 == ">" || $0 == "<" }) {
      let text = String(part[part.index(after: position)...]).trimmingSpaces()
      guard let bound = Int64(text) else { throw Malformed(description: "\"\(text)\" is not a whole number") }
      let name = try key(part[..<position])
      return part[position] == ">" ? .isGreater(name, than: bound) : .isLess(name, than: bound)
    }
    return .exists(try key(part))
  }
}

extension String {
  func trimmingSpaces() -> String {
    var text = Substring(self)
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
