import CertificateAuthority
import Foundation

extension Examination {
  /// Certificates that ran out or will soon, and keys that others can read.
  func credentials(now: Date = Date()) -> [Diagnosis] {
    let files = Self.files(below: layout.pki)
    guard !files.isEmpty else { return [Diagnosis(.notice, "credentials", "no certificates were made yet")] }
    var found: [Diagnosis] = []
    for file in files where file.isReadableByOthers && !file.path.hasSuffix(".crt") {
      found.append(
        Diagnosis(
          .error, "credentials", "\(file.path) can be read by other users than root",
          remedy:
            "chmod go= \(file.path); if others work on this machine, take its holder's rights away (nagaya revoke)"))
    }
    for file in files where file.path.hasSuffix(".crt") {
      guard let text = try? String(contentsOfFile: file.path, encoding: .utf8) else { continue }
      do { found += try Self.lives(CertificateFacts.all(in: text), in: file.path, now: now) } catch {
        found.append(
          Diagnosis(
            .error, "credentials", "\(file.path) is no certificate: \(error)",
            remedy: "put it back from your backup, or remove it with its .key: the next start makes another"))
      }
    }
    if found.isEmpty {
      found.append(Diagnosis(.ok, "credentials", "\(files.count) keys and certificates are in order"))
    }
    return found
  }

  /// Nagaya renews its own in time; what has less than a tenth of its life was not renewed.
  private static func lives(_ certificates: [CertificateFacts], in path: String, now: Date) -> [Diagnosis] {
    certificates.compactMap { certificate in
      let left = certificate.notAfter.timeIntervalSince(now)
      guard left < certificate.notAfter.timeIntervalSince(certificate.notBefore) / 10 else { return nil }
      let day = certificate.notAfter.formatted(.iso8601)
      return Diagnosis(
        left <= 0 ? .error : .warning, "credentials",
        "\(path) (\(certificate.subject)) \(left <= 0 ? "ran out" : "runs out") on \(day)",
        remedy: "Nagaya renews it while it runs: see `nagaya status`; an old file of a part that is gone may be removed"
      )
    }
  }

  private struct CredentialFile {
    let path: String
    let isReadableByOthers: Bool
  }

  private static func files(below directory: String) -> [CredentialFile] {
    guard let names = FileManager.default.enumerator(atPath: directory) else { return [] }
    return names.compactMap { $0 as? String }.sorted().compactMap { name in
      let path = "\(directory)/\(name)"
      guard let facts = try? FileManager.default.attributesOfItem(atPath: path),
        facts[.type] as? FileAttributeType == .typeRegular, let mode = facts[.posixPermissions] as? Int
      else { return nil }
      return CredentialFile(path: path, isReadableByOthers: mode & 0o077 != 0)
    }
  }
}
