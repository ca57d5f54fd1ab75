import NIOCore

/// Where the edge listens, which hosts are its own, and what it grants a client and an app.
public struct EdgeConfiguration: Sendable {
  /// An IP address; `0.0.0.0` for all.
  public var address: String
  /// 0 takes any free port.
  public var port: Int
  /// A socket that listens, which is used instead of address and port, and closed at the end.
  public var socket: Int32?
  /// Hosts are `<app>.<environment>.<tenant>.<domain>`.
  public var domain: String
  public var limits: Limits

  public init(address: String = "0.0.0.0", port: Int = 8443, domain: String, limits: Limits = Limits()) {
    self.address = address
    self.port = port
    self.domain = domain
    self.limits = limits
  }

  /// Whether browsers take each tenant for a site of its own without being told: below a domain of one label, as
  /// `localhost`, they do (the public suffix list's default rule). Below others, cookies that scripts set and browsers'
  /// idea of "same site" reach over tenants until the domain is on the list.
  public static func tenantsAreSites(below domain: String) -> Bool { !domain.contains(".") }

  /// What an administrator of such a domain must know; `nil` if nothing.
  public static func siteAdvice(for domain: String) -> String? {
    guard !tenantsAreSites(below: domain) else { return nil }
    return "browsers do not know that every name below \(domain) is another tenant's: the edge keeps the cookies that "
      + "apps set in their answers within <tenant>.\(domain), but a script in a page can still set one for all of "
      + "\(domain). Ask for an entry of \(domain) in the public suffix list (https://publicsuffix.org/submit/), or "
      + "let only tenants that trust each other use this instance"
  }

  public struct Limits: Sendable {
    /// Bytes of all header fields of a request, names and values; more is answered 431.
    public var headerBytes = 32 << 10
    /// Open client connections; for further ones the longest idle one of whoever has most is closed.
    public var connections = 10_000
    /// Of one client: an IPv4 address, or the /64 of an IPv6 address.
    public var connectionsPerClient = 1000
    /// Frames that are read from one HTTP/2 connection; a client that sends more waits.
    public var framesPerSecond = 20_000
    /// Requests at a time for one app; more are answered 503 with `Retry-After`.
    public var requestsPerApp = 1000
    /// Until the TLS handshake is done.
    public var handshake: TimeAmount = .seconds(10)
    /// Until the first request of a connection is complete up to its body.
    public var firstRequest: TimeAmount = .seconds(20)
    /// Between requests of a kept connection, also of HTTP/2.
    public var keepAlive: TimeAmount = .seconds(75)
    /// Until a pod accepts the connection.
    public var connect: TimeAmount = .seconds(3)
    /// From the end of the request to the head of the response; then 504.
    public var response: TimeAmount = .seconds(60)
    /// Without a byte in either direction under way, of bodies and of upgraded connections.
    public var silence: TimeAmount = .seconds(600)
    /// An unused connection to a pod is closed after this; shorter than what common servers grant (5 s),
    /// so that it is rarely the pod who closes it in the moment of its use.
    public var upstreamKeepAlive: TimeAmount = .seconds(4)
    /// Unused connections kept per pod and event loop.
    public var upstreamIdleConnections = 32
    /// Bytes of a request's body that are read and dropped after the answer was given early.
    public var discardedBodyBytes = 1 << 20
    /// How long requests under way may go on when the edge is asked to stop.
    public var drain: TimeAmount = .seconds(10)

    public init() {}
  }
}
