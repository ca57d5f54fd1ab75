import KubernetesAPI
import Locking
import ObjectStore

/// A stored object that cannot be read. Its bytes stay where they are until somebody repairs them.
public struct ObjectSetApart: Sendable, Hashable, Error {
  public let key: StoreKey
  /// The revision under which it is stored; 0 if even that is unknown.
  public let revision: UInt64
  public let bytes: Int
  /// What is wrong with it.
  public let reason: String
  public let found: Timestamp

  init(key: StoreKey, revision: UInt64, bytes: Int, reason: String, found: Timestamp) {
    self.key = key
    self.revision = revision
    self.bytes = bytes
    self.reason = reason
    self.found = found
  }

  /// Objects of a kind that cannot be told one from another any more.
  public init(key: StoreKey, damage: String) {
    self.init(key: key, revision: 0, bytes: 0, reason: damage, found: .now)
  }
}

/// Everything that a start could not read. The rest runs without it; its keys stay taken, so that no new object hides what may
/// be repaired, and what it owns stays.
public final class ObjectsSetApart: Sendable {
  private struct State {
    var objects: [ObjectPlace: ObjectSetApart] = [:]
    /// Kinds that lost a page: nobody knows which keys were on it.
    var pages: [Int: ObjectSetApart] = [:]
  }
  private let state = Mutex(State())

  /// All of them, by key.
  public var all: [ObjectSetApart] {
    state.withLock { Array($0.objects.values) + Array($0.pages.values) }.sorted { $0.key < $1.key }
  }

  /// The object that the bytes stand for, or why they stand for none.
  public static func understand(_ stored: StoredObject) -> Result<KubernetesObject, ObjectSetApart> {
    func damaged(_ reason: String) -> Result<KubernetesObject, ObjectSetApart> {
      .failure(
        ObjectSetApart(
          key: stored.key, revision: stored.revision, bytes: stored.value.count, reason: reason, found: .now))
    }
    if EncryptionKeys.isSealed(stored.value) {
      let name = EncryptionKeys.keyName(of: stored.value)
      return damaged(
        "it is encrypted\(name.map { " with the key \"\($0)\"" } ?? ""), which is not there or does not open it here")
    }
    let object: KubernetesObject
    do { object = try KubernetesObject(parsing: stored.value) } catch { return damaged("it is no object: \(error)") }
    guard object.name == stored.key.name, object.namespace == stored.key.namespace else {
      return damaged("it says that it is \"\(object.namespace)/\(object.name)\"")
    }
    return .success(object)
  }

  func add(_ object: ObjectSetApart, kind: Int) {
    state.withLock { $0.objects[ObjectPlace(kind: kind, key: Self.key(object.key))] = object }
  }

  /// Notes that a page with objects of the kind is damaged.
  func add(page damage: String, of resource: String, kind: Int) {
    let page = ObjectSetApart(
      key: StoreKey(resource: resource, name: ""), revision: 0, bytes: 0,
      reason: "a page of the file is damaged, the objects on it are lost: \(damage)", found: .now)
    state.withLock { $0.pages[kind] = page }
  }

  private static func key(_ key: StoreKey) -> ObjectKey { ObjectKey(namespace: key.namespace, name: key.name) }

  /// Whether an object of that key may be there though it is not known.
  func mayBe(_ key: ObjectKey, kind: Int) -> Bool {
    state.withLock { $0.pages[kind] != nil || $0.objects[ObjectPlace(kind: kind, key: key)] != nil }
  }

  private func known(_ key: ObjectKey, kind: Int) -> ObjectSetApart? {
    state.withLock { $0.objects.isEmpty ? nil : $0.objects[ObjectPlace(kind: kind, key: key)] }
  }

  func refusal(ofReading key: ObjectKey, kind: Int, _ kinds: KindIndex) -> APIStatus? {
    guard let object = known(key, kind: kind) else { return nil }
    return APIStatus(
      .internalError,
      "\(object.key) is stored but cannot be read: \(object.reason); see `nagaya store list-damaged`",
      resource: kinds.definitions[kind].resource, name: key.name)
  }

  func refusal(ofWriteTo key: ObjectKey, kind: Int, _ kinds: KindIndex) -> APIStatus? {
    guard let object = known(key, kind: kind) else { return nil }
    return .conflict(
      kinds.definitions[kind].resource, key.name,
      "it is stored but cannot be read: \(object.reason); repair it first (`nagaya store list-damaged`)")
  }
}

extension APIServer {
  /// What was stored and could not be read at this server's start.
  public var objectsSetApart: [ObjectSetApart] { setApart.all }
}
