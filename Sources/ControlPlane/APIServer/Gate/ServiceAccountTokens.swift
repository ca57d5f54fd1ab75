import BoundedNumbers
import Crypto
import Foundation
import KubernetesAPI
import KubernetesClient

/// Makes the tokens of service accounts, so that no other text is one: whoever may write Secrets cannot choose a token.
///
/// `nagaya.<namespace/name of the Secret>.<HMAC-SHA256>`, both parts in base64url. The HMAC is over the Secret and the
/// account with their uids: the token ends with either of them, and 90 days after its Secret was made. To replace it, delete
/// and create its Secret.
public struct ServiceAccountTokenSigner: Sendable {
  private let key: SymmetricKey

  /// - Parameter key: 32 secret bytes, the same after every start.
  public init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

  /// The one token that a Secret of type `kubernetes.io/service-account-token` may hold.
  public func token(of secret: KubernetesObject, account: String, accountUID: String) -> String {
    let code = HMAC<SHA256>.authenticationCode(for: Self.claim(secret, account, accountUID), using: key)
    return "nagaya.\(Base64.encodeForURL(secret.key.description.utf8)).\(Base64.encodeForURL(Array(code)))"
  }

  /// Compares in constant time.
  func isToken(_ token: String, of secret: KubernetesObject, account: String, accountUID: String) -> Bool {
    let wanted = self.token(of: secret, account: account, accountUID: accountUID)
    // Both are hashed under the key, so the time of the comparison tells nothing about the wanted one.
    return HMAC<SHA256>.isValidAuthenticationCode(
      HMAC<SHA256>.authenticationCode(for: Data(token.utf8), using: key), authenticating: Data(wanted.utf8), using: key)
  }

  /// Names have no line breaks, so no two claims are the same text.
  private static func claim(_ secret: KubernetesObject, _ account: String, _ accountUID: String) -> Data {
    Data(
      [
        "nagaya service account token 1", secret.namespace, secret.name, secret.uid, account, accountUID,
      ].joined(separator: "\n").utf8)
  }
}

/// Who the bearer of a service account's token is. A token names its Secret, so there is nothing to index.
struct ServiceAccountTokens: Sendable {
  private let objects: any ObjectReading
  private let signer: ServiceAccountTokenSigner
  private let revocations: Revocations?
  /// Seconds that a token lives: nothing is given for ever.
  static let lifetime: Int64 = 90 * 86_400

  init(objects: any ObjectReading, signer: ServiceAccountTokenSigner, revocations: Revocations? = nil) {
    self.objects = objects
    self.signer = signer
    self.revocations = revocations
  }

  /// A token stands as long as its Secret holds it and its account is the very one it was made for.
  func user(of token: String, now: Timestamp = .now) -> UserInfo? {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "nagaya", let place = Self.text(parts[1]) else { return nil }
    let names = place.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard names.count == 2,
      let secret = objects.object(of: .secrets, namespace: names[0], name: names[1]), !secret.isBeingDeleted,
      secret["type"].string == "kubernetes.io/service-account-token",
      secret["data"]["token"].string == Base64.encode(token.utf8),
      let name = secret.annotations["kubernetes.io/service-account.name"],
      let account = objects.object(of: .serviceAccounts, namespace: names[0], name: name), !account.uid.isEmpty,
      secret.annotations["kubernetes.io/service-account.uid"] == account.uid,
      signer.isToken(token, of: secret, account: name, accountUID: account.uid)
    else { return nil }
    let made = Timestamp(secret.json["metadata"]["creationTimestamp"].string ?? "")?.seconds ?? 0
    guard now.seconds.clampedSubtracting(made) < Self.lifetime else { return nil }
    if let revocations, revocations.covers(account: "\(secret.namespace)/\(name)", issued: made, by: nil) { return nil }
    return .serviceAccount(namespace: secret.namespace, name: name)
  }

  /// Reads base64url without padding.
  private static func text(_ part: Substring) -> String? {
    var standard = part.replacing("-", with: "+").replacing("_", with: "/")
    while standard.utf8.count % 4 != 0 { standard.append("=") }
    return Base64.decode(String(standard)).flatMap { String(validating: $0, as: UTF8.self) }
  }
}

extension UserInfo {
  /// The user that a service account is (`system:serviceaccount:<namespace>:<name>`).
  public static func serviceAccount(namespace: String, name: String) -> UserInfo {
    UserInfo(
      name: "system:serviceaccount:\(namespace):\(name)",
      groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", Authenticator.authenticatedGroup])
  }
}
