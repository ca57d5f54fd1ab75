import Crypto
import Foundation
import Locking
import NIOSSL
import X509

/// Wildcard certificates for the hosts of one domain, asked for when a client first names one (TLS server name).
///
/// All share one key, which lives as long as the cache and leaves it for nowhere: `LeafSigning` gets requests alone. The least
/// recently used certificates go first. One that is due is renewed beside the handshake that finds it so, and serves until it
/// ends if that fails.
public final class LeafCache: Sendable {
  /// What a TLS handshake needs.
  public struct Leaf: Sendable {
    public let certificateChain: [NIOSSLCertificateSource]
    public let privateKey: NIOSSLPrivateKeySource
    let notAfter: Date
    var renewAfter: Date
  }

  /// Why there is no certificate.
  public enum Failure: Error, Hashable, CustomStringConvertible {
    /// So many are being asked for that no more are.
    case tooManyAtOnce
    /// The answer is no certificate for our key.
    case notForThisKey

    public var description: String {
      switch self {
      case .tooManyAtOnce: "too many certificates are being asked for"
      case .notForThisKey: "the answer is no certificate for the key that was shown"
      }
    }
  }

  private struct State {
    var leaves: [String: (leaf: Leaf, lastUse: UInt64)] = [:]
    /// Asked for, and not answered yet.
    var pending: [String: Task<Leaf, any Error>] = [:]
    var uses: UInt64 = 0
    /// Certificates that were made since the start.
    var issued = 0
  }

  /// How long a renewal that failed is not tried again, in seconds.
  private static let patience: TimeInterval = 10
  /// Certificates that are asked for at the same time: whoever makes up names costs no more than this.
  static let pendingLimit = 64

  private let names: LeafNames
  private let capacity: Int
  private let signer: any LeafSigning
  private let key: Certificate.PrivateKey
  private let state = Mutex(State())

  /// - Parameters:
  ///   - domain: `localhost`; other domains' hosts get no certificate.
  ///   - capacity: certificates kept.
  public init(signer: any LeafSigning, domain: String, capacity: Int = 1024) {
    self.signer = signer
    key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    names = LeafNames(domain: domain)
    self.capacity = max(1, capacity)
  }

  /// Everything is due: the root has a successor.
  public func renew() {
    state.withLock { state in
      for name in state.leaves.keys { state.leaves[name]?.leaf.renewAfter = .distantPast }
    }
  }

  /// The certificate for a host of the domain: the domain itself, or up to three labels below it.
  /// - Returns: `nil` for hosts of other domains and for what is no host name.
  public func certificate(forHost host: String, now: Date = Date()) async throws -> Leaf? {
    guard let name = names.certificateName(forHost: host) else { return nil }
    switch try ask(name, now) {
    case .kept(let leaf): return leaf
    case .pending(let task): return try await task.value
    }
  }

  private enum Answer {
    case kept(Leaf)
    case pending(Task<Leaf, any Error>)
  }

  private func ask(_ name: String, _ now: Date) throws(Failure) -> Answer {
    try state.withLock { state throws(Failure) in
      state.uses += 1
      let kept = state.leaves[name]?.leaf
      if let kept, now < kept.notAfter {
        state.leaves[name]?.lastUse = state.uses
        if now >= kept.renewAfter, state.pending[name] == nil, state.pending.count < Self.pendingLimit {
          state.pending[name] = Task { try await self.make(name, now) }
        }
        return .kept(kept)
      }
      if let task = state.pending[name] { return .pending(task) }
      guard state.pending.count < Self.pendingLimit else { throw .tooManyAtOnce }
      let task = Task { try await self.make(name, now) }
      state.pending[name] = task
      return .pending(task)
    }
  }

  private func make(_ name: String, _ now: Date) async throws -> Leaf {
    do {
      let leaf = try await signed(name, now)
      state.withLock { state in
        state.pending[name] = nil
        state.issued += 1
        if state.leaves.count >= capacity, state.leaves[name] == nil,
          let oldest = state.leaves.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
          state.leaves[oldest.key] = nil
        }
        state.leaves[name] = (leaf, state.uses)
      }
      return leaf
    } catch {
      state.withLock { state in
        state.pending[name] = nil
        state.leaves[name]?.leaf.renewAfter = now.addingTimeInterval(Self.patience)
      }
      throw error
    }
  }

  private func signed(_ name: String, _ now: Date) async throws -> Leaf {
    let subject = try DistinguishedName { CommonName(String(name.prefix(LeafRequest.commonNameLimit))) }
    let request = try CertificateSigningRequest(
      version: .v1, subject: subject, privateKey: key, attributes: CertificateSigningRequest.Attributes(),
      signatureAlgorithm: .ecdsaWithSHA256)
    // Any host that the name covers.
    let host = name.hasPrefix("*") ? "app\(name.dropFirst())" : name
    let answer = try await signer.sign(host: host, request: try request.serializeAsPEM().pemString)
    let certificate = try Certificate(pemEncoded: answer)
    guard certificate.publicKey == key.publicKey else { throw Failure.notForThisKey }
    return Leaf(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(answer.utf8)).map { .certificate($0) },
      privateKey: .privateKey(
        try NIOSSLPrivateKey(bytes: Array(try key.serializeAsPEM().pemString.utf8), format: .pem)),
      notAfter: certificate.notValidAfter,
      renewAfter: now.addingTimeInterval(certificate.notValidAfter.timeIntervalSince(now) * 2 / 3))
  }

  /// What `TLSConfiguration.sslContextCallback` takes: the certificate by the client's server name; the
  /// domain's own for clients that name no host of it.
  public var contextCallback: NIOSSLContextCallback {
    { [self] client, promise in
      let host = client.serverHostname.flatMap { names.certificateName(forHost: $0) } ?? names.domain
      do {
        switch try ask(host, Date()) {
        case .kept(let leaf): promise.succeed(Self.override(leaf))
        case .pending(let task): promise.completeWithTask { Self.override(try await task.value) }
        }
      } catch { promise.fail(error) }
    }
  }

  private static func override(_ leaf: Leaf) -> NIOSSLContextConfigurationOverride {
    var override = NIOSSLContextConfigurationOverride()
    override.certificateChain = leaf.certificateChain
    override.privateKey = leaf.privateKey
    return override
  }

  var counts: (kept: Int, issued: Int) { state.withLock { ($0.leaves.count, $0.issued) } }
}
