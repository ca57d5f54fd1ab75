import CRI
import KubernetesAPI
import OCI
import RegistryClient

/// Who a request to pull an image says may do so.
struct PullCredentials: Hashable, Sendable {
  let place: RegistryPlace
  let credential: RegistryCredential

  /// - Returns: `nil` if the request names nobody, or no image that could be pulled.
  init?(_ request: Runtime_V1_PullImageRequest) {
    guard request.hasAuth, let image = try? ImageReference(request.image.image) else { return nil }
    place = RegistryPlace(host: image.registry, repository: image.repository)
    // The first of those that is given, in containerd's order.
    let auth = request.auth
    if !auth.username.isEmpty {
      credential = .basic(user: auth.username, password: auth.password)
    } else if !auth.identityToken.isEmpty {
      credential = .identityToken(auth.identityToken)
    } else if !auth.auth.isEmpty {
      guard let bytes = Base64.decode(auth.auth), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else {
        return nil
      }
      let password = bytes[(colon + 1)...].prefix { $0 != 0 }
      credential = .basic(
        user: String(decoding: bytes[..<colon], as: UTF8.self), password: String(decoding: password, as: UTF8.self))
    } else if !auth.registryToken.isEmpty {
      credential = .bearer(auth.registryToken)
    } else {
      return nil
    }
  }
}
