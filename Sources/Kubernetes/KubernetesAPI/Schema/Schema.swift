import JSONDocument

/// The shape of a value in the API: enough for validation, strategic merge, OpenAPI and `kubectl explain`.
public indirect enum Schema: Sendable, Hashable {
  /// `format` as in OpenAPI: `date-time`, `byte`, or none. `allowed` is empty if anything goes.
  case string(format: String? = nil, allowed: [String] = [])
  /// 32 or 64 bits.
  case integer(bits: Int = 32)
  case number
  case boolean
  /// `resource.Quantity`: a string such as `1Gi`, or a number.
  case quantity
  /// A number or a string (`intstr.IntOrString`).
  case intOrString
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
  public struct Field: Sendable, Hashable {
    public var name: String
    public var schema: Schema
    public var isRequired: Bool
    /// For `kubectl explain`; our own words.
    public var description: String

    public init(_ name: String, _ schema: Schema, isRequired: Bool = false, description: String = "") {
      self.name = name
      self.schema = schema
      self.isRequired = isRequired
      self.description = description
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
