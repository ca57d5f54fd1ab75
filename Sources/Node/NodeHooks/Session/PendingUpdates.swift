import Locking
import NRI

/// Changes of running containers that wait until the runtime can be asked.
final class PendingUpdates: Sendable {
  private let updates = Mutex<[NRIContainerUpdate]>([])
  /// Far more than come between two looks; what is lost is made up for by the next synchronization.
  private static let most = 10_000

  func add(_ more: some Sequence<NRIContainerUpdate>) {
    let more = Array(more)
    updates.withLock { updates in updates += more.prefix(max(0, Self.most - updates.count)) }
  }

  func take() -> [NRIContainerUpdate] {
    updates.withLock { updates in
      defer { updates = [] }
      return updates
    }
  }
}
