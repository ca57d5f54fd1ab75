/// Why a registry did not give what was asked for.
///
/// Names the registry, the repository and what was asked for; `remedy` says what to do about it. Never holds a secret: neither
/// credentials and tokens nor the query of a signed address.
public struct RegistryError: Error, Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// The registry does not have it (404).
    case notFound
    /// The registry wants other credentials, or the credentials may not read the repository (401, 403).
    case unauthorized
    /// It does not answer now: 5xx, 429, refused connections, stalls.
    /// - Parameter retryAfter: when it said so itself.
    case unavailable(retryAfter: Duration?)
    /// The registry does not serve parts of blobs, so that this layer can't be read lazily from it.
    case refusedRange
    /// The bytes are not those that the digest names, or not as many as announced.
    case damaged
    /// The certificate is not trusted, or the connection can't be encrypted.
    case tls
    /// The host's name is unknown.
    case dns
    /// An answer that breaks the protocol or a limit.
    case malformed
    /// Another refusal, by its status.
    case refused
    /// Our own configuration can't be used: `hosts.toml`, certificates.
    case misconfigured
    /// The task was cancelled.
    case cancelled
  }

  public var kind: Kind
  /// The registry's host as the image names it, or the mirror's.
  public var host: String
  public var repository: String
  /// A digest or a tag; empty where the whole registry is meant.
  public var reference: String
  /// Status of the answer, if there was one.
  public var status: Int?
  /// What happened, in words.
  public var reason: String

  public init(
    _ kind: Kind, host: String, repository: String = "", reference: String = "", status: Int? = nil, reason: String
  ) {
    self.kind = kind
    self.host = host
    self.repository = repository
    self.reference = reference
    self.status = status
    self.reason = reason
  }

  /// Whether the same request may succeed later.
  public var isTransient: Bool {
    switch kind {
    case .unavailable, .dns: true
    default: false
    }
  }

  /// How long the registry asked to be left alone.
  public var retryAfter: Duration? {
    if case .unavailable(let duration) = kind { return duration }
    return nil
  }

  /// What to do about it.
  public var remedy: String {
    switch kind {
    case .notFound: "check the image's name, and that it was pushed"
    case .unauthorized:
      "give credentials for \(host) (Docker's config.json, a kubelet credential provider or an image pull secret)"
    case .unavailable(let retryAfter?): "it asks to be tried again in \(retryAfter.components.seconds) s"
    case .unavailable(nil): "see whether \(host) is up, or name a mirror in hosts.toml"
    case .refusedRange: "pull the image whole, or serve it from a registry that answers Range requests"
    case .damaged: "look for a broken proxy or mirror between here and \(host); the bytes were not used"
    case .tls: "name the registry's authority in hosts.toml (ca = …)"
    case .dns: "check the name and the machine's resolver"
    case .malformed: "see whether \(host) is a registry (OCI distribution specification)"
    case .refused: "see the registry's log"
    case .misconfigured: "correct the file"
    case .cancelled: "ask again"
    }
  }
}

extension RegistryError: CustomStringConvertible {
  public var description: String {
    var what = host
    if !repository.isEmpty { what += "/\(repository)" }
    if !reference.isEmpty { what += (reference.hasPrefix("sha256:") ? "@" : ":") + reference }
    return "\(what): \(reason)\(status.map { " (status \($0))" } ?? ""); \(remedy)"
  }
}
