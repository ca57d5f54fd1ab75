import Crypto
import Foundation

/// Keys that seal stored values: the first one seals, all open.
public struct EncryptionKeys: Sendable {
  /// One key of 32 bytes and its name, which stands in what it sealed.
  public struct Key: Sendable {
    public let name: String
    let secret: SymmetricKey

    fileprivate init(name: String, secret: SymmetricKey) {
      self.name = name
      self.secret = secret
    }

    /// - Returns: `nil` unless the name is 1 to 63 letters, digits and `-`, and the secret 32 bytes.
    public init?(name: String, secret: [UInt8]) {
      let isName =
        (1...63).contains(name.utf8.count)
        && name.utf8.allSatisfy { byte in
          (48...57).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "-")
        }
      guard isName, secret.count == 32 else { return nil }
      self.name = name
      self.secret = SymmetricKey(data: secret)
    }

    var bytes: [UInt8] { secret.withUnsafeBytes { Array($0) } }
  }

  /// Why the file of keys cannot be used.
  public enum Failure: Error, CustomStringConvertible {
    case unusable(path: String, reason: String)

    public var description: String {
      switch self {
      case .unusable(let path, let reason): "the encryption keys \(path) cannot be used: \(reason); restore the file"
      }
    }
  }

  /// Never empty.
  public private(set) var keys: [Key]
  public var first: Key { keys[0] }

  /// - Parameter keys: at least one.
  public init(first: Key, others: [Key] = []) { keys = [first] + others }

  static let prefix = Array("k8s:enc:".utf8)
  private static let provider = Array("k8s:enc:aesgcm:v1:".utf8)

  /// Whether the value says that it is sealed, by us or by another provider.
  public static func isSealed(_ value: [UInt8]) -> Bool { value.starts(with: prefix) }

  /// The name of the key that sealed the value.
  public static func keyName(of value: [UInt8]) -> String? {
    guard value.starts(with: provider) else { return nil }
    let rest = value.dropFirst(provider.count).prefix(64)
    guard let end = rest.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    return String(validating: rest[..<end], as: UTF8.self)
  }

  func isCurrent(_ value: [UInt8]) -> Bool { Self.keyName(of: value) == first.name }

  private static func authenticated(_ key: StoreKey) -> Data {
    Data("\(key.resource)\n\(key.namespace)\n\(key.name)".utf8)
  }

  func seal(_ value: [UInt8], at key: StoreKey) throws -> [UInt8] {
    let box = try AES.GCM.seal(value, using: first.secret, authenticating: Self.authenticated(key))
    return Self.provider + Array("\(first.name):".utf8) + Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
  }

  /// - Returns: `nil` if no key opens it at this place.
  func unseal(_ value: [UInt8], at key: StoreKey) -> [UInt8]? {
    guard let name = Self.keyName(of: value), let known = keys.first(where: { $0.name == name }) else { return nil }
    let sealed = Data(value.dropFirst(Self.provider.count + name.utf8.count + 1))
    guard let box = try? AES.GCM.SealedBox(combined: sealed),
      let plain = try? AES.GCM.open(box, using: known.secret, authenticating: Self.authenticated(key))
    else { return nil }
    return Array(plain)
  }

  // MARK: The file

  /// A file with a key on each line (`NAME BASE64`), the first first; made with one key if it is not there.
  /// - Throws: `Failure`, also if the file is there and holds no key: values may be sealed with what is lost.
  public static func loadOrCreate(path: String) throws -> EncryptionKeys {
    guard FileManager.default.fileExists(atPath: path) else {
      let keys = EncryptionKeys(first: fresh())
      try keys.write(to: path)
      return keys
    }
    guard let data = FileManager.default.contents(atPath: path), data.count <= 64 << 10 else {
      throw Failure.unusable(path: path, reason: "it cannot be read")
    }
    var keys: [Key] = []
    for line in String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline) {
      let words = line.split(separator: " ")
      guard words.count == 2, let secret = Data(base64Encoded: String(words[1])),
        let key = Key(name: String(words[0]), secret: Array(secret)), !keys.contains(where: { $0.name == key.name })
      else { throw Failure.unusable(path: path, reason: "line \(keys.count + 1) is no key") }
      keys.append(key)
    }
    guard let first = keys.first else { throw Failure.unusable(path: path, reason: "it holds no key") }
    return EncryptionKeys(first: first, others: Array(keys.dropFirst()))
  }

  /// Its name is random: a key that was lost and comes back must not meet another one of its name.
  private static func fresh() -> Key {
    Key(name: "key-\(String(UInt64.random(in: .min ... .max), radix: 16))", secret: SymmetricKey(size: .bits256))
  }

  /// With a new first key; the others still open what they sealed.
  public func withNewFirst() -> EncryptionKeys {
    EncryptionKeys(first: Self.fresh(), others: keys)
  }

  /// Without keys that nothing is sealed with any more.
  public func keeping(_ names: Set<String>) -> EncryptionKeys {
    EncryptionKeys(first: first, others: keys.dropFirst().filter { names.contains($0.name) })
  }

  /// Replaces the file: written beside it, synced, renamed; readable by its owner alone.
  public func write(to path: String) throws {
    let text = keys.map { "\($0.name) \(Data($0.bytes).base64EncodedString())\n" }.joined()
    let temporary = "\(path).writing"
    try? FileManager.default.removeItem(atPath: temporary)
    guard
      FileManager.default.createFile(
        atPath: temporary, contents: nil, attributes: [.posixPermissions: 0o600]),
      let file = FileHandle(forWritingAtPath: temporary)
    else { throw Failure.unusable(path: path, reason: "\(temporary) cannot be written") }
    try file.write(contentsOf: Data(text.utf8))
    try file.synchronize()
    try file.close()
    guard rename(temporary, path) == 0 else { throw Failure.unusable(path: path, reason: "it cannot be replaced") }
    let directory = open(
      URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw Failure.unusable(path: path, reason: "its directory cannot be opened") }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw Failure.unusable(path: path, reason: "its directory cannot be synced") }
  }
}
