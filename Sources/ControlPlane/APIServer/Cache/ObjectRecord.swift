import JSONDocument
import KubernetesAPI

/// What the cache keeps of an object: its final bytes, and what reads, watches and the collector look at.
final class ObjectRecord: Sendable {
  let key: ObjectKey
  let revision: UInt64
  let uid: UID
  let labels: [String: String]
  /// Values of the kind's selectable fields, in the order of their declaration.
  let fields: [String]
  /// The uids of its owners.
  let owners: [UID]
  let marks: Marks
  /// The object on the wire; nobody encodes it again.
  let bytes: [UInt8]

  struct Marks: OptionSet, Sendable {
    let rawValue: UInt8
    /// `metadata.deletionTimestamp` is set.
    static let isBeingDeleted = Marks(rawValue: 1)
    /// The finalizer `foregroundDeletion`: goes after its dependents.
    static let waitsForDependents = Marks(rawValue: 2)
    /// The finalizer `orphan`: its dependents stay.
    static let orphansDependents = Marks(rawValue: 4)
  }

  init(_ draft: ObjectDraft, revision: UInt64) {
    key = draft.key
    self.revision = revision
    uid = draft.uid
    labels = draft.labels
    fields = draft.fields
    owners = draft.owners
    marks = draft.marks
    bytes = draft.finished(with: revision)
  }

  /// Of bytes that are final already, with everything else taken from `draft`.
  init(_ draft: ObjectDraft, revision: UInt64, finalBytes: [UInt8]) {
    key = draft.key
    self.revision = revision
    uid = draft.uid
    labels = draft.labels
    fields = draft.fields
    owners = draft.owners
    marks = draft.marks
    bytes = finalBytes
  }

  /// The same object under another revision: what a watch tells when the object leaves its sight.
  init(_ record: ObjectRecord, at revision: UInt64) {
    key = record.key
    self.revision = revision
    uid = record.uid
    labels = record.labels
    fields = record.fields
    owners = record.owners
    marks = record.marks
    bytes = Self.replaceRevision(in: record.bytes, with: revision)
  }

  private static func replaceRevision(in bytes: [UInt8], with revision: UInt64) -> [UInt8] {
    guard let range = JSONScanner.range(of: ["metadata", "resourceVersion"], in: bytes), range.count >= 2 else {
      return bytes
    }
    return bytes.replacing(range.lowerBound + 1..<range.upperBound - 1, with: String(revision).utf8)
  }

  /// The object as a tree.
  func object() throws(APIStatus) -> KubernetesObject {
    do { return try KubernetesObject(parsing: bytes) } catch {
      throw APIStatus(.internalError, "stored object \(key) cannot be read: \(error)")
    }
  }

  /// Resident bytes beside `bytes`, by counting fields: for the counters only.
  var estimatedOverhead: Int {
    func heap(_ text: String) -> Int { text.utf8.count > 15 ? 32 + text.utf8.count : 0 }
    return 16 + 112 + 48 + heap(key.name) + (fields.isEmpty ? 0 : 32 + fields.count * 16)
      + (owners.isEmpty ? 0 : 32 + owners.count * 16) + 40
  }
}

/// An object on its way into the store: everything but its revision.
struct ObjectDraft: Sendable {
  let key: ObjectKey
  let uid: UID
  let labels: [String: String]
  let fields: [String]
  let owners: [UID]
  let marks: ObjectRecord.Marks
  /// Canonical bytes with an empty `metadata.resourceVersion`.
  let bytes: [UInt8]
  /// Where the revision's digits belong.
  let hole: Int?

  static let foregroundFinalizer = "foregroundDeletion"
  static let orphanFinalizer = "orphan"

  init(_ object: KubernetesObject, of definition: ResourceDefinition, interner: Interner) {
    var tree = object.json
    tree["metadata"]["resourceVersion"] = ""
    (bytes, hole) = tree.encoded(withHoleAt: ["metadata", "resourceVersion"])
    key = ObjectKey(namespace: interner.text(object.namespace), name: object.name)
    uid = UID(object.uid)
    labels = interner.labels(object.labels)
    fields = definition.selectableFields.map { interner.text($0.value(object)) }
    owners = object.ownerReferences.map { UID($0.uid) }
    var marks: ObjectRecord.Marks = []
    if object.isBeingDeleted { marks.insert(.isBeingDeleted) }
    let finalizers = object.finalizers
    if finalizers.contains(Self.foregroundFinalizer) { marks.insert(.waitsForDependents) }
    if finalizers.contains(Self.orphanFinalizer) { marks.insert(.orphansDependents) }
    self.marks = marks
  }

  /// Refuses an object that is too large to be kept, in its form on the wire.
  ///
  /// One that is too large already (of an older server) may shrink, and change as long as it does not grow.
  /// - Parameter before: bytes of what is stored.
  func checkSize(limit: Int, before: Int = 0, _ resource: Resource) throws(APIStatus) {
    guard bytes.count > max(limit, before) else { return }
    throw APIStatus(
      .requestEntityTooLarge,
      "\(resource.qualifiedPlural) \"\(key.name.prefix(253))\" would have \(bytes.count) bytes: Request entity too large: limit is \(limit)",
      resource: resource, name: key.name)
  }

  /// The final bytes, in an array of just their size.
  func finished(with revision: UInt64) -> [UInt8] {
    guard let hole else { return bytes }
    return bytes.replacing(hole..<hole, with: String(revision).utf8)
  }
}

extension [UInt8] {
  /// A copy with other bytes at `range`, allocated at its exact size.
  func replacing(_ range: Range<Int>, with insertion: String.UTF8View) -> [UInt8] {
    let insertion = Array(insertion)
    let size = count - range.count + insertion.count
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
      _ = buffer[..<range.lowerBound].initialize(fromContentsOf: self[..<range.lowerBound])
      let end = range.lowerBound + insertion.count
      _ = buffer[range.lowerBound..<end].initialize(fromContentsOf: insertion)
      _ = buffer[end...].initialize(fromContentsOf: self[range.upperBound...])
      initialized = size
    }
  }
}
