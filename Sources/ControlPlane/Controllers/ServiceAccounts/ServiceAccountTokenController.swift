import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Fills Secrets that ask for a token of a ServiceAccount (Kubernetes documentation, "ServiceAccount token Secrets").
///
/// Only the gate knows how tokens are made, and accepts no others; whatever else stands in such a Secret is replaced. So it
/// runs where the gate's keys are, apart from the other controllers.
/// The token ends with the Secret, and the Secret ends with its account.
public struct ServiceAccountTokenController: Service {
  public static let secretType = "kubernetes.io/service-account-token"
  static let nameAnnotation = "kubernetes.io/service-account.name"
  static let uidAnnotation = "kubernetes.io/service-account.uid"

  private let controller: Controller<ObjectKey>
  private let informers: [Informer]

  /// The token of a Secret, for the account of this name and uid.
  public typealias TokenMaking = @Sendable (_ secret: KubernetesObject, _ account: String, _ uid: String) -> String

  /// - Parameters:
  ///   - trust: the API server's roots, for `ca.crt`.
  ///   - token: what the gate accepts as the token of a Secret.
  public init(
    _ client: KubernetesClient, trust: TrustBundle, logger: Logger, token: @escaping TokenMaking
  ) {
    let secrets = Informer(client, .secrets, fields: "type=\(Self.secretType)", logger: logger)
    let accounts = Informer(client, .serviceAccounts, logger: logger)
    let controller = Controller<ObjectKey>(
      name: "serviceaccount-token", of: secrets, waitingFor: [accounts], logger: logger
    ) { key in
      guard let secret = secrets.cache.get(key), !secret.isBeingDeleted,
        let name = secret.annotations[Self.nameAnnotation]
      else { return .done }
      let account = accounts.cache.get(namespace: key.namespace, name: name)
      let boundUID = secret.annotations[Self.uidAnnotation]
      guard let account else {
        // Without its account the token must not live on; one whose account is still to come waits.
        if boundUID != nil {
          try await client.delete(.secrets, namespace: key.namespace, name: key.name, uid: secret.uid)
        }
        return .done
      }
      if let boundUID, boundUID != account.uid {
        try await client.delete(.secrets, namespace: key.namespace, name: key.name, uid: secret.uid)
        return .done
      }
      let filled = Self.filled(
        secret, for: account, token: token(secret, account.name, account.uid), caCertificate: trust.pem)
      if filled != secret { try await client.update(filled, as: .secrets) }
      return .done
    }
    controller.watch(accounts) { account in
      secrets.cache.list(namespace: account.namespace)
        .filter { $0.annotations[Self.nameAnnotation] == account.name }.map(\.key)
    }
    trust.onChange { for key in secrets.cache.keys { controller.enqueue(key) } }
    self.controller = controller
    informers = [secrets, accounts]
  }

  public func run() async throws { try await ServiceSet(informers + [controller]).run() }

  static func filled(
    _ secret: KubernetesObject, for account: KubernetesObject, token: String, caCertificate: String?
  ) -> KubernetesObject {
    var filled = secret
    if secret.annotations[uidAnnotation] != account.uid {
      var annotations = secret.annotations
      annotations[uidAnnotation] = account.uid
      filled.annotations = annotations
    }
    let fixed = ["token": token, "namespace": secret.namespace, "ca.crt": caCertificate]
    for case (let key, let value?) in fixed {
      let text = Base64.encode(value.utf8)
      if filled["data"][key].string != text { filled["data"][key] = .string(text) }
    }
    return filled
  }
}
