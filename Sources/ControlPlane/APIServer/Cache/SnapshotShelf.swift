import Locking

/// Keeps snapshots for a while, so that a list in pages shows one instant although the kind changes meanwhile.
final class SnapshotShelf: Sendable {
  private struct Entry {
    let kind: Int
    let snapshot: ObjectCache.Snapshot
    var expires: ContinuousClock.Instant
  }

  private let entries = Mutex<[Entry]>([])
  private let capacity: Int
  private let lifetime: Duration

  init(_ configuration: APIServerConfiguration) {
    capacity = max(1, configuration.listSnapshots)
    lifetime = configuration.listSnapshotLifetime
  }

  func put(_ kind: Int, _ snapshot: ObjectCache.Snapshot) {
    entries.withLock { entries in
      // The one used last stays longest.
      entries.removeAll { $0.kind == kind && $0.snapshot.revision == snapshot.revision }
      if entries.count >= capacity { entries.removeFirst() }
      entries.append(Entry(kind: kind, snapshot: snapshot, expires: .now + lifetime))
    }
  }

  func take(_ kind: Int, revision: UInt64) -> ObjectCache.Snapshot? {
    entries.withLock { entries in
      entries.first { $0.kind == kind && $0.snapshot.revision == revision }?.snapshot
    }
  }

  func expire(now: ContinuousClock.Instant = .now) {
    entries.withLock { $0.removeAll { $0.expires <= now } }
  }
}
