/// The name of a stored object: which kind, which namespace, which name.
///
/// Ordered by UTF-8 bytes, part by part, as a database with binary collation orders them.
public struct StoreKey: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Group and plural: `apps/deployments`, `pods`.
  public let resource: String
  /// Empty for objects of the cluster.
  public let namespace: String
  public let name: String

  public init(resource: String, namespace: String = "", name: String) {
    self.resource = resource
    self.namespace = namespace
    self.name = name
  }

  public var description: String { namespace.isEmpty ? "\(resource) \(name)" : "\(resource) \(namespace)/\(name)" }

  public static func < (left: StoreKey, right: StoreKey) -> Bool {
    if left.resource != right.resource { return left.resource.utf8.lexicographicallyPrecedes(right.resource.utf8) }
    if left.namespace != right.namespace {
      return left.namespace.utf8.lexicographicallyPrecedes(right.namespace.utf8)
    }
    return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }
}

/// A stored object: its bytes and the revision of the write that put them there.
public struct StoredObject: Sendable, Hashable {
  public let key: StoreKey
  public let revision: UInt64
  public let value: [UInt8]

  public init(key: StoreKey, revision: UInt64, value: [UInt8]) {
    self.key = key
    self.revision = revision
    self.value = value
  }
}

/// One change of a batch.
public struct StoreWrite: Sendable, Hashable {
  /// What must be true of the object for the batch to be taken.
  public enum Precondition: Sendable, Hashable {
    case absent
    /// The object is there, as this revision left it.
    case revision(UInt64)
  }

  public let key: StoreKey
  public let precondition: Precondition
  /// Greater than that of every earlier write.
  public let revision: UInt64
  /// `nil` removes the object.
  public let value: [UInt8]?

  public init(key: StoreKey, precondition: Precondition, revision: UInt64, value: [UInt8]?) {
    self.key = key
    self.precondition = precondition
    self.revision = revision
    self.value = value
  }
}
