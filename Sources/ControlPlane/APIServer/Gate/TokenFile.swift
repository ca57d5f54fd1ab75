import Crypto
import Foundation
import KubernetesClient
import Locking

/// Tokens of users, kept as hashes: a line is `<SHA-256 of the token in hexadecimal> <user> [group,group…]`;
/// `#` begins a comment. Read again when it has changed.
final class TokenFile: Sendable {
  private struct State {
    var modification: Date?
    var users: [SHA256Digest: UserInfo] = [:]
  }
  private let path: String
  private let state = Mutex(State())

  init(path: String) { self.path = path }

  func user(of hash: SHA256Digest) -> UserInfo? {
    let modification = (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    return state.withLock { state in
      if modification != state.modification {
        state.modification = modification
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        state.users = Self.parse(text)
      }
      return state.users[hash]
    }
  }

  /// Lines that are not of the form are passed over: they name nobody.
  static func parse(_ text: String) -> [SHA256Digest: UserInfo] {
    var users: [SHA256Digest: UserInfo] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      let fields = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
      guard fields.count == 2 || fields.count == 3, let hash = digest(fields[0]) else { continue }
      let groups = fields.count == 3 ? fields[2].split(separator: ",").map(String.init) : []
      users[hash] = UserInfo(name: String(fields[1]), groups: groups + [Authenticator.authenticatedGroup])
    }
    return users
  }

  /// The line of a token.
  static func line(token: String, user: String, groups: [String] = []) -> String {
    let hash = SHA256.hash(data: Data(token.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return "\(hash) \(user) \(groups.joined(separator: ","))\n"
  }

  private static func digest(_ text: Substring) -> SHA256Digest? {
    let digits = text.compactMap(\.hexDigitValue)
    guard digits.count == 64, text.count == 64 else { return nil }
    let bytes = stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    // A digest can only be made by hashing or from raw memory of its own size.
    return bytes.withUnsafeBytes { $0.loadUnaligned(as: SHA256Digest.self) }
  }
}
