import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// A root certificate with its key: makes certificates that everyone who trusts the root accepts (RFC 5280, P-256).
public struct CertificateAuthority: Sendable {
  /// The root's certificate, as PEM.
  public let certificatePEM: String
  /// What clients trust (`--cacert`, `certificate-authority-data`), as PEM: the root, the one that is to follow it, and those
  /// before it of which certificates still hold.
  public let trustPEM: String
  let certificate: Certificate
  /// All that `trustPEM` holds.
  public let roots: [Certificate]
  private let privateKey: Certificate.PrivateKey

  /// How long things hold.
  static let rootLifetime: TimeInterval = 10 * 365 * 86_400
  static let leafLifetime: TimeInterval = 365 * 86_400
  /// Clocks of machines differ a little; certificates begin this much in the past.
  public static let backdating: TimeInterval = 300

  private init(
    certificate: Certificate, privateKey: Certificate.PrivateKey, others: [Certificate] = []
  ) throws {
    self.certificate = certificate
    self.privateKey = privateKey
    certificatePEM = try certificate.serializeAsPEM().pemString + "\n"
    roots = [certificate] + others.filter { $0 != certificate }
    trustPEM = try roots.map { try $0.serializeAsPEM().pemString + "\n" }.joined()
  }

  /// The authority of `directory`, made if it is not there, and replaced in time by a new one (see `AuthorityFiles`).
  ///
  /// A root that was made for less than `purpose` asks (another domain) is replaced at once.
  /// - Parameter lifetime: seconds that a new root holds; ten years unless something else is said.
  public static func loadOrCreate(
    directory: String, purpose: AuthorityPurpose, now: Date = Date(), lifetime: TimeInterval? = nil
  ) throws -> CertificateAuthority {
    try DurableFile.makeDirectory(directory)
    let turn = try AuthorityFiles.Turn(directory)
    defer { withExtendedLifetime(turn) {} }
    let files = AuthorityFiles(directory: directory)
    try files.resumeReplacement()
    var authority = try load(files, purpose, now: now, lifetime: lifetime)
    if try !authority.serves(purpose) {
      try files.retire(authority.certificate)
      try DurableFile.remove(files.certificate)
      try DurableFile.remove(files.key)
      authority = try load(files, purpose, now: now, lifetime: lifetime)
    }
    let age = AuthorityFiles.age(of: authority.certificate, at: now)
    if age >= AuthorityFiles.announceShare, try DurableFile.read(files.nextCertificate) == nil {
      let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
      try DurableFile.write(try key.serializeAsPEM().pemString + "\n", to: files.nextKey, mode: 0o600)
      _ = try create(
        key: key, certificatePath: files.nextCertificate, purpose: purpose, now: now, lifetime: lifetime)
    }
    if age >= AuthorityFiles.replaceShare {
      try files.replace(authority.certificate)
      authority = try load(files, purpose, now: now, lifetime: lifetime)
    }
    return try CertificateAuthority(
      certificate: authority.certificate, privateKey: authority.privateKey, others: try files.otherRoots(now: now))
  }

  /// An expired root, of a machine that was off for long, is replaced like one that is due.
  private static func load(
    _ files: AuthorityFiles, _ purpose: AuthorityPurpose, now: Date, lifetime: TimeInterval?
  ) throws -> CertificateAuthority {
    if let kept = try AuthorityFiles.parse(files.certificate), now >= kept.notValidAfter {
      try DurableFile.remove(files.certificate)
      try DurableFile.remove(files.key)
      try files.resumeReplacement()
    }
    return try load(directory: files.directory, purpose: purpose, now: now, lifetime: lifetime)
  }

  private func serves(_ purpose: AuthorityPurpose) throws -> Bool {
    let constraints = try certificate.extensions.nameConstraints
    return purpose.permittedDomains.allSatisfy { constraints?.permits(.dnsName($0)) ?? true }
  }

  /// The authority of `directory` that vouches for anything, made if neither file is there.
  public static func loadOrCreate(directory: String, now: Date = Date()) throws -> CertificateAuthority {
    try load(directory: directory, purpose: .general, now: now, lifetime: nil)
  }

