import KubernetesAPI
import KubernetesClient
import NIOCore
import NIOSSL
import Synchronization
import X509

/// What is known of one TLS connection: the certificate its client showed, and who that is.
final class FrontConnection: Sendable {
  private struct State {
    var certificates: [NIOSSLCertificate] = []
    var identity: Result<UserInfo?, APIStatus>?
    var isClosed = false
    var exchanges = 0
    /// When the last request ended, or the connection began.
    var quietSince = ContinuousClock.now
    var closeHandlers: [UInt64: @Sendable () -> Void] = [:]
    var nextHandler: UInt64 = 0
  }

  let channel: any Channel
  private let state = Mutex(State())

  init(channel: any Channel) { self.channel = channel }

  /// Remembers what the client showed in the handshake; nothing of it is verified yet.
  func present(_ certificates: [NIOSSLCertificate]) {
    state.withLock { $0.certificates = certificates }
  }

  /// A resumed session shows its certificate without a new verification.
  func presentIfMissing(_ certificate: NIOSSLCertificate?) {
    guard let certificate else { return }
    state.withLock { if $0.certificates.isEmpty { $0.certificates = [certificate] } }
  }

  /// Who the client is by its certificate, verified once per connection; `nil` if it showed none.
  func identity(by authenticator: Authenticator) async throws(APIStatus) -> UserInfo? {
    let (known, certificates) = state.withLock { ($0.identity, $0.certificates) }
    if let known { return try known.get() }
    guard !certificates.isEmpty else { return nil }
    let identity: Result<UserInfo?, APIStatus>
    do throws(APIStatus) {
      let chain: [Certificate]
      do { chain = try certificates.map { try Certificate(derEncoded: $0.toDERBytes()) } } catch {
        throw APIStatus(.unauthorized, "Unauthorized: the client certificate cannot be read")
      }
      identity = .success(try await authenticator.authenticate(certificates: chain))
    } catch {
      identity = .failure(error)
    }
    state.withLock { $0.identity = identity }
    return try identity.get()
  }

  /// Requests that are being answered.
  var exchanges: Int { state.withLock { $0.exchanges } }
  func beginExchange() { state.withLock { $0.exchanges += 1 } }
  func endExchange() {
    state.withLock { state in
      state.exchanges -= 1
      state.quietSince = .now
    }
  }
  /// Since when nothing is asked; `nil` while a request is being answered.
  var quietSince: ContinuousClock.Instant? { state.withLock { $0.exchanges > 0 ? nil : $0.quietSince } }

  /// Calls `handler` when the connection is closed, at once if it is already.
  /// - Returns: what `removeCloseHandler` takes.
  func onClose(_ handler: @escaping @Sendable () -> Void) -> UInt64 {
    let (identifier, isClosed) = state.withLock { state in
      state.nextHandler += 1
      if !state.isClosed { state.closeHandlers[state.nextHandler] = handler }
      return (state.nextHandler, state.isClosed)
    }
    if isClosed { handler() }
    return identifier
  }

  func removeCloseHandler(_ identifier: UInt64) {
    state.withLock { _ = $0.closeHandlers.removeValue(forKey: identifier) }
  }

  func markClosed() {
    let handlers = state.withLock { state in
      state.isClosed = true
      defer { state.closeHandlers = [:] }
      return state.closeHandlers
    }
    for handler in handlers.values { handler() }
  }
}

/// The open connections of a front, by their channels.
final class FrontConnectionTable: Sendable {
  private let connections = Mutex<[ObjectIdentifier: FrontConnection]>([:])

  var count: Int { connections.withLock { $0.count } }

  func insert(_ connection: FrontConnection) {
    connections.withLock { $0[ObjectIdentifier(connection.channel)] = connection }
  }

  func remove(_ connection: FrontConnection) {
    connections.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(connection.channel)) }
  }

  /// The connection that a request came on. Over HTTP/2 a request has a channel of its own, below the connection's.
  func connection(of channel: any Channel) -> (connection: FrontConnection, isHTTP2: Bool)? {
    connections.withLock { connections in
      if let own = connections[ObjectIdentifier(channel)] { return (own, false) }
      return channel.parent.flatMap { connections[ObjectIdentifier($0)] }.map { ($0, true) }
    }
  }

  /// Cuts every connection that is still open.
  func closeAll() {
    for connection in connections.withLock({ Array($0.values) }) { connection.channel.close(promise: nil) }
  }
}
