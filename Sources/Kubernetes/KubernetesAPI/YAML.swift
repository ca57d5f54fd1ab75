import JSONDocument
import Yams

/// YAML 1.1 documents as JSON trees, bounded in size and depth, for manifests and request bodies.
public enum YAML {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
    /// The documents, or what they would become, are larger than the limits allow.
    public let isTooLarge: Bool

    init(description: String, isTooLarge: Bool = false) {
      self.description = description
      self.isTooLarge = isTooLarge
    }
  }

  /// What the documents of a stream may still become: aliases count each time that they stand for something.
  private struct Budget {
    var values: Int
    var bytes: Int

    mutating func take(bytes count: Int) throws {
      values -= 1
      bytes -= count
      guard values > 0 else { throw Failure(description: "YAML has too many nodes (aliases count each time)") }
      guard bytes > 0 else {
        throw Failure(description: "YAML becomes too large with what its aliases stand for", isTooLarge: true)
      }
    }
  }

  /// Parses every document of a stream (separated by `---`); empty documents are left out.
  ///
  /// The limits hold for all of them together, and for what they are once every alias is replaced by what it stands for.
  public static func parseAll(_ text: String, limits: JSONLimits = JSONLimits()) throws(Failure) -> [JSONValue] {
    guard text.utf8.count <= limits.bytes else {
      throw Failure(description: "YAML larger than \(limits.bytes) bytes", isTooLarge: true)
    }
    // Yams expands aliases and recurses; nesting and aliases are bounded before it is asked.
    guard Self.nesting(of: text) <= safeNesting else {
      throw Failure(description: "YAML nested deeper than \(limits.depth) levels")
    }
    guard !Self.mayHashAliases(text) else {
      throw Failure(description: "YAML keys must be scalars: neither aliases nor collections")
    }
    do {
      var documents: [JSONValue] = []
      // The sequence ends silently at a fault and keeps it; `for` would lose it in a copy.
      var nodes = try Yams.compose_all(yaml: text)
      var budget = Budget(values: min(limits.values, maximumNodes), bytes: limits.bytes)
      while let node = nodes.next() {
        let value = try convert(node, depth: 0, limits: limits, budget: &budget)
        if !value.isNull { documents.append(value) }
      }
      if let error = nodes.error { throw Failure(description: "invalid YAML: \(error)") }
      return documents
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(description: "invalid YAML: \(error)")
    }
  }

  /// A document's text: block style, keys in order.
  public static func text(of value: JSONValue) throws(Failure) -> String {
    do { return try Yams.serialize(node: node(of: value), allowUnicode: true) } catch {
      throw Failure(description: "cannot write YAML: \(error)")
    }
  }

  private static let maximumNodes = 200_000

  /// Nesting up to which Yams may recurse; `convert` then holds documents to the caller's limit.
  private static let safeNesting = 1000

  /// An upper bound of the nesting: the deepest stack of growing indentations, and the deepest flow nesting.
  ///
  /// Brackets within plain text would add up (regular expressions, colour codes), so only those count that stand where
  /// a flow collection may begin.
  private static func nesting(of text: String) -> Int {
    var flow = 0
    var deepest = 0
    var indentations: [Int] = []
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      var width = 0
      var position = line.startIndex
      while position < line.endIndex, line[position] == UInt8(ascii: " ") || line[position] == UInt8(ascii: "-") {
        // Every dash may begin a sequence of its own.
        if line[position] == UInt8(ascii: "-") { push(width, &indentations) }
        width += 1
        position = line.index(after: position)
      }
      if position < line.endIndex { push(width, &indentations) }
      var mayBegin = true
      for byte in line[position...] {
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "{"): if mayBegin { flow += 1 }
        case UInt8(ascii: "]"), UInt8(ascii: "}"):
          flow = max(0, flow - 1)
          mayBegin = false
        default: mayBegin = mayPrecedeFlow(byte)
        }
        deepest = max(deepest, flow)
      }
      deepest = max(deepest, flow + indentations.count)
    }
    return deepest
  }

  private static func push(_ width: Int, _ indentations: inout [Int]) {
    while let last = indentations.last, last >= width { indentations.removeLast() }
    indentations.append(width)
  }

  private static func mayPrecedeFlow(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: ","), UInt8(ascii: ":"),
      UInt8(ascii: "-"), UInt8(ascii: "?"):
      true
    default: false
    }
  }

  private static func convert(_ node: Node, depth: Int, limits: JSONLimits, budget: inout Budget) throws -> JSONValue {
    try budget.take(bytes: node.scalar?.string.utf8.count ?? 2)
    guard depth <= limits.depth else { throw Failure(description: "YAML nested deeper than \(limits.depth) levels") }
    switch node {
    case .mapping(let mapping):
      var members: [String: JSONValue] = [:]
      for (key, value) in mapping {
        guard let name = key.scalar?.string else { throw Failure(description: "YAML keys must be scalars") }
        try budget.take(bytes: name.utf8.count + 4)
        members[name] = try convert(value, depth: depth + 1, limits: limits, budget: &budget)
      }
      return .object(members)
    case .sequence(let sequence):
      var elements: [JSONValue] = []
      for element in sequence {
        elements.append(try convert(element, depth: depth + 1, limits: limits, budget: &budget))
      }
      return .array(elements)
    case .scalar(let scalar):
      if scalar.style == .singleQuoted || scalar.style == .doubleQuoted { return .string(scalar.string) }
      if node.null != nil { return .null }
      switch scalar.string {
      case "true", "True", "TRUE": return .bool(true)
      case "false", "False", "FALSE": return .bool(false)
      default: break
      }
      if node.tag.description == "tag:yaml.org,2002:int", let value = node.int { return .integer(Int64(value)) }
      if node.tag.description == "tag:yaml.org,2002:float", let value = node.float, value.isFinite {
        // As in JSON: a whole number is one, however it is written.
        if abs(value) < 1e15, let whole = Int64(exactly: value) { return .integer(whole) }
        return .number(value)
      }
      return .string(scalar.string)
    case .alias:
      throw Failure(description: "YAML alias that leads nowhere")
    }
  }

  private static func node(of value: JSONValue) -> Node {
    switch value {
    case .null: Node("null", Tag(.null))
    case .bool(let flag): Node(flag ? "true" : "false", Tag(.bool))
    case .integer(let number): Node(String(number), Tag(.int))
    case .number(let number): Node(String(number), Tag(.float))
    case .string(let text):
      Node.scalar(.init(text, Tag(.str), needsQuotes(text) ? .doubleQuoted : text.contains("\n") ? .literal : .any))
    case .array(let elements): Node(elements.map(node), .implicit, elements.isEmpty ? .flow : .block)
    case .object(let members):
      Node(
        members.sorted { $0.key < $1.key }.map { (Node($0.key, Tag(.str), .any), node(of: $0.value)) }, .implicit,
        members.isEmpty ? .flow : .block)
    }
  }

  /// A plain scalar that YAML 1.1 readers would take for something else than a string.
  private static func needsQuotes(_ text: String) -> Bool {
    if text.isEmpty { return true }
    if ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased()) { return true }
    guard let first = text.utf8.first else { return true }
    return (48...57).contains(first) || [UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: ".")].contains(first)
  }
}
