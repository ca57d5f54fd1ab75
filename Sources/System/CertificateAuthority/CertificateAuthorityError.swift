/// Why a certificate could not be made or loaded; each says the file or name and what to do.
public enum CertificateAuthorityError: Error, Hashable, CustomStringConvertible {
  /// The file could not be read or written (`errno`'s text).
  case file(path: String, action: String, reason: String)
  /// The file is there but holds no PEM of the expected kind.
  case malformed(path: String, reason: String)
  /// The root's certificate is there, its key is not (or another's).
  case keyMissing(certificate: String, key: String)
  case keyMismatch(certificate: String, key: String)
  /// The root's time is over.
  case expired(path: String, at: String)
  /// A name that cannot stand in a certificate.
  case invalidName(String)
  /// The authority's root does not cover what it was asked to vouch for.
  case notForThisPurpose(authority: String, what: String)
  /// No PKCS #10 request that is signed by its own key, of P-256.
  case invalidRequest

  public var description: String {
    switch self {
    case .file(let path, let action, let reason): "cannot \(action) \(path): \(reason)"
    case .malformed(let path, let reason):
      "\(path) is not valid PEM (\(reason)); restore it from a backup, or remove it to have it made anew"
    case .keyMissing(let certificate, let key):
      "\(certificate) is there but its key \(key) is not; restore the key, or remove the certificate to make a new authority"
    case .keyMismatch(let certificate, let key):
      "\(key) is not the key of \(certificate); restore the pair, or remove both to make a new authority"
    case .expired(let path, let at):
      "the authority's certificate \(path) expired at \(at); remove it and its key to make a new authority"
    case .notForThisPurpose(let authority, let what):
      "\(authority) does not vouch for \(what): ask the authority that is made for it"
    case .invalidRequest:
      "no certificate request (PKCS #10, as PEM of at most 8192 bytes) that is signed by its own P-256 key"
    case .invalidName(let name): "\"\(name)\" cannot be a name in a certificate"
    }
  }
}
