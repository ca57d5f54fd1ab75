import Foundation
import X509

/// The authorities of one installation, each with a key of its own below `<directory>/<name>/`, so that who holds one key
/// can pretend nothing that another one vouches for.
///
/// | directory | vouches for | held by |
/// |---|---|---|
/// | `api` | serving certificates of the API | the API server |
/// | `clients` | users and parts of the platform, as clients of the API | who makes users; the API server needs its root alone |
/// | `edge` | certificates of apps | the API server, of which the edge asks them |
///
/// `<directory>/ca.crt` is what people who visit apps trust: the roots of `edge`. Tokens of service accounts are signed with
/// keys that are no authority's (`accounts`).
public struct PlatformAuthorities: Sendable {
  public let directory: String
  public let api: CertificateAuthority
  public let clients: CertificateAuthority
  public let edge: CertificateAuthority

  /// How long what is made holds, in seconds.
  public struct Lives: Sendable, Hashable {
    /// Of roots; a successor is announced and takes their place in time (see `AuthorityFiles`).
    public var root: TimeInterval = CertificateAuthority.rootLifetime
    /// Of serving and client certificates that live in files; they are renewed when two thirds of it are over.
    public var leaf: TimeInterval = 7 * 86_400

    public init() {}
  }

  public let lives: Lives
  private let serverNames: [String]
  private let domain: String

  /// - Parameters:
  ///   - serverNames: host names of the API besides `localhost` (the node's, say).
  ///   - domain: below which apps get their host names.
  /// - Throws: `CertificateAuthorityError` if files cannot be read or written, or do not belong together.
  public static func loadOrCreate(
    directory: String, serverNames: [String] = [], domain: String, lives: Lives = Lives(), now: Date = Date()
  ) throws -> PlatformAuthorities {
    try DurableFile.makeDirectory(directory)
    try SingleRoot(directory: directory).retire(now: now)
    let names = serverNames.map { $0.lowercased() }.filter(LeafRequest.isDNSName)
    // A machine that got another name keeps its root, which everybody's kubeconfig trusts: nobody reaches the API by it.
    let apiDirectory = "\(directory)/api"
    let known = try AuthorityFiles.parse("\(apiDirectory)/ca.crt") != nil
    let authorities = PlatformAuthorities(
      directory: directory,
      api: try .loadOrCreate(
        directory: apiDirectory, purpose: .apiServer(names: known ? [] : names), now: now, lifetime: lives.root),
      clients: try clients(directory: directory, now: now, lifetime: lives.root),
      edge: try .loadOrCreate(
        directory: "\(directory)/edge", purpose: .edge(domain: domain), now: now, lifetime: lives.root),
      lives: lives, serverNames: serverNames, domain: domain)
    let trust = authorities.edge.trustPEM
    if try DurableFile.read("\(directory)/ca.crt") != Array(trust.utf8) {
      try DurableFile.write(trust, to: "\(directory)/ca.crt", mode: 0o644)
    }
    return authorities
  }

  /// The authorities as they are now: whose time has come has its successor, and what others made is seen.
  public func reloaded(now: Date = Date()) throws -> PlatformAuthorities {
    try .loadOrCreate(directory: directory, serverNames: serverNames, domain: domain, lives: lives, now: now)
  }

  /// The clients' authority alone: for who makes users.
  public static func clients(directory: String, now: Date = Date(), lifetime: TimeInterval? = nil) throws
    -> CertificateAuthority
  {
    try .loadOrCreate(directory: "\(directory)/clients", purpose: .clients, now: now, lifetime: lifetime)
  }

  /// The certificate that the API serves with now, kept in `api/`, and renewed when it is due.
  ///
  /// Where all was one root before, the last certificate that it signed is served until two thirds of its time are over:
  /// kubeconfigs from then trust nothing else, and those of now trust both.
  /// - Parameter addresses: by which it is reached besides the loopback address.
  public func serverCertificate(names: [String], addresses: [String] = [], now: Date = Date()) throws
    -> IssuedCertificate
  {
    if let earlier = try SingleRoot(directory: directory).serverCertificate(trustedBy: api, now: now) { return earlier }
    return try api.loadOrIssue(
      "apiserver", in: "\(directory)/api",
      .server(
        commonName: "nagaya-apiserver", dnsNames: api.permitted(["localhost"] + names.filter { $0 != "localhost" }),
        ipAddresses: ["127.0.0.1"] + addresses), now: now, lifetime: lives.leaf)
  }

  /// A client certificate that is kept in `clients/` and renewed when it is due.
  /// - Parameter name: of the file.
  public func clientCertificate(
    _ name: String, user: String, groups: [String], now: Date = Date(), lifetime: TimeInterval? = nil
  ) throws -> IssuedCertificate {
    try clients.loadOrIssue(
      name, in: "\(directory)/clients", .client(commonName: user, organizations: groups), now: now,
      lifetime: lifetime ?? lives.leaf)
  }
}
