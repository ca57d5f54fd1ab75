import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Fills Secrets that ask for a token of a ServiceAccount (Kubernetes documentation, "ServiceAccount token Secrets").
///
/// The token is 32 random bytes; the gate knows it by its hash through the Secret. It ends with the Secret, and the
/// Secret ends with its account.
public struct ServiceAccountTokenController: Service {
  public static let secretType = "kubernetes.io/service-account-token"
  static let nameAnnotation = "kubernetes.io/service-account.name"
  static let uidAnnotation = "kubernetes.io/service-account.uid"

  private let controller: Controller<ObjectKey>

  public init(_ client: KubernetesClient, informers: SharedInformers, caCertificate: String?, logger: Logger) {
    controller = Controller(
      name: "serviceaccount-token", of: informers.tokenSecrets, waitingFor: [informers.serviceAccounts], logger: logger
    ) { key in
      guard let secret = informers.tokenSecrets.cache.get(key), !secret.isBeingDeleted,
        let name = secret.annotations[Self.nameAnnotation]
      else { return .done }
      let account = informers.serviceAccounts.cache.get(namespace: key.namespace, name: name)
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
      let filled = Self.filled(secret, for: account, caCertificate: caCertificate) {
        (0..<32).map { _ in UInt8.random(in: .min ... .max) }  // the system's generator: the kernel's
      }
      if filled != secret { try await client.update(filled, as: .secrets) }
      return .done
    }
    controller.watch(informers.serviceAccounts) { account in
      informers.tokenSecrets.cache.list(namespace: account.namespace)
        .filter { $0.annotations[Self.nameAnnotation] == account.name }.map(\.key)
    }
  }

  public func run() async throws { try await controller.run() }

  static func filled(
    _ secret: KubernetesObject, for account: KubernetesObject, caCertificate: String?, random: () -> [UInt8]
  ) -> KubernetesObject {
    var filled = secret
    if secret.annotations[uidAnnotation] != account.uid {
      var annotations = secret.annotations
      annotations[uidAnnotation] = account.uid
      filled.annotations = annotations
    }
    if (secret["data"]["token"].string ?? "").isEmpty {
      filled["data"]["token"] = .string(Base64.text(Array(Base64.urlText(random()).utf8)))
    }
    let fixed = ["namespace": secret.namespace, "ca.crt": caCertificate]
    for case (let key, let value?) in fixed {
      let text = Base64.text(Array(value.utf8))
      if filled["data"][key].string != text { filled["data"][key] = .string(text) }
    }
    return filled
  }
}

/// Base 64 (RFC 4648).
enum Base64 {
  private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let url = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  static func text(_ bytes: [UInt8]) -> String { encode(bytes, standard, isPadded: true) }
  /// With the alphabet for URLs, without padding.
  static func urlText(_ bytes: [UInt8]) -> String { encode(bytes, url, isPadded: false) }

  private static func encode(_ bytes: [UInt8], _ alphabet: [UInt8], isPadded: Bool) -> String {
    var text: [UInt8] = []
    var position = 0
    while position < bytes.count {
      let group = bytes[position..<min(position + 3, bytes.count)]
      var bits: UInt32 = 0
      for index in 0..<3 { bits = bits << 8 | UInt32(index < group.count ? group[position + index] : 0) }
      for index in 0...group.count { text.append(alphabet[Int(bits >> UInt32(18 - 6 * index)) & 63]) }
      if isPadded { text += Array(repeating: UInt8(ascii: "="), count: 3 - group.count) }
      position += 3
    }
    return String(decoding: text, as: UTF8.self)
  }
}
