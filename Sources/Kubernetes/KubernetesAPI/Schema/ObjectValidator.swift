import BoundedNumbers
import JSONDocument

/// What a check against a schema found.
public struct SchemaFindings: Sendable, Hashable {
  /// Paths of fields that the schema does not have: `spec.containers[0].foo`. Strict field validation refuses them.
  public var unknownFields: [String] = []
  /// The tree without the fields that the schema does not have; `nil` if it has none of them. Only of `prune`.
  public var pruned: JSONValue?
  /// Wrong types, missing required fields, values outside of an enumeration.
  public var causes: [APIStatus.Cause] = []

  public var isEmpty: Bool { unknownFields.isEmpty && causes.isEmpty }
}

/// Checks trees against the shapes of the catalog.
public struct ObjectValidator: Sendable {
  private let catalog: SchemaCatalog
  /// Findings of each sort that are collected; hostile input should not make large answers.
  public static let maximumFindings = 100

  public init(catalog: SchemaCatalog) { self.catalog = catalog }

  /// Compares `value` with the named shape. A null counts as a field that is left out.
  ///
  /// What is required is not asked for below `status`: controllers write it bit by bit.
  public func check(_ value: JSONValue, as schema: String) -> SchemaFindings {
    var check = Check(catalog: catalog, prunes: false)
    _ = check.value(value, as: .reference(schema), isStatus: false)
    return check.findings
  }

  /// Compares, and takes out in the same walk what the schema does not have. What is of any shape stays whole: values
  /// of free-form maps, objects whose schema the catalog does not have, values of a wrong type.
  ///
  /// Nulls become what they mean where they stand: a member of an object is left out, an entry of a map or a list is the
  /// empty value of its shape (`data: {KEY: null}` is `""`).
  public func prune(_ value: JSONValue, as schema: String) -> SchemaFindings {
    var check = Check(catalog: catalog, prunes: true)
    let pruned = check.value(value, as: .reference(schema), isStatus: false)
    check.findings.pruned = pruned
    return check.findings
  }

  private struct Check {
    let catalog: SchemaCatalog
    let prunes: Bool
    var findings = SchemaFindings()
    var path = FieldPath()

    init(catalog: SchemaCatalog, prunes: Bool) {
      self.catalog = catalog
      self.prunes = prunes
    }

    /// - Returns: the value without unknown fields; `nil` if it stays as it is, as most do: nothing is copied then.
    mutating func value(_ value: JSONValue, as schema: Schema, isStatus: Bool) -> JSONValue? {
      switch (schema, value) {
      case (_, .null): break
      case (.any, _): return prunes ? value.withoutNullMembers() : nil
      case (.string(let format, let allowed), .string(let text)):
        if !allowed.isEmpty, !allowed.contains(text) {
          let list = allowed.map { "\"\($0)\"" }.joined(separator: ", ")
          add(.notSupported, "Unsupported value: \"\(Self.shown(text))\": supported values: \(list)")
        } else if format?.hasPrefix("date-time") == true, Timestamp(text) == nil {
          add(
            .invalid, "Invalid value: \"\(Self.shown(text))\": must be a time such as 2026-01-31T12:00:00Z (RFC 3339)")
        }
      case (.integer(let bits, let range), .integer(let number)):
        check(number, isWide: bits == 64, range)
      case (.integer(let bits, let range), .number(let fraction)) where Int64(exactly: fraction) != nil:
        check(Int64(clamping: fraction), isWide: bits == 64, range)
      case (.number, .integer), (.number, .number), (.boolean, .bool): break
      case (.quantity, .string(let text)):
        if Quantity(text) == nil {
          add(
            .invalid,
            "Invalid value: \"\(Self.shown(text))\": quantities must match the regular expression '\(Self.quantityRule)'"
          )
        }
      case (.quantity, .integer), (.quantity, .number): break
      case (.intOrString(let range), .integer(let number)): check(number, isWide: false, range)
      case (.intOrString, .string): break
      case (.map(let element), .object(let members)):
        var kept: [String: JSONValue]?
        for (key, member) in members.sorted(by: { $0.key < $1.key }) {
          path.push(key: key)
          if let pruned = entry(member, as: element, isStatus: isStatus) {
            kept = kept ?? members
            kept?[key] = pruned
          }
          path.pop()
        }
        return kept.map { .object($0) }
      case (.array(let element, _), .array(let elements)):
        var kept: [JSONValue]?
        for (index, member) in elements.enumerated() {
          path.push(index: index)
          if let pruned = entry(member, as: element, isStatus: isStatus) {
            kept = kept ?? elements
            kept?[index] = pruned
          }
          path.pop()
        }
        return kept.map { .array($0) }
      case (.reference(let name), .object(let members)):
        if let object = catalog[name] { return self.object(members, as: object, isStatus: isStatus) }
        return prunes ? value.withoutNullMembers() : nil
      default:
        add(
          .typeInvalid,
          "Invalid value: \"\(value.typeName)\": must be of type \(schema.typeName): \"\(value.typeName)\"")
      }
      return nil
    }

