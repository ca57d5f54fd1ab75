import Locking
import SwiftASN1
import X509

/// The roots by which clients are known; they can be replaced while everything runs.
final class TrustedRoots: Sendable {
  private let state: Mutex<(roots: [Certificate], pem: String)>

  init(_ roots: [Certificate], pem: String) { state = Mutex((roots, pem)) }

  /// - Throws: what is wrong with the PEM text, or that it holds no certificate.
  init(pem: String) throws { state = Mutex(try Self.parsed(pem)) }

  var current: (roots: [Certificate], pem: String) { state.withLock { $0 } }

  /// What cannot be read replaces nothing.
  func replace(pem: String) throws {
    let new = try Self.parsed(pem)
    state.withLock { $0 = new }
  }

  private static func parsed(_ pem: String) throws -> (roots: [Certificate], pem: String) {
    (try PEMDocument.parseMultiple(pemString: pem).map { try Certificate(pemDocument: $0) }, pem)
  }
}
