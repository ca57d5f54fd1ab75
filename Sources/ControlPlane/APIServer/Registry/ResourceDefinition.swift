import JSONDocument
import KubernetesAPI

/// Everything the API server must know about a kind. Built-in and our own kinds are declared the same way;
/// discovery, OpenAPI, tables, validation and `kubectl explain` follow from the declaration.
public struct ResourceDefinition: Sendable {
  public var resource: Resource
  public var singular: String
  public var shortNames: [String]
  /// Groups of kinds for `kubectl get CATEGORY`: `all`.
  public var categories: [String]
  /// The kind's schema in the catalog: `io.k8s.api.core.v1.Pod`.
  public var schema: String
  public var nameRule: NameRule
  public var columns: [TableColumn]
  /// What field selectors may ask, beside `metadata.name` and `metadata.namespace`.
  public var selectableFields: [SelectableField]
  /// Subresources beside the object itself.
  public var subresources: [Subresource]
  /// `metadata.generation` counts changes of anything but metadata and status.
  public var hasGeneration: Bool
  /// Seconds that a deletion waits by default; `nil`: objects of this kind go at once (all but pods).
  public var gracePeriodSeconds: @Sendable (KubernetesObject) -> Int?
  /// Fills in what the user left out. Runs on every write, before validation.
  public var applyDefaults: @Sendable (inout KubernetesObject) -> Void
  /// Clears and sets what a user may not set when creating (status, for instance).
  public var prepareForCreate: @Sendable (inout KubernetesObject) -> Void
  /// The faults of a new object, or of a changed one (`old` is what is stored), beyond what the schema says.
  public var validate: @Sendable (_ new: KubernetesObject, _ old: KubernetesObject?) -> [APIStatus.Cause]

  public init(
    _ resource: Resource, singular: String, shortNames: [String] = [], categories: [String] = [],
    schema: String, nameRule: NameRule = .dnsSubdomain, columns: [TableColumn] = [.name, .age],
    selectableFields: [SelectableField] = [], subresources: [Subresource] = [], hasGeneration: Bool = false,
    gracePeriodSeconds: @escaping @Sendable (KubernetesObject) -> Int? = { _ in nil },
    applyDefaults: @escaping @Sendable (inout KubernetesObject) -> Void = { _ in },
    prepareForCreate: @escaping @Sendable (inout KubernetesObject) -> Void = { $0.json.remove("status") },
    validate: @escaping @Sendable (KubernetesObject, KubernetesObject?) -> [APIStatus.Cause] = { _, _ in [] }
  ) {
    self.resource = resource
    self.singular = singular
    self.shortNames = shortNames
    self.categories = categories
    self.schema = schema
    self.nameRule = nameRule
    self.columns = columns
    self.selectableFields = selectableFields
    self.subresources = subresources
    self.hasGeneration = hasGeneration
    self.gracePeriodSeconds = gracePeriodSeconds
    self.applyDefaults = applyDefaults
    self.prepareForCreate = prepareForCreate
    self.validate = validate
  }

  public enum NameRule: Sendable {
    case dnsLabel
    case dnsSubdomain
    /// RBAC kinds: colons and capitals are fine.
    case pathSegment
  }

  public enum Subresource: Sendable, Hashable {
    /// `/status`: written apart from the rest.
    case status
    /// `/scale` (autoscaling/v1), with the paths of replicas and of the selector.
    case scale
    /// `/log` of pods.
    case log
    /// `/binding` of pods: gives the pod its node.
    case binding
    /// `/eviction` of pods.
    case eviction
    /// `/finalize` of namespaces.
    case finalize
  }
}

/// One column of `kubectl get` (`metav1.TableColumnDefinition`).
public struct TableColumn: Sendable {
  public var name: String
  /// `string`, `integer`, `date`, `boolean`.
  public var type: String
  /// `name` marks the column of names.
  public var format: String
  public var description: String
  /// 0: always; 1: with `-o wide`.
  public var priority: Int
  /// The one field that it shows, as other API servers name it (JSONPath): `.spec.nodeName`; `nil` where it shows more than one, or
  /// another form of one.
  public var path: String?
  public var value: @Sendable (KubernetesObject) -> JSONValue

  public init(
    _ name: String, type: String = "string", format: String = "", description: String = "", priority: Int = 0,
    value: @escaping @Sendable (KubernetesObject) -> JSONValue
  ) {
    self.name = name
    self.type = type
    self.format = format
    self.description = description
    self.priority = priority
    self.value = value
  }

  /// The same column, of which other API servers are told the field.
  func showing(_ path: String) -> TableColumn {
    var column = self
    column.path = path
    return column
  }
}

/// A field that selectors may ask for; its value is taken when the object is committed and kept with the record.
public struct SelectableField: Sendable {
  /// `spec.nodeName`
  public var path: String
  public var value: @Sendable (KubernetesObject) -> String

  public init(_ path: String, value: @escaping @Sendable (KubernetesObject) -> String) {
    self.path = path
    self.value = value
  }
}

/// The kinds a server serves.
public struct ResourceRegistry: Sendable {
  public let definitions: [ResourceDefinition]
  public let schemas: SchemaCatalog
  private let byPath: [String: Int]

  public init(_ definitions: [ResourceDefinition], schemas: SchemaCatalog) {
    self.definitions = definitions
    self.schemas = schemas
    byPath = Dictionary(
      definitions.enumerated().map { (Self.key($1.resource.group, $1.resource.version, $1.resource.plural), $0) },
      uniquingKeysWith: { first, _ in first })
  }

  public func definition(group: String, version: String, plural: String) -> ResourceDefinition? {
    byPath[Self.key(group, version, plural)].map { definitions[$0] }
  }

  public func definition(of resource: Resource) -> ResourceDefinition? {
    definition(group: resource.group, version: resource.version, plural: resource.plural)
  }

  private static func key(_ group: String, _ version: String, _ plural: String) -> String {
    "\(group)/\(version)/\(plural)"
  }
}
