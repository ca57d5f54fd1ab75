import Crypto
import Foundation
import KubernetesAPI
import KubernetesClient
import Synchronization

/// Bearer tokens of service accounts: Secrets of type `kubernetes.io/service-account-token`, indexed by hash.
final class ServiceAccountTokens: Sendable {
  private struct State {
    var revisions: [UInt64]?
    var users: [SHA256Digest: UserInfo] = [:]
  }
  private let objects: any ObjectReading
  private let state = Mutex(State())

  init(objects: any ObjectReading) { self.objects = objects }

  func user(of hash: SHA256Digest) -> UserInfo? {
    state.withLock { state in
      let revisions = [Resource.secrets, .serviceAccounts].map { objects.revision(of: $0) }
      if state.revisions != revisions {
        state.users = index()
        state.revisions = revisions
      }
      return state.users[hash]
    }
  }

  /// A token stands as long as its account does, and for the very account it was made for (by uid).
  private func index() -> [SHA256Digest: UserInfo] {
    let accounts = Dictionary(
      objects.objects(of: .serviceAccounts, namespace: nil).map { ($0.key, $0.uid) }, uniquingKeysWith: { $1 })
    var users: [SHA256Digest: UserInfo] = [:]
    for secret in objects.objects(of: .secrets, namespace: nil)
    where secret["type"].string == "kubernetes.io/service-account-token" && !secret.isBeingDeleted {
      guard let account = secret.annotations["kubernetes.io/service-account.name"],
        let uid = accounts[ObjectKey(namespace: secret.namespace, name: account)],
        secret.annotations["kubernetes.io/service-account.uid"].map({ $0 == uid }) ?? true,
        let token = secret["data"]["token"].string.flatMap({ Data(base64Encoded: $0) }), token.count >= 8
      else { continue }
      users[SHA256.hash(data: token)] = .serviceAccount(namespace: secret.namespace, name: account)
    }
    return users
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
