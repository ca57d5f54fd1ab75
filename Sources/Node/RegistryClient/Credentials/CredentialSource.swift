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

/// Credentials that somebody else brought: a test, or requests to pull that passed by on their way to containerd.
public actor RememberedCredentials: CredentialSource {
  private var known: [RegistryPlace: RegistryCredential] = [:]
  private var order: [RegistryPlace] = []
  private let capacity: Int

  /// - Parameter capacity: repositories at most; the oldest are forgotten.
  public init(capacity: Int = 4096) { self.capacity = max(1, capacity) }

  /// Keeps a credential for a repository, or for all of a host's if `repository` is empty.
  public func remember(_ credential: RegistryCredential, for place: RegistryPlace) {
    if known.updateValue(credential, forKey: place) == nil { order.append(place) }
    while order.count > capacity { known[order.removeFirst()] = nil }
  }

  public func credential(for place: RegistryPlace, rejected: RegistryCredential?) -> RegistryCredential? {
    [known[place], known[RegistryPlace(host: place.host, repository: "")]].compactMap { $0 }.first { $0 != rejected }
  }
}
