import Foundation
import X509

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where one authority's roots lie, and when each is of use.
///
/// `ca.crt` and `ca.key` sign. `next.crt` and `next.key` are made when 60 % of the root's time is over and take its place at
/// 80 %: in between everybody who fetches the trust bundle learns of it, so that nobody is surprised. Roots that signed
/// before lie in `previous/`, trusted until they expire; their keys are gone, so they vouch for nothing new.
struct AuthorityFiles {
  let directory: String

  var certificate: String { "\(directory)/ca.crt" }
  var key: String { "\(directory)/ca.key" }
  var nextCertificate: String { "\(directory)/next.crt" }
  var nextKey: String { "\(directory)/next.key" }
  var previous: String { "\(directory)/previous" }

  static let announceShare = 0.6
  static let replaceShare = 0.8

  /// Which share of the certificate's time is over; it begins when it was made.
  static func age(of certificate: Certificate, at now: Date) -> Double {
    let made = certificate.notValidBefore.addingTimeInterval(CertificateAuthority.backdating)
    let lifetime = certificate.notValidAfter.timeIntervalSince(made)
    return lifetime > 0 ? now.timeIntervalSince(made) / lifetime : 1
  }

  /// Keeps others out as long as it lives: processes of one instance may find a root due at the same moment.
  final class Turn {
    private let descriptor: Int32

    /// Waits for its turn.
    init(_ directory: String) throws(CertificateAuthorityError) {
      descriptor = open("\(directory)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      while descriptor >= 0, flock(descriptor, LOCK_EX) != 0 {
        if errno == EINTR { continue }
        break
      }
      guard descriptor >= 0 else {
        throw .file(path: "\(directory)/lock", action: "open", reason: String(cString: strerror(errno)))
      }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
  }

  static func parse(_ path: String) throws -> Certificate? {
    guard let bytes = try DurableFile.read(path) else { return nil }
    do { return try Certificate(pemEncoded: String(decoding: bytes, as: UTF8.self)) } catch {
      throw CertificateAuthorityError.malformed(path: path, reason: "\(error)")
    }
  }

  /// Roots besides the current one that are to be trusted now.
  func otherRoots(now: Date) throws -> [Certificate] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: previous)) ?? []
    let paths = [nextCertificate] + names.sorted().filter { $0.hasSuffix(".crt") }.map { "\(previous)/\($0)" }
    return try paths.compactMap(Self.parse).filter { now < $0.notValidAfter }
  }

  /// Keeps a root that signs no more, for those who hold what it signed.
  func retire(_ certificate: Certificate) throws {
    try DurableFile.makeDirectory(previous)
    let serial = certificate.serialNumber.bytes.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    try DurableFile.write(
      try certificate.serializeAsPEM().pemString + "\n", to: "\(previous)/\(serial).crt", mode: 0o644)
  }

  /// Puts the announced root in the current one's place. Each step may be the last before a crash: the next start begins
  /// again, and finds either pair whole or the new key with a certificate that is not its own, which is replaced.
  func replace(_ certificate: Certificate) throws {
    guard let next = try DurableFile.read(nextCertificate), let nextKey = try DurableFile.read(nextKey) else { return }
    try retire(certificate)
    try DurableFile.remove(key)
    try DurableFile.write(String(decoding: next, as: UTF8.self), to: self.certificate, mode: 0o644)
    try DurableFile.write(String(decoding: nextKey, as: UTF8.self), to: key, mode: 0o600)
    try DurableFile.remove(nextCertificate)
    try DurableFile.remove(self.nextKey)
  }

  /// Ends a replacement that a crash cut short: the current key is gone, the announced one is there.
  func resumeReplacement() throws {
    guard let next = try DurableFile.read(nextCertificate), let nextKey = try DurableFile.read(nextKey) else { return }
    let isDone = try DurableFile.read(certificate) == next && DurableFile.read(key) == nextKey
    guard try isDone || DurableFile.read(key) == nil else { return }
    try DurableFile.write(String(decoding: next, as: UTF8.self), to: certificate, mode: 0o644)
    try DurableFile.write(String(decoding: nextKey, as: UTF8.self), to: key, mode: 0o600)
    try DurableFile.remove(nextCertificate)
    try DurableFile.remove(self.nextKey)
  }
}
