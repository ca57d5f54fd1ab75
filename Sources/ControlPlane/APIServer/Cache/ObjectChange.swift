import KubernetesAPI

/// One committed change, as it is published to the cache, to watchers and to the collector.
struct ObjectChange: Sendable {
  enum Kind: Sendable {
    case added
    case modified
    case deleted
  }

  /// The position of the object's kind in the registry.
  let kind: Int
  let what: Kind
  /// The object after the change; for a deletion its last state under the deletion's revision.
  let record: ObjectRecord
  /// What was there before.
  let previous: ObjectRecord?

  var revision: UInt64 { record.revision }
}

/// Where an object is: its kind and key.
struct ObjectPlace: Sendable, Hashable {
  let kind: Int
  let key: ObjectKey
}
