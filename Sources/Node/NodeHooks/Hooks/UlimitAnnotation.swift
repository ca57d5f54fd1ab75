import JSONDocument
import KubernetesAPI
public import NRI
import Yams

/// Limits of processes that a pod's annotation wants for one of its containers: a YAML list of `type`, `soft` and `hard`, as
/// NRI's sample plugin `ulimit-adjuster` reads it.
///
/// What is missing is 0, members that are unknown are passed over, `type` may be written in small letters and without
/// `RLIMIT_`; numbers are what YAML takes for numbers, not texts.
public struct UlimitAnnotation: Sendable, Hashable {
  public struct Item: Sendable, Hashable {
    public let limit: Rlimit
    /// Counted from 1.
    public let line: Int
    /// Members that were left out, and are 0 therefore.
    public let missing: [String]
  }

  /// What is wrong, and where.
  public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
    public let key: String
    public let line: Int?
    public let reason: String

    public var description: String { "annotation \(key)\(line.map { ", line \($0)" } ?? ""): \(reason)" }
  }

  /// Of the prefix of annotations; the first that is there counts, even if it is empty.
  static let prefixes = ["ulimits.noderesource.dev", "ulimits.nri.containerd.io"]
  static let limit = 64 << 10

  public let key: String
  public let items: [Item]

  /// - Returns: `nil` if no annotation is about the container.
  public init?(container: String, in annotations: [String: String]) throws(Fault) {
    for key in Self.prefixes.map({ "\($0)/container.\(container)" }) {
      guard let text = annotations[key] else { continue }
      guard !text.isEmpty else { return nil }
      self.key = key
      items = try Self.items(text, key)
      return
    }
    return nil
  }

  static func items(_ text: String, _ key: String) throws(Fault) -> [Item] {
    guard text.utf8.count <= limit else {
      throw Fault(key: key, line: nil, reason: "has more than \(limit) bytes")
    }
    // Depth, aliases and size are bounded there, before nodes with their lines are asked for.
    do throws(YAML.Failure) { _ = try YAML.parseAll(text, limits: JSONLimits(depth: 8, bytes: limit)) } catch {
      throw fault(error.description, key)
    }
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch { throw fault("\(error)", key) }
    guard let node, node.null == nil || node.sequence != nil else { return [] }
    guard let sequence = node.sequence else {
      throw Fault(key: key, line: node.mark?.line, reason: "must be a list of limits, each with type, soft and hard")
    }
    var items: [Item] = []
    for element in sequence {
      let item = try Self.item(element, key)
      if let first = items.first(where: { $0.limit.kind == item.limit.kind }) {
        throw Fault(
          key: key, line: item.line, reason: "\(item.limit.kind.rawValue) was set before, on line \(first.line)")
      }
      items.append(item)
    }
    return items
  }

  /// Yams says where by `3:1: error: ...` at the beginning of its message, and shows the text below it.
  private static func fault(_ message: String, _ key: String) -> Fault {
    let first = message.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? ""
    let rest = first.hasPrefix("invalid YAML: ") ? String(first.dropFirst("invalid YAML: ".count)) : first
    let line = rest.split(separator: ":", maxSplits: 1).first.flatMap { Int($0) }
    let reason = rest.split(separator: "error: ", maxSplits: 1).last.map(String.init) ?? rest
    return Fault(key: key, line: line, reason: "no YAML: \(reason.prefix(300))")
  }

  private static func item(_ node: Node, _ key: String) throws(Fault) -> Item {
    let line = node.mark?.line
    guard let mapping = node.mapping else {
      throw Fault(key: key, line: line, reason: "must have type, soft and hard")
    }
    var members: [String: Node] = [:]
    for (name, value) in mapping { if let name = name.scalar?.string { members[name.lowercased()] = value } }
    let typeText = members["type"]?.scalar?.string ?? ""
    guard let kind = Rlimit.Kind(typeText) else {
      throw Fault(
        key: key, line: members["type"]?.mark?.line ?? line,
        reason: "\"\(typeText.prefix(64))\" is no type of limit: NOFILE, NPROC, MEMLOCK, ...")
    }
    let soft = try number(members["soft"], "soft", of: kind, key)
    let hard = try number(members["hard"], "hard", of: kind, key)
    guard hard >= soft else {
      throw Fault(
        key: key, line: line, reason: "the hard limit \(hard) of \(kind.rawValue) is below its soft limit \(soft)")
    }
    return Item(
      limit: Rlimit(kind, soft: soft, hard: hard), line: line ?? 1,
      missing: ["soft", "hard"].filter { members[$0] == nil })
  }

  /// A whole number that YAML takes for a number; nothing is 0.
  private static func number(_ node: Node?, _ name: String, of kind: Rlimit.Kind, _ key: String) throws(Fault)
    -> UInt64
  {
    guard let node, node.null == nil else { return 0 }
    let text = node.scalar?.string ?? ""
    if let scalar = node.scalar, scalar.style == .plain || scalar.style == .any {
      if node.tag.description == "tag:yaml.org,2002:int", let value = integer(text) { return value }
      if node.tag.description == "tag:yaml.org,2002:float", let value = Double(text), let whole = UInt64(exactly: value)
      {
        return whole
      }
    }
    throw Fault(
      key: key, line: node.mark?.line,
      reason: "\(name) of \(kind.rawValue) must be a whole number from 0 to \(UInt64.max), not \(text.prefix(64))")
  }

  /// YAML 1.1's integers: decimal, with a base before them, or octal by a zero; underscores are passed over.
  private static func integer(_ text: String) -> UInt64? {
    var digits = Substring(text.filter { $0 != "_" })
    if digits.first == "+" { digits.removeFirst() }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
      return UInt64(digits.dropFirst(2), radix: radix)
    }
    if digits.count > 1, digits.first == "0", digits.allSatisfy({ ("0"..."7").contains($0) }) {
      return UInt64(digits, radix: 8)
    }
    return digits.first == "-" ? (digits.dropFirst().allSatisfy { $0 == "0" } ? 0 : nil) : UInt64(digits, radix: 10)
  }
}
