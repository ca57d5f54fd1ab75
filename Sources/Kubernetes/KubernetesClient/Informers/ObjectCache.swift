import JSONDocument
import KubernetesAPI
import Locking

/// A named way to find objects in a cache: by the uid of their owner, by their node.
public struct CacheIndex: Sendable {
  public let name: String
  /// The values under which an object is found.
  public let values: @Sendable (KubernetesObject) -> [String]

  public init(_ name: String, values: @escaping @Sendable (KubernetesObject) -> [String]) {
    self.name = name
    self.values = values
  }

  /// By the uid of every owner; objects without owners by their namespace (`orphans(in:)`).
  public static let ownerUID = CacheIndex("ownerUID") { object in
    let uids = object.ownerReferences.map(\.uid)
    return uids.isEmpty ? [orphans(in: object.namespace)] : uids
  }
  /// Under which `ownerUID` finds the objects of a namespace that have no owner.
  public static func orphans(in namespace: String) -> String { "\(namespace)/" }
  /// By the uid of the object itself.
  public static let uid = CacheIndex("uid") { [$0.uid] }
  /// Pods by the claims that they name (`NAMESPACE/NAME`), those of their generic ephemeral volumes among them.
  public static let claims = CacheIndex("claims") { pod in pod.claimKeys.map(\.description) }
  /// Pods by `spec.nodeName`; pods without a node under the empty string.
  public static let nodeName = CacheIndex("nodeName") { [$0.spec["nodeName"].string ?? ""] }
}

/// The objects an informer knows, kept as bytes and decoded on reading.
///
/// A decoded object costs 5 to 20 times its bytes, and most objects are looked at rarely.
public final class ObjectCache: Sendable {
  private struct Entry {
    var bytes: [UInt8]
    var resourceVersion: String
  }

  private struct State {
    var entries: [ObjectKey: Entry] = [:]
    var byNamespace: [String: Set<ObjectKey>] = [:]
    var indexes: [String: [String: Set<ObjectKey>]] = [:]
    var bytes = 0
    var decodes = 0
  }

  private let state = Mutex(State())
  private let indexes: [CacheIndex]

  public init(indexes: [CacheIndex] = []) { self.indexes = indexes }

  public var count: Int { state.withLock { $0.entries.count } }
  /// Bytes of the objects' JSON, without keys and indexes.
  public var byteCount: Int { state.withLock { $0.bytes } }
  /// Objects that were decoded so far: what readers cost. Tests of loops count by it.
  public var decodeCount: Int { state.withLock { $0.decodes } }
  public var keys: [ObjectKey] { state.withLock { Array($0.entries.keys) } }

  public func contains(_ key: ObjectKey) -> Bool { state.withLock { $0.entries[key] != nil } }
  public func resourceVersion(of key: ObjectKey) -> String? {
    state.withLock { $0.entries[key]?.resourceVersion }
  }

  public func get(_ key: ObjectKey) -> KubernetesObject? {
    state.withLock { state -> [UInt8]? in
      guard let entry = state.entries[key] else { return nil }
      state.decodes += 1
      return entry.bytes
    }.flatMap(Self.decode)
  }

  public func get(namespace: String = "", name: String) -> KubernetesObject? {
    get(ObjectKey(namespace: namespace, name: name))
  }

  /// All objects, or those of a namespace, in the order of their keys.
  public func list(namespace: String? = nil, labels: LabelSelector = LabelSelector()) -> [KubernetesObject] {
    let found = state.withLock { state -> [(ObjectKey, [UInt8])] in
      guard let namespace else {
        state.decodes += state.entries.count
        return state.entries.map { ($0.key, $0.value.bytes) }
      }
      return Self.entries(of: state.byNamespace[namespace] ?? [], in: &state)
    }
    let objects = found.sorted { $0.0 < $1.0 }.compactMap { Self.decode($0.1) }
    return labels.isEmpty ? objects : objects.filter { labels.matches($0.labels) }
  }

  /// The objects that an index finds under `value`, in the order of their keys.
  public func list(by index: CacheIndex, _ value: String) -> [KubernetesObject] {
    state.withLock { state in Self.entries(of: state.indexes[index.name]?[value] ?? [], in: &state) }
      .sorted { $0.0 < $1.0 }.compactMap { Self.decode($0.1) }
  }

  private static func entries(of keys: Set<ObjectKey>, in state: inout State) -> [(ObjectKey, [UInt8])] {
    state.decodes += keys.count
    return keys.compactMap { key in state.entries[key].map { (key, $0.bytes) } }
  }

  /// Whether objects can be found by this index.
  public func has(_ index: CacheIndex) -> Bool { indexes.contains { $0.name == index.name } }

  /// The keys that an index finds under `value`.
  public func keys(by index: CacheIndex, _ value: String) -> Set<ObjectKey> {
    state.withLock { $0.indexes[index.name]?[value] ?? [] }
  }

  public func keys(namespace: String) -> Set<ObjectKey> { state.withLock { $0.byNamespace[namespace] ?? [] } }

  /// Puts an object in place and returns the one that was there.
  @discardableResult
  public func store(_ object: KubernetesObject, bytes: [UInt8]? = nil) -> KubernetesObject? {
    let key = object.key
    let bytes = bytes ?? object.json.encoded()
    let values = indexes.map { ($0.name, $0.values(object)) }
    let old = state.withLock { $0.entries[key]?.bytes }.flatMap(Self.decode)
    let oldValues = old.map { old in indexes.map { ($0.name, $0.values(old)) } } ?? []
    state.withLock { state in
      state.bytes += bytes.count - (state.entries[key]?.bytes.count ?? 0)
      state.entries[key] = Entry(bytes: bytes, resourceVersion: object.resourceVersion)
      state.byNamespace[key.namespace, default: []].insert(key)
      Self.unindex(key, oldValues, in: &state)
      for (name, values) in values {
        for value in values { state.indexes[name, default: [:]][value, default: []].insert(key) }
      }
    }
    return old
  }

  /// Takes an object out and returns it.
  @discardableResult
  public func remove(_ key: ObjectKey) -> KubernetesObject? {
    guard let old = get(key) else { return nil }
    let oldValues = indexes.map { ($0.name, $0.values(old)) }
    state.withLock { state in
      state.bytes -= state.entries.removeValue(forKey: key)?.bytes.count ?? 0
      state.byNamespace[key.namespace]?.remove(key)
      if state.byNamespace[key.namespace]?.isEmpty == true { state.byNamespace[key.namespace] = nil }
      Self.unindex(key, oldValues, in: &state)
    }
    return old
  }

  private static func unindex(_ key: ObjectKey, _ values: [(String, [String])], in state: inout State) {
    for (name, values) in values {
      for value in values {
        state.indexes[name]?[value]?.remove(key)
        if state.indexes[name]?[value]?.isEmpty == true { state.indexes[name]?[value] = nil }
      }
    }
  }

  /// What the cache holds was parsed once already, so a failure cannot happen; such an object would be absent.
  private static func decode(_ bytes: [UInt8]) -> KubernetesObject? { try? KubernetesObject(parsing: bytes) }
}
