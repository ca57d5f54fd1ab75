import Foundation
import JSONDocument
import Locking

/// What was taken back before its time: all that a user or a service account was given until an instant, and all that a
/// revoked user had given to others. What is given afterwards holds.
///
/// A file of the instance (`{"users": {"alice": 1764450000}, "accounts": {"demo/app": 1764450000}}`, seconds since 1970), read
/// again when it has changed. Memberships of tenants are no credentials: they stay, and name who gave them.
public final class Revocations: Sendable {
  /// One state of the file.
  public struct List: Sendable, Equatable {
    public var users: [String: Int64] = [:]
    public var accounts: [String: Int64] = [:]

    public init() {}

    init(json: JSONValue) {
      func times(_ key: String) -> [String: Int64] {
        json[key].members.reduce(into: [:]) { times, entry in times[entry.key] = entry.value.int.map { Int64($0) } }
      }
      users = times("users")
      accounts = times("accounts")
    }

    public var json: JSONValue {
      func object(_ times: [String: Int64]) -> JSONValue {
        var json: JSONValue = [:]
        for (name, time) in times { json[name] = JSONValue(Int(time)) }
        return json
      }
      return ["users": object(users), "accounts": object(accounts)]
    }
  }

  private struct State {
    var stamp: Date?
    var size: UInt64?
    var list = List()
    var isBroken = false
  }
  private let path: String
  private let state = Mutex(State())
  /// More than anybody revokes; a larger file is not read.
  public static let limitBytes = 1 << 20

  /// - Parameter path: need not exist.
  public init(path: String) { self.path = path }

  /// Whether what a user got at this time counts no longer, by their own revocation or that of who gave it.
  func covers(user: String, issued: Int64, by issuer: String?) -> Bool {
    covers(issued: issued, by: issuer) { $0.users[user] }
  }

  /// - Parameter account: `namespace/name`.
  func covers(account: String, issued: Int64, by issuer: String?) -> Bool {
    covers(issued: issued, by: issuer) { $0.accounts[account] }
  }

  private func covers(issued: Int64, by issuer: String?, _ own: (List) -> Int64?) -> Bool {
    let (list, isBroken) = current()
    // A list that could never be read might hold anybody.
    if isBroken { return true }
    if let time = own(list), issued <= time { return true }
    guard let issuer, let time = list.users[issuer] else { return false }
    return issued <= time
  }

  private func current() -> (List, Bool) {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    let stamp = attributes?[.modificationDate] as? Date
    let size = (attributes?[.size] as? NSNumber)?.uint64Value
    return state.withLock { state in
      if state.stamp != stamp || state.size != size {
        (state.stamp, state.size) = (stamp, size)
        if stamp == nil {
          (state.list, state.isBroken) = (List(), false)
        } else if let list = Self.read(path) {
          (state.list, state.isBroken) = (list, false)
        } else if state.list == List() {
          state.isBroken = true
        }
      }
      return (state.list, state.isBroken)
    }
  }

  /// What the file says; `nil` if it cannot be read.
  public static func read(_ path: String) -> List? {
    guard FileManager.default.fileExists(atPath: path) else { return List() }
    guard let data = FileManager.default.contents(atPath: path), data.count <= limitBytes,
      let json = try? JSONValue(parsing: Array(data)), case .object = json
    else { return nil }
    return List(json: json)
  }
}
