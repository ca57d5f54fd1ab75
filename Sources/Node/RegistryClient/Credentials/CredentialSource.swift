/// Something that knows who may pull what.
public protocol CredentialSource: Sendable {
  /// The credential for a place, or `nil` if this source knows none.
  ///
  /// - Parameter rejected: a credential that the registry has just refused; what was kept of it is of no use any more.
  /// - Throws: what went wrong, without secrets; other sources are then asked.
  func credential(for place: RegistryPlace, rejected: RegistryCredential?) async throws -> RegistryCredential?
}

/// A repository at a registry or mirror.
public struct RegistryPlace: Sendable, Hashable, CustomStringConvertible {
  /// `docker.io`, `registry.example.com:5000`
  public var host: String
  /// `library/nginx`
  public var repository: String

  public init(host: String, repository: String) {
    self.host = host
    self.repository = repository
  }

  public var description: String { "\(host)/\(repository)" }
}

/// What proves who we are. Its description shows none of it.
public enum RegistryCredential: Sendable, Hashable, CustomStringConvertible {
  case basic(user: String, password: String)
  /// Exchanged for access tokens (OAuth 2 refresh token).
  case identityToken(String)
  /// An access token as it is sent.
  case bearer(String)

  public var description: String {
    switch self {
    case .basic(let user, _): "password of \(user)"
    case .identityToken: "identity token"
    case .bearer: "access token"
    }
  }

  var isIdentityToken: Bool {
    if case .identityToken = self { return true }
    return false
  }
}
