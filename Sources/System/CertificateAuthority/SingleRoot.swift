import Foundation
import X509

/// Takes an installation over whose API, clients and apps had one root (`ca.crt` with `ca.key` in the directory itself).
///
/// The root's key is destroyed: the edge held it, and with it anybody could have been made. The root's certificate stays
/// trusted for what it signed, which runs out: users' kubeconfigs go on, without being able to become anything else. The
/// edge begins with a new root, which people who visit apps import anew: it vouches for the apps' domain alone.
struct SingleRoot {
  let directory: String

  private var servedCertificate: String { "\(directory)/api/previous/apiserver.pem" }
  private var servedKey: String { "\(directory)/api/previous/apiserver.key" }

  /// Does nothing where there is no single root. A crash on the way is made good by the next call: the key goes last.
  func retire(now: Date) throws {
    let keyPath = "\(directory)/ca.key"
    guard try DurableFile.read(keyPath) != nil else { return }
    if let root = try AuthorityFiles.parse("\(directory)/ca.crt"), now < root.notValidAfter {
      for name in ["api", "clients"] {
        let files = AuthorityFiles(directory: "\(directory)/\(name)")
        try DurableFile.makeDirectory(files.directory)
        try files.retire(root)
      }
    }
    if let certificate = try DurableFile.read("\(directory)/apiserver.crt"),
      let key = try DurableFile.read("\(directory)/apiserver.key")
    {
      try DurableFile.write(String(decoding: key, as: UTF8.self), to: servedKey, mode: 0o600)
      try DurableFile.write(String(decoding: certificate, as: UTF8.self), to: servedCertificate, mode: 0o644)
    }
    for name in ["apiserver", "admin"] {
      try DurableFile.remove("\(directory)/\(name).key")
      try DurableFile.remove("\(directory)/\(name).crt")
    }
    try DurableFile.remove(keyPath)
  }

  /// The last certificate that the single root signed for the API, while it has a third of its time left.
  func serverCertificate(trustedBy api: CertificateAuthority, now: Date) throws -> IssuedCertificate? {
    guard let certificate = try DurableFile.read(servedCertificate), let key = try DurableFile.read(servedKey),
      let kept = IssuedCertificate(
        certificatePEM: String(decoding: certificate, as: UTF8.self),
        privateKeyPEM: String(decoding: key, as: UTF8.self))
    else { return nil }
    let isTrusted = api.roots.contains {
      $0.publicKey.isValidSignature(kept.certificate.signature, for: kept.certificate)
    }
    guard isTrusted, AuthorityFiles.age(of: kept.certificate, at: now) < 2.0 / 3 else {
      try DurableFile.remove(servedKey)
      try DurableFile.remove(servedCertificate)
      return nil
    }
    return kept
  }
}
