import Crypto
import Foundation

/// Keys that sign tokens (ES256, RFC 7518 section 3.4), newest first: the first signs, all are accepted. They are no
/// authority's: nothing that they sign is a certificate.
///
/// A key signs for 90 days; afterwards it stays for as long as a token may live, so that none ends with it.
public struct SigningKeys: Sendable {
  /// One key, and what is said of it in public.
  public struct Key: Sendable {
    /// base64url of the SHA-256 of the public key's DER (SubjectPublicKeyInfo), as Kubernetes names keys.
    public let id: String
    fileprivate let key: P256.Signing.PrivateKey

    fileprivate init(_ key: P256.Signing.PrivateKey) {
      self.key = key
      id = Self.base64URL(Data(SHA256.hash(data: key.publicKey.derRepresentation)))
    }

    /// The point's coordinates in base64url, for a JSON Web Key (RFC 7518 section 6.2.1).
    public var coordinates: (x: String, y: String) {
      let point = key.publicKey.rawRepresentation
      return (Self.base64URL(point.prefix(32)), Self.base64URL(point.suffix(32)))
    }

    /// The 64 bytes of the signature (r, s).
    public func sign(_ bytes: [UInt8]) throws -> [UInt8] {
      Array(try key.signature(for: Data(bytes)).rawRepresentation)
    }

    public func isSignature(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
      guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: Data(signature)) else { return false }
      return key.publicKey.isValidSignature(signature, for: Data(bytes))
    }

    private static func base64URL(_ data: Data) -> String {
      data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
  }

  /// Never empty.
  public let keys: [Key]
  /// How long anything that a key signed may hold.
  public static let longestLife: TimeInterval = 86_400
  static let signingTime: TimeInterval = 90 * 86_400

  /// Outlives the keys: what is made with it has an end of its own.
  private let seed: SymmetricKey

  private init(_ keys: [Key], seed: SymmetricKey) {
    self.keys = keys
    self.seed = seed
  }

  /// Keys that nothing keeps: for tests.
  public init() { self.init([Key(P256.Signing.PrivateKey())], seed: SymmetricKey(size: .bits256)) }

  public var signing: Key { keys[0] }

  public func key(_ id: String) -> Key? { keys.first { $0.id == id } }

  /// A secret that only who has these files can make, another one for each purpose (HKDF, RFC 5869).
  public func derivedSecret(for purpose: String) -> [UInt8] {
    let secret = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: seed, info: Data("nagaya \(purpose)".utf8), outputByteCount: 32)
    return secret.withUnsafeBytes { Array($0) }
  }

  private static func seed(_ path: String) throws -> SymmetricKey {
    guard let bytes = try DurableFile.read(path) else {
      let seed = SymmetricKey(size: .bits256)
      try DurableFile.write(
        seed.withUnsafeBytes { Data($0) }.base64EncodedString() + "\n", to: path, mode: 0o600)
      return seed
    }
    guard let data = Data(base64Encoded: String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)),
      data.count == 32
    else { throw CertificateAuthorityError.malformed(path: path, reason: "it is no secret of 32 bytes") }
    return SymmetricKey(data: data)
  }

  /// The keys of `directory` (`<seconds since 1970>.key`, PEM, 0600), with a new one if the newest has served its time.
  /// - Throws: `CertificateAuthorityError` if a file cannot be read, written or understood.
  public static func loadOrCreate(directory: String, now: Date = Date()) throws -> SigningKeys {
    try DurableFile.makeDirectory(directory)
    var known: [(made: TimeInterval, key: Key)] = []
    for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] where name.hasSuffix(".key") {
      guard let made = TimeInterval(name.dropLast(4)), let bytes = try DurableFile.read("\(directory)/\(name)") else {
        continue
      }
      do {
        known.append(
          (made, Key(try P256.Signing.PrivateKey(pemRepresentation: String(decoding: bytes, as: UTF8.self)))))
      } catch { throw CertificateAuthorityError.malformed(path: "\(directory)/\(name)", reason: "\(error)") }
    }
    known.sort { $0.made > $1.made }
    if known.first.map({ now.timeIntervalSince1970 - $0.made >= signingTime }) ?? true {
      let (key, made) = (P256.Signing.PrivateKey(), now.timeIntervalSince1970.rounded(.down))
      try DurableFile.write(key.pemRepresentation + "\n", to: "\(directory)/\(Int64(made)).key", mode: 0o600)
      known.insert((made, Key(key)), at: 0)
    }
    // A key is of use until the last token that it signed is over: a life after its successor was made.
    let end = known.indices.first {
      $0 > 0 && now.timeIntervalSince1970 - known[$0 - 1].made > longestLife
    }
    if let end {
      for old in known[end...] { try DurableFile.remove("\(directory)/\(Int64(old.made)).key") }
      known.removeSubrange(end...)
    }
    return SigningKeys(known.map(\.key), seed: try seed("\(directory)/seed"))
  }
}
