import JSONDocument

/// The shape of a value in the API: enough for validation, strategic merge, OpenAPI and `kubectl explain`.
public indirect enum Schema: Sendable, Hashable {
  /// `format` as in OpenAPI: `date-time`, `byte`, or none; `date-time-micro` is a time with microseconds.
  /// `allowed` is empty if anything goes.
  case string(format: String? = nil, allowed: [String] = [])
  /// 32 or 64 bits, and what of them the field may hold; `nil`: all.
  case integer(bits: Int = 32, range: ClosedRange<Int64>? = nil)
  case number
  case boolean
  /// `resource.Quantity`: a string such as `1Gi`, or a number.
  case quantity
  /// A number of 32 bits within the range, or a string (`intstr.IntOrString`).
  case intOrString(range: ClosedRange<Int64>? = nil)
  /// A map from strings to values of one shape.
  case map(of: Schema)
  case array(of: Schema, list: ListKind = .atomic)
  /// A named object of the catalog: `io.k8s.api.core.v1.PodSpec`.
  case reference(String)
  /// Any value; nothing below it is checked.
  case any

  /// How strategic merge treats a list.
  public enum ListKind: Sendable, Hashable {
    /// Replaced whole.
    case atomic
    /// A set of scalars; new ones are added (`patchStrategy: merge`).
    case set
    /// Objects that are the same if these members are (`patchMergeKey`; the first is the one strategic merge uses).
    case map(keys: [String])
  }
}

/// A named object of the catalog.
public struct ObjectSchema: Sendable, Hashable {
  /// A field's place in a protobuf message.
  public struct WirePlace: Sendable, Hashable {
    /// The field's number; more than one if the field sits in a message that JSON does not show.
    public var numbers: [Int]
    /// Only written when it is set, so that a zero counts. Other fields are always written.
    public var isOptional: Bool

    public init(_ numbers: [Int], isOptional: Bool) {
      self.numbers = numbers
      self.isOptional = isOptional
    }

    /// `8`, `*10` (optional), `2.1` (field 1 of the message in field 2).
    init?(_ text: some StringProtocol) {
      isOptional = text.hasPrefix("*")
      numbers = text.drop { $0 == "*" }.split(separator: ".").compactMap { Int($0) }
      if numbers.isEmpty { return nil }
    }
  }

  public struct Field: Sendable, Hashable {
    public var name: String
    public var schema: Schema
    public var isRequired: Bool
    /// For `kubectl explain`; our own words.
    public var description: String
    /// Where the field is in the protobuf form of the API; `nil` for kinds that have none.
    public var wire: WirePlace?

    public init(
      _ name: String, _ schema: Schema, isRequired: Bool = false, description: String = "", wire: WirePlace? = nil
    ) {
      self.name = name
      self.schema = schema
      self.isRequired = isRequired
      self.description = description
      self.wire = wire
    }
  }

  /// `io.k8s.api.core.v1.PodSpec`
  public var name: String
  public var description: String
  public var fields: [Field]
  private let positions: [String: Int]

  public init(_ name: String, description: String, fields: [Field]) {
    self.name = name
    self.description = description
    self.fields = fields
    positions = Dictionary(
      fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  public func field(_ name: String) -> Field? { positions[name].map { fields[$0] } }
}

/// All named shapes of the API.
public struct SchemaCatalog: Sendable {
  public private(set) var objects: [String: ObjectSchema]

  public init(_ objects: [ObjectSchema] = []) {
    self.objects = Dictionary(objects.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  public subscript(name: String) -> ObjectSchema? { objects[name] }

  public func merging(_ other: SchemaCatalog) -> SchemaCatalog {
    var result = self
    result.objects.merge(other.objects) { mine, _ in mine }
    return result
  }
}