    /// A value of a map or a list. There a null is no value that is left out: it holds the key or the place, and is what
    /// a value of its shape is when nothing is said of it, as Go's decoder leaves it.
    private mutating func entry(_ value: JSONValue, as schema: Schema, isStatus: Bool) -> JSONValue? {
      guard prunes, value.isNull else { return self.value(value, as: schema, isStatus: isStatus) }
      return schema.zero.isNull ? nil : schema.zero
    }

    private mutating func check(_ number: Int64, isWide: Bool, _ range: ClosedRange<Int64>?) {
      if !isWide, Int32(exactly: number) == nil {
        add(.invalid, "Invalid value: \(number): must fit into 32 bits")
      } else if let range, !range.contains(number) {
        let rule =
          switch (range.lowerBound, range.upperBound) {
          case (0, .max): "must be greater than or equal to 0"
          case (1, .max): "must be greater than zero"
          case (let lower, .max): "must be greater than or equal to \(lower)"
          case (0, 0o777): "must be a number between 0 and 0777 (octal), both inclusive"
          case (let lower, let upper): "must be between \(lower) and \(upper), inclusive"
          }
        add(.invalid, "Invalid value: \(number): \(rule)")
      }
    }

    private mutating func object(_ members: [String: JSONValue], as object: ObjectSchema, isStatus: Bool) -> JSONValue?
    {
      var kept: [String: JSONValue]?
      for (key, member) in members.sorted(by: { $0.key < $1.key }) {
        path.push(field: key)
        defer { path.pop() }
        guard let field = object.field(key) else {
          if findings.unknownFields.count < ObjectValidator.maximumFindings {
            findings.unknownFields.append(path.text)
          }
          if prunes {
            kept = kept ?? members
            kept?[key] = nil
          }
          continue
        }
        if prunes, member.isNull {
          // A null member of an object is one that is left out.
          kept = kept ?? members
          kept?[key] = nil
        } else if let pruned = value(member, as: field.schema, isStatus: isStatus || path.text == "status") {
          kept = kept ?? members
          kept?[key] = pruned
        }
      }
      let result = kept.map { JSONValue.object($0) }
      guard !isStatus else { return result }
      for field in object.fields where field.isRequired && (members[field.name] ?? .null).isNull {
        path.push(field: field.name)
        add(.required, "Required value")
        path.pop()
      }
      return result
    }

    private mutating func add(_ kind: APIStatus.Cause.Kind, _ message: String) {
      guard findings.causes.count < ObjectValidator.maximumFindings else { return }
      findings.causes.append(.init(kind, field: path.text, message: message))
    }

    /// What a message shows of a text from outside.
    private static func shown(_ text: String) -> String { text.utf8.count <= 256 ? text : "\(text.prefix(253))..." }

    private static let quantityRule = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
  }
}

/// The way from an object's root to a value, as messages write it.
struct FieldPath {
  private(set) var text = ""
  private var lengths: [Int] = []

  /// Bytes of a name from outside that are shown: a path is written anew for everything below it.
  private static let shownBytes = 128

  mutating func push(field: String) { push(key: field) }
  mutating func push(key: String) {
    let shown =
      key.utf8.count <= Self.shownBytes ? key : "\(String(decoding: key.utf8.prefix(Self.shownBytes), as: UTF8.self))…"
    push(text.isEmpty ? shown : ".\(shown)")
  }
  mutating func push(index: Int) { push("[\(index)]") }

  private mutating func push(_ part: String) {
    lengths.append(text.utf8.count)
    text += part
  }

  mutating func pop() {
    guard let length = lengths.popLast() else { return }
    text = String(decoding: text.utf8.prefix(length), as: UTF8.self)
  }
}

extension Schema {
  /// The type's name in messages, as OpenAPI has it.
  var typeName: String {
    switch self {
    case .string: "string"
    case .integer: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .quantity: "quantity"
    case .intOrString: "integer or string"
    case .map, .reference: "object"
    case .array: "array"
    case .any: "any"
    }
  }
}
