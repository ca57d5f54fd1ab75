public import Foundation
import SwiftASN1
import X509

/// What a certificate says about itself, unverified: for people who look at files.
public struct CertificateFacts: Sendable, Hashable {
  public let subject: String
  public let notBefore: Date
  public let notAfter: Date

  /// All certificates of a PEM file.
  /// - Throws: if one cannot be read, or there is none.
  public static func all(in text: String) throws -> [CertificateFacts] {
    let documents = try PEMDocument.parseMultiple(pemString: text)
    guard !documents.isEmpty else { throw CertificateFactsError.none }
    return try documents.map {
      let certificate = try Certificate(pemDocument: $0)
      return CertificateFacts(
        subject: "\(certificate.subject)", notBefore: certificate.notValidBefore, notAfter: certificate.notValidAfter)
    }
  }
}

enum CertificateFactsError: Error, CustomStringConvertible {
  case none

  var description: String { "it holds no certificate" }
}
