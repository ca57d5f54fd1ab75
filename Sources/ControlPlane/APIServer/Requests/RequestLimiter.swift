import Synchronization

/// Counts requests under way by user, so that one user cannot take the whole server.
final class RequestLimiter: Sendable {
  private let perUser: Int
  private let running = Mutex<[String: Int]>([:])

  init(perUser: Int) { self.perUser = perUser }

  /// - Returns: whether the request may go on; if so, `leave` must follow.
  func enter(_ user: String) -> Bool {
    running.withLock { running in
      let count = running[user, default: 0]
      guard count < perUser else { return false }
      running[user] = count + 1
      return true
    }
  }

  func leave(_ user: String) {
    running.withLock { running in
      let count = running[user, default: 1] - 1
      running[user] = count > 0 ? count : nil
    }
  }
}
