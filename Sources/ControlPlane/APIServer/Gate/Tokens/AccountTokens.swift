import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Tokens of service accounts that end: signed (ES256), for an audience, for a time, and for as long as the account and the
/// pod or Secret that they are bound to live (Kubernetes, "Managing Service Accounts", bound tokens).
public struct AccountTokens: Sendable {
  /// What a token is to say.
  public struct Wish: Sendable {
    public var audiences: [String] = []
    public var seconds: Int64 = 3600
    /// Kind, name and uid of the object that it is bound to.
    public var bound: (kind: String, name: String, uid: String)?
    /// Who asked for it; what a revoked user asked for ends with the user.
    public var issuedBy = ""

    public init() {}
  }

  /// A token that holds now.
  public struct Bearer: Sendable {
    public let user: UserInfo
    public let uid: String
    public let audiences: [String]
    let pod: (name: String, uid: String)?
    /// Since when it is used up, as seconds since 1970.
    let expires: Int64
  }

  public static let issuer = TokenProjection.apiAudience
  public static let secondsRange: ClosedRange<Int64> = 600...Int64(SigningKeys.longestLife)
  /// How long what a token is bound to may be on its way out.
  private static let leeway: Int64 = 60

  let keys: SigningKeys
  private let objects: any ObjectReading
  private let revocations: Revocations?

  public init(keys: SigningKeys, objects: any ObjectReading, revocations: Revocations? = nil) {
    self.keys = keys
    self.objects = objects
    self.revocations = revocations
  }

  /// A token for the account.
  /// - Returns: the token, and when it ends.
  func issue(for account: KubernetesObject, _ wish: Wish, now: Timestamp = .now) throws -> (String, Timestamp) {
    let seconds = min(max(wish.seconds, Self.secondsRange.lowerBound), Self.secondsRange.upperBound)
    let expires = now.adding(seconds: seconds)
    var bound: JSONValue = [
      "namespace": .string(account.namespace),
      "serviceaccount": ["name": .string(account.name), "uid": .string(account.uid)],
    ]
    if let object = wish.bound {
      bound[object.kind.lowercased()] = ["name": .string(object.name), "uid": .string(object.uid)]
    }
    let audiences = wish.audiences.isEmpty ? [Self.issuer] : wish.audiences
    var claims: JSONValue = [
      "iss": .string(Self.issuer), "sub": .string(UserInfo.serviceAccount(account).name),
      "aud": .array(audiences.map { .string($0) }), "iat": JSONValue(Int(now.seconds)),
      "nbf": JSONValue(Int(now.seconds)), "exp": JSONValue(Int(expires.seconds)),
      "jti": .string(UUID().uuidString.lowercased()), "kubernetes.io": bound,
    ]
    if !wish.issuedBy.isEmpty { claims["nagaya.dev/issued-by"] = .string(wish.issuedBy) }
    let header: JSONValue = ["alg": "ES256", "kid": .string(keys.signing.id), "typ": "JWT"]
    let text = "\(Base64.encodeForURL(header.encoded())).\(Base64.encodeForURL(claims.encoded()))"
    return ("\(text).\(Base64.encodeForURL(try keys.signing.sign(Array(text.utf8))))", expires)
  }

  /// Whose token this is, if it holds for one of `audiences`.
  ///
  /// Nothing of it counts before its signature: the algorithm is not the token's to choose.
  public func bearer(of token: String, audiences: [String] = [issuer], now: Timestamp = .now) -> Bearer? {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, token.utf8.count <= 8192, let headerBytes = Base64.decodeFromURL(parts[0]),
      let header = try? JSONValue(parsing: headerBytes), header["alg"].string == "ES256",
      let key = header["kid"].string.flatMap({ keys.key($0) }), let signature = Base64.decodeFromURL(parts[2]),
      key.isSignature(signature, of: Array("\(parts[0]).\(parts[1])".utf8)),
      let claimBytes = Base64.decodeFromURL(parts[1]), let claims = try? JSONValue(parsing: claimBytes)
    else { return nil }
    guard claims["iss"].string == Self.issuer, let expires = claims["exp"].int, let begins = claims["nbf"].int,
      let issued = claims["iat"].int, Int64(begins) - Self.leeway <= now.seconds, now.seconds < Int64(expires)
    else { return nil }
    let meant = claims["aud"].elements.compactMap(\.string).filter(audiences.contains)
    let bound = claims["kubernetes.io"]
    guard !meant.isEmpty, let namespace = bound["namespace"].string,
      let name = bound["serviceaccount"]["name"].string, let uid = bound["serviceaccount"]["uid"].string,
      let account = objects.object(of: .serviceAccounts, namespace: namespace, name: name),
      isAlive(account, uid: uid, now), claims["sub"].string == UserInfo.serviceAccount(account).name
    else { return nil }
    for (kind, resource) in [("pod", Resource.pods), ("secret", .secrets)] where !bound[kind].isNull {
      guard let holder = objects.object(of: resource, namespace: namespace, name: bound[kind]["name"].string ?? ""),
        isAlive(holder, uid: bound[kind]["uid"].string ?? "", now), resource != .pods || !holder.isPodEnded
      else { return nil }
    }
    let issuer = claims["nagaya.dev/issued-by"].string
    if let revocations, revocations.covers(account: "\(namespace)/\(name)", issued: Int64(issued), by: issuer) {
      return nil
    }
    return Bearer(
      user: .serviceAccount(namespace: namespace, name: name), uid: uid, audiences: meant,
      pod: bound["pod"]["name"].string.map { ($0, bound["pod"]["uid"].string ?? "") }, expires: Int64(expires))
  }

  private func isAlive(_ object: KubernetesObject, uid: String, _ now: Timestamp) -> Bool {
    guard !uid.isEmpty, object.uid == uid else { return false }
    guard let end = object.json["metadata"]["deletionTimestamp"].string.flatMap({ Timestamp($0) }) else { return true }
    return now.seconds(since: end) <= Self.leeway
  }

  /// The public keys (RFC 7517).
  var keySet: JSONValue {
    [
      "keys": .array(
        keys.keys.map { key in
          [
            "use": "sig", "kty": "EC", "kid": .string(key.id), "crv": "P-256", "alg": "ES256",
            "x": .string(key.coordinates.x), "y": .string(key.coordinates.y),
          ]
        })
    ]
  }
}

extension UserInfo {
  static func serviceAccount(_ account: KubernetesObject) -> UserInfo {
    .serviceAccount(namespace: account.namespace, name: account.name)
  }
}
