import JSONDocument

/// What a check against a schema found.
public struct SchemaFindings: Sendable, Hashable {
  /// Paths of fields that the schema does not have: `spec.containers[0].foo`. Strict field validation refuses them.
  public var unknownFields: [String] = []
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
    var check = Check(catalog: catalog)
    check.value(value, as: .reference(schema), isStatus: false)
    return check.findings
  }

  private struct Check {
    let catalog: SchemaCatalog
    var findings = SchemaFindings()
    var path = FieldPath()

    mutating func value(_ value: JSONValue, as schema: Schema, isStatus: Bool) {
      switch (schema, value) {
      case (.any, _), (_, .null): break
      case (.string(let format, let allowed), .string(let text)):
        if !allowed.isEmpty, !allowed.contains(text) {
          let list = allowed.map { "\"\($0)\"" }.joined(separator: ", ")
          add(.notSupported, "Unsupported value: \"\(text)\": supported values: \(list)")
        } else if format?.hasPrefix("date-time") == true, Timestamp(text) == nil {
          add(.invalid, "Invalid value: \"\(text)\": must be a time such as 2026-01-31T12:00:00Z (RFC 3339)")
        }
      case (.integer(let bits), .integer(let number)):
        if bits == 32, Int32(exactly: number) == nil {
          add(.invalid, "Invalid value: \(number): must fit into 32 bits")
        }
      case (.integer, .number(let number)) where number == number.rounded() && abs(number) < 0x1p53: break
      case (.number, .integer), (.number, .number), (.boolean, .bool): break
      case (.quantity, .string(let text)):
        if Quantity(text) == nil {
          add(
            .invalid, "Invalid value: \"\(text)\": quantities must match the regular expression '\(Self.quantityRule)'")
        }
      case (.quantity, .integer), (.quantity, .number): break
      case (.intOrString, .integer), (.intOrString, .string): break
      case (.map(let element), .object(let members)):
        for (key, member) in members.sorted(by: { $0.key < $1.key }) {
          path.push(key: key)
          self.value(member, as: element, isStatus: isStatus)
          path.pop()
        }
      case (.array(let element, _), .array(let elements)):
        for (index, member) in elements.enumerated() {
          path.push(index: index)
          self.value(member, as: element, isStatus: isStatus)
          path.pop()
        }
      case (.reference(let name), .object(let members)):
        if let object = catalog[name] { self.object(members, as: object, isStatus: isStatus) }
      default:
        add(
          .typeInvalid,
          "Invalid value: \"\(value.typeName)\": must be of type \(schema.typeName): \"\(value.typeName)\"")
      }
    }

    private mutating func object(_ members: [String: JSONValue], as object: ObjectSchema, isStatus: Bool) {
      for (key, member) in members.sorted(by: { $0.key < $1.key }) {
        path.push(field: key)
        defer { path.pop() }
        guard let field = object.field(key) else {
          if findings.unknownFields.count < ObjectValidator.maximumFindings {
            findings.unknownFields.append(path.text)
          }
          continue
        }
        value(member, as: field.schema, isStatus: isStatus || path.text == "status")
      }
      guard !isStatus else { return }
      for field in object.fields where field.isRequired && (members[field.name] ?? .null).isNull {
        path.push(field: field.name)
        add(.required, "Required value")
        path.pop()
      }
    }

    private mutating func add(_ kind: APIStatus.Cause.Kind, _ message: String) {
      guard findings.causes.count < ObjectValidator.maximumFindings else { return }
      findings.causes.append(.init(kind, field: path.text, message: message))
    }

    private static let quantityRule = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
  }
}

/// The way from an object's root to a value, as messages write it.
struct FieldPath {
  private(set) var text = ""
  private var lengths: [Int] = []

  mutating func push(field: String) { push(text.isEmpty ? field : ".\(field)") }
  mutating func push(key: String) { push(text.isEmpty ? key : ".\(key)") }
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
