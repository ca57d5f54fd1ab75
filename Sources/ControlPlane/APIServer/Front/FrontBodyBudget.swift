import Locking

/// Counts the bytes of bodies that are held for requests under way, of each user and in all.
final class FrontBodyBudget: Sendable {
  private struct State {
    var users: [String: Int] = [:]
    var all = 0
  }
  private let perUser: Int
  private let inAll: Int
  private let state = Mutex(State())

  init(perUser: Int, inAll: Int) {
    self.perUser = perUser
    self.inAll = inAll
  }

  /// - Returns: whether so many more bytes may be kept; if so, `give` must follow.
  func take(_ bytes: Int, of user: String) -> Bool {
    state.withLock { state in
      let held = state.users[user, default: 0]
      guard held + bytes <= perUser, state.all + bytes <= inAll else { return false }
      state.users[user] = held + bytes
      state.all += bytes
      return true
    }
  }

  func give(_ bytes: Int, of user: String) {
    guard bytes > 0 else { return }
    state.withLock { state in
      let left = state.users[user, default: bytes] - bytes
      state.users[user] = left > 0 ? left : nil
      state.all -= bytes
    }
  }
}