  /// The authority of `directory` (`ca.crt`, `ca.key`), made if neither file is there.
  ///
  /// The key is written first: a crash between the two leaves a key without certificate, which is then signed anew.
  /// The directory is readable by its owner alone (0700), the key too (0600).
  /// - Throws: `CertificateAuthorityError` if files cannot be read or written, or do not belong together.
  private static func load(
    directory: String, purpose: AuthorityPurpose, now: Date, lifetime: TimeInterval?
  ) throws -> CertificateAuthority {
    try DurableFile.makeDirectory(directory)
    let (certificatePath, keyPath) = ("\(directory)/ca.crt", "\(directory)/ca.key")
    let certificateText = try DurableFile.read(certificatePath)
    let keyText = try DurableFile.read(keyPath)
    guard let keyText else {
      if certificateText != nil {
        throw CertificateAuthorityError.keyMissing(certificate: certificatePath, key: keyPath)
      }
      let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
      try DurableFile.write(try key.serializeAsPEM().pemString + "\n", to: keyPath, mode: 0o600)
      return try create(
        key: key, certificatePath: certificatePath, purpose: purpose, now: now, lifetime: lifetime)
    }
    let key: Certificate.PrivateKey
    do { key = try Certificate.PrivateKey(pemEncoded: String(decoding: keyText, as: UTF8.self)) } catch {
      throw CertificateAuthorityError.malformed(path: keyPath, reason: "\(error)")
    }
    guard let certificateText else {
      return try create(
        key: key, certificatePath: certificatePath, purpose: purpose, now: now, lifetime: lifetime)
    }
    let certificate: Certificate
    do { certificate = try Certificate(pemEncoded: String(decoding: certificateText, as: UTF8.self)) } catch {
      throw CertificateAuthorityError.malformed(path: certificatePath, reason: "\(error)")
    }
    guard certificate.publicKey == key.publicKey else {
      throw CertificateAuthorityError.keyMismatch(certificate: certificatePath, key: keyPath)
    }
    guard now < certificate.notValidAfter else {
      throw CertificateAuthorityError.expired(
        path: certificatePath, at: certificate.notValidAfter.formatted(.iso8601))
    }
    return try CertificateAuthority(certificate: certificate, privateKey: key)
  }

