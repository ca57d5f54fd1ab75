import KubernetesAPI
import Locking

/// What a controller has done that its cache does not show yet, so that a stale cache never makes it act twice.
final class Expectations: Sendable {
  private struct Pending {
    /// Names of objects that should appear.
    var creations: Set<String> = []
    /// uids of objects that should go.
    var deletions: Set<String> = []
    var since: ContinuousClock.Instant
  }

  private let pending = Mutex<[ObjectKey: Pending]>([:])
  /// After this long, an event is taken as lost and the cache is believed again.
  private let patience: Duration

  init(patience: Duration = .seconds(300)) { self.patience = patience }

  /// To be called before the object is created.
  func expectCreation(of name: String, by owner: ObjectKey) {
    pending.withLock {
      $0[owner, default: Pending(since: .now)].creations.insert(name)
      $0[owner]?.since = .now
    }
  }

  /// To be called before the object is deleted.
  func expectDeletion(of uid: String, by owner: ObjectKey) {
    pending.withLock {
      $0[owner, default: Pending(since: .now)].deletions.insert(uid)
      $0[owner]?.since = .now
    }
  }

  /// The object appeared, or its creation failed.
  func created(_ name: String, by owner: ObjectKey) {
    settle(owner) { $0.creations.remove(name) }
  }

  /// The object is going or gone, or its deletion failed.
  func deleted(_ uid: String, by owner: ObjectKey) {
    settle(owner) { $0.deletions.remove(uid) }
  }

  /// The owner is gone.
  func forget(_ owner: ObjectKey) { pending.withLock { _ = $0.removeValue(forKey: owner) } }

  /// The cache shows all that was done.
  func areMet(for owner: ObjectKey) -> Bool {
    pending.withLock { pending in
      guard let entry = pending[owner] else { return true }
      guard entry.since.duration(to: .now) > patience else { return false }
      pending[owner] = nil
      return true
    }
  }

  private func settle(_ owner: ObjectKey, _ change: (inout Pending) -> Void) {
    pending.withLock { pending in
      guard var entry = pending[owner] else { return }
      change(&entry)
      pending[owner] = entry.creations.isEmpty && entry.deletions.isEmpty ? nil : entry
    }
  }
}
