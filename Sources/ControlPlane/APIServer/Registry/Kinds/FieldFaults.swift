import JSONDocument
import KubernetesAPI

/// Collects the faults of an object's fields in the words that Kubernetes uses (`field.Error`).
struct FieldFaults {
  private(set) var causes: [APIStatus.Cause] = []

  /// Faults that are told: a body of a million empty elements has two of each.
  static let maximum = 100

  private mutating func add(_ kind: APIStatus.Cause.Kind, _ field: String, _ message: String) {
    guard causes.count < Self.maximum else { return }
    causes.append(.init(kind, field: Self.bounded(field), message: message))
  }

  /// What a message shows of a text from outside.
  private static func bounded(_ text: String) -> String { text.utf8.count <= 400 ? text : "\(text.prefix(397))..." }

  mutating func required(_ field: String, _ why: String = "") {
    add(.required, field, why.isEmpty ? "Required value" : "Required value: \(why)")
  }

  mutating func invalid(_ field: String, _ value: JSONValue, _ why: String) {
    guard causes.count < Self.maximum else { return }
    add(.invalid, field, "Invalid value: \(Self.show(value)): \(why)")
  }

  mutating func notSupported(_ field: String, _ value: String, supported: [String]) {
    let list = supported.map { "\"\($0)\"" }.joined(separator: ", ")
    add(.notSupported, field, "Unsupported value: \"\(Self.bounded(value))\": supported values: \(list)")
  }

  mutating func duplicate(_ field: String, _ value: JSONValue) {
    guard causes.count < Self.maximum else { return }
    add(.duplicate, field, "Duplicate value: \(Self.show(value))")
  }

  mutating func forbidden(_ field: String, _ why: String) {
    add(.forbidden, field, "Forbidden: \(why)")
  }

  mutating func notFound(_ field: String, _ value: String) {
    add(.notFound, field, "Not found: \"\(Self.bounded(value))\"")
  }

  mutating func tooLong(_ field: String, maximumBytes: Int) {
    add(.tooLong, field, "Too long: may not be more than \(maximumBytes) bytes")
  }

  private static func show(_ value: JSONValue) -> String {
    // Long values (whole specs) would bury the message.
    guard value.encodedCount(upTo: 4096) < 4096 else {
      if case .string(let text) = value { return "\"\(text.prefix(253))...\"" }
      return "\(value.typeName) of more than 4096 bytes"
    }
    let text = String(decoding: value.encoded(), as: UTF8.self)
    return text.utf8.count <= 256 ? text : "\(text.prefix(253))..."
  }
}

extension FieldFaults {
  static let dnsLabelRule =
    "must consist of lower case letters, digits or '-', begin and end with a letter or digit, and have at most 63 characters (RFC 1123 label)"
  static let dnsSubdomainRule =
    "must consist of lower case letters, digits, '-' or '.', begin and end with a letter or digit, and have at most 253 characters (RFC 1123 subdomain)"
  static let immutable = "field is immutable"

  mutating func checkDNSLabel(_ field: String, _ value: JSONValue) {
    guard let text = value.string, !text.isEmpty else { return required(field) }
    if !Names.isDNSLabel(text) { invalid(field, value, Self.dnsLabelRule) }
  }

  mutating func checkDNSSubdomain(_ field: String, _ value: JSONValue) {
    guard let text = value.string, !text.isEmpty else { return required(field) }
    if !Names.isDNSSubdomain(text) { invalid(field, value, Self.dnsSubdomainRule) }
  }

  mutating func checkPort(_ field: String, _ value: JSONValue) {
    guard let port = value.int else { return required(field) }
    if !(1...65535).contains(port) { invalid(field, value, "must be between 1 and 65535, inclusive") }
  }

  mutating func checkNotNegative(_ field: String, _ value: JSONValue) {
    if let number = value.int, number < 0 { invalid(field, value, "must be greater than or equal to 0") }
  }

  /// The value, if there is one, is among `supported`.
  mutating func checkChoice(_ field: String, _ value: JSONValue, _ supported: [String]) {
    if let text = value.string, !supported.contains(text) { notSupported(field, text, supported: supported) }
  }

  /// A field that may not change once the object exists. Null and missing are the same.
  mutating func checkImmutable(_ field: String, new: JSONValue, old: JSONValue) {
    if new != old { invalid(field, new, Self.immutable) }
  }

  /// Every quantity of a resource list is one and is not negative.
  mutating func checkResourceList(_ field: String, _ list: JSONValue) {
    for (name, value) in list.members.sorted(by: { $0.key < $1.key }) {
      if !Names.isQualifiedName(name) {
        invalid("\(field)[\(name)]", .string(name), "must be a resource name such as cpu or example.com/device")
      }
      guard let quantity = Quantity(json: value) else {
        invalid("\(field)[\(name)]", value, "must be a quantity such as 500m or 1Gi")
        continue
      }
      if quantity.milli < 0 { invalid("\(field)[\(name)]", value, "must be greater than or equal to 0") }
    }
  }

  /// The selector of a workload: readable, not empty, and met by the labels of the template.
  mutating func checkWorkloadSelector(_ spec: JSONValue) {
    let field = "spec.selector"
    if spec["selector"].isNull { return required(field) }
    guard let selector = try? LabelSelector(json: spec["selector"]) else {
      return invalid(field, spec["selector"], "is not a valid label selector")
    }
    if selector.isEmpty {
      invalid(field, spec["selector"], "empty selector is invalid: it would select every pod")
    } else if !selector.matches(spec["template"]["metadata"]["labels"].strings) {
      invalid(
        "spec.template.metadata.labels", spec["template"]["metadata"]["labels"],
        "`selector` does not match template `labels`")
    }
  }
}

extension Quantity {
  /// A quantity as objects hold it: a string or a number.
  init?(json: JSONValue) {
    switch json {
    case .string(let text): self.init(text)
    case .integer(let number): self.init(String(number))
    case .number(let number): self.init(String(number))
    default: return nil
    }
  }
}