  private static func create(
    key: Certificate.PrivateKey, certificatePath: String, purpose: AuthorityPurpose, now: Date,
    lifetime: TimeInterval?
  ) throws -> CertificateAuthority {
    let constraints = try purpose.nameConstraints()
    let serial = Certificate.SerialNumber()
    let suffix = serial.bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    // The suffix tells the authorities of several installations apart in browsers' lists.
    let name = try DistinguishedName {
      OrganizationName("Nagaya")
      CommonName("\(purpose.title) \(suffix)")
    }
    let certificate = try Certificate(
      version: .v3, serialNumber: serial, publicKey: key.publicKey,
      notValidBefore: now.addingTimeInterval(-backdating),
      notValidAfter: now.addingTimeInterval(lifetime ?? rootLifetime),
      issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(keyCertSign: true, cRLSign: true))
        if let usage = purpose.usage { try ExtendedKeyUsage([usage]) }
        if let constraints { Critical(constraints) }
        SubjectKeyIdentifier(hash: key.publicKey)
      }, issuerPrivateKey: key)
    let authority = try CertificateAuthority(certificate: certificate, privateKey: key)
    try DurableFile.write(authority.certificatePEM, to: certificatePath, mode: 0o644)
    return authority
  }

  // MARK: Issuing

  /// A certificate for a TLS server that is reached by `dnsNames` and `ipAddresses`.
  public func issueServer(commonName: String, dnsNames: [String], ipAddresses: [String] = []) throws
    -> IssuedCertificate
  {
    try issue(.server(commonName: commonName, dnsNames: dnsNames, ipAddresses: ipAddresses))
  }

  /// A certificate that makes its holder the user `commonName`, member of the groups `organizations`.
  public func issueClient(commonName: String, organizations: [String] = []) throws -> IssuedCertificate {
    try issue(.client(commonName: commonName, organizations: organizations))
  }

  /// A certificate with a new key.
  /// - Parameter lifetime: seconds; never longer than the root's own.
  public func issue(
    _ request: LeafRequest, now: Date = Date(), lifetime: TimeInterval? = nil
  ) throws -> IssuedCertificate {
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    return try IssuedCertificate(
      certificate: leafCertificate(request, for: key.publicKey, now: now, lifetime: lifetime), privateKey: key)
  }

  func leafCertificate(
    _ request: LeafRequest, for key: Certificate.PublicKey, now: Date, lifetime: TimeInterval?
  ) throws -> Certificate {
    // Certificates know whole seconds, and the library rounds: one that was issued before another thing must not say later.
    let now = Date(timeIntervalSince1970: now.timeIntervalSince1970.rounded(.down))
    let end = min(now.addingTimeInterval(lifetime ?? Self.leafLifetime), certificate.notValidAfter)
    let begin = min(now, end).addingTimeInterval(-Self.backdating)
    let names = try request.alternativeNames()
    try checkPurpose(request, names)
    let issuerKeyIdentifier = try certificate.extensions.subjectKeyIdentifier?.keyIdentifier
    return try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key,
      notValidBefore: begin, notValidAfter: end, issuer: certificate.subject, subject: try request.subject(),
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([request.usage])
        SubjectKeyIdentifier(hash: key)
        AuthorityKeyIdentifier(keyIdentifier: issuerKeyIdentifier)
        if !names.isEmpty { SubjectAlternativeNames(names) }
      }, issuerPrivateKey: privateKey)
  }

  /// Refuses what the root's own extensions do not cover: nobody would accept it.
  private func checkPurpose(_ request: LeafRequest, _ names: [GeneralName]) throws {
    if let usages = try certificate.extensions.extendedKeyUsage, !usages.contains(request.usage) {
      throw CertificateAuthorityError.notForThisPurpose(authority: "\(certificate.subject)", what: request.purposeText)
    }
    guard let constraints = try certificate.extensions.nameConstraints else { return }
    for name in names where !constraints.permits(name) {
      throw CertificateAuthorityError.notForThisPurpose(authority: "\(certificate.subject)", what: "the name \(name)")
    }
  }

  /// Those of `names` that the authority can vouch for.
  public func permitted(_ names: [String]) -> [String] {
    let constraints = try? certificate.extensions.nameConstraints
    return names.filter { LeafRequest.isDNSName($0) && constraints?.permits(.dnsName($0)) ?? true }
  }

  /// The certificate kept in `<directory>/<name>.crt` and `.key`, issued anew when it is missing or broken, signed by
  /// another root, says something else than `request`, or has less than a third of its time left.
  /// - Parameter lifetime: seconds of a new one; a year unless something else is said.
  public func loadOrIssue(
    _ name: String, in directory: String, _ request: LeafRequest, now: Date = Date(), lifetime: TimeInterval? = nil
  ) throws -> IssuedCertificate {
    try DurableFile.makeDirectory(directory)
    let (certificatePath, keyPath) = ("\(directory)/\(name).crt", "\(directory)/\(name).key")
    if let certificateText = try DurableFile.read(certificatePath), let keyText = try DurableFile.read(keyPath),
      let kept = IssuedCertificate(
        certificatePEM: String(decoding: certificateText, as: UTF8.self),
        privateKeyPEM: String(decoding: keyText, as: UTF8.self)),
      try isCurrent(kept, for: request, now: now)
    {
      return kept
    }
    let issued = try issue(request, now: now, lifetime: lifetime)
    try DurableFile.write(issued.privateKeyPEM, to: keyPath, mode: 0o600)
    try DurableFile.write(issued.certificatePEM, to: certificatePath, mode: 0o644)
    return issued
  }

  func isCurrent(_ leaf: IssuedCertificate, for request: LeafRequest, now: Date) throws -> Bool {
    let kept = leaf.certificate
    let lifetime = kept.notValidAfter.timeIntervalSince(kept.notValidBefore) - Self.backdating
    let keptNames = try kept.extensions.subjectAlternativeNames.map(Array.init) ?? []
    let keptUsage = try kept.extensions.extendedKeyUsage
    let (subject, names) = (try request.subject(), try request.alternativeNames())
    return certificate.publicKey.isValidSignature(kept.signature, for: kept)
      && kept.subject == subject && keptNames == names
      && keptUsage?.contains(request.usage) == true
      && kept.notValidAfter.timeIntervalSince(now) > lifetime / 3
  }

  /// What `TLSConfiguration.trustRoots` takes.
  public func trustRoots() throws -> NIOSSLTrustRoots {
    .certificates(try NIOSSLCertificate.fromPEMBytes(Array(trustPEM.utf8)))
  }
}
