import KubernetesAPI
import Locking
import ObjectStore

/// Every object of every kind, newest version, as records in ordered maps. Reads take a snapshot and hold no lock.
final class ObjectCache: Sendable {
  /// One kind at one instant.
  struct Snapshot: Sendable {
    let map: ChunkedSortedMap<ObjectKey, ObjectRecord>
    /// The store's revision at that instant: everything up to it is in the map.
    let revision: UInt64
    /// The newest revision that changed this kind.
    let lastChange: UInt64
  }

  private struct Kind {
    var map = ChunkedSortedMap<ObjectKey, ObjectRecord>()
    var bytes = 0
    var overhead = 0
    var lastChange: UInt64 = 0
  }

  private struct State {
    var kinds: [Kind]
    var revision: UInt64 = 0
    /// From an owner's uid to its dependents.
    var dependents: [UID: Set<ObjectPlace>] = [:]
  }

  private let state: Mutex<State>

  init(kinds: Int) { state = Mutex(State(kinds: Array(repeating: Kind(), count: kinds))) }

  func snapshot(of kind: Int) -> Snapshot {
    state.withLock { Snapshot(map: $0.kinds[kind].map, revision: $0.revision, lastChange: $0.kinds[kind].lastChange) }
  }

  func record(_ kind: Int, _ key: ObjectKey) -> ObjectRecord? { state.withLock { $0.kinds[kind].map[key] } }

  var revision: UInt64 { state.withLock(\.revision) }

  func lastChange(of kind: Int) -> UInt64 { state.withLock { $0.kinds[kind].lastChange } }

  func dependents(of owner: UID) -> Set<ObjectPlace> { state.withLock { $0.dependents[owner] ?? [] } }

  /// Objects, bytes on the wire, and estimated bytes beside them.
  func size(of kind: Int) -> (objects: Int, bytes: Int, overhead: Int) {
    state.withLock { ($0.kinds[kind].map.count, $0.kinds[kind].bytes, $0.kinds[kind].overhead) }
  }

  /// Takes in a whole batch at once: no reader sees a part of it.
  func apply(_ changes: [ObjectChange]) {
    state.withLock { state in
      for change in changes {
        let place = ObjectPlace(kind: change.kind, key: change.record.key)
        if let previous = change.previous {
          state.kinds[change.kind].bytes -= previous.bytes.count
          state.kinds[change.kind].overhead -= previous.estimatedOverhead
          for owner in previous.owners { Self.remove(place, from: owner, &state.dependents) }
        }
        if change.what == .deleted {
          state.kinds[change.kind].map.removeValue(forKey: change.record.key)
        } else {
          state.kinds[change.kind].map.updateValue(change.record, forKey: change.record.key)
          state.kinds[change.kind].bytes += change.record.bytes.count
          state.kinds[change.kind].overhead += change.record.estimatedOverhead
          for owner in change.record.owners { state.dependents[owner, default: []].insert(place) }
        }
        state.kinds[change.kind].lastChange = change.revision
        state.revision = change.revision
      }
    }
  }

  private static func remove(_ place: ObjectPlace, from owner: UID, _ dependents: inout [UID: Set<ObjectPlace>]) {
    dependents[owner]?.remove(place)
    if dependents[owner]?.isEmpty == true { dependents[owner] = nil }
  }

  /// Takes in what the store holds when the server starts.
  func load(_ records: [ObjectRecord], of kind: Int, revision: UInt64) {
    state.withLock { state in
      for record in records {
        state.kinds[kind].map.updateValue(record, forKey: record.key)
        state.kinds[kind].bytes += record.bytes.count
        state.kinds[kind].overhead += record.estimatedOverhead
        state.kinds[kind].lastChange = max(state.kinds[kind].lastChange, record.revision)
        for owner in record.owners {
          state.dependents[owner, default: []].insert(ObjectPlace(kind: kind, key: record.key))
        }
      }
      state.revision = max(state.revision, revision)
    }
  }
}
