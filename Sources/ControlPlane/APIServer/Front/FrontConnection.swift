import KubernetesAPI
import KubernetesClient
import Locking
import NIOCore
import NIOSSL
import X509

/// What is known of one TLS connection: the certificate its client showed, and who that is.
final class FrontConnection: Sendable {
  private struct State {
    var certificates: [NIOSSLCertificate] = []
    var identity: Result<UserInfo?, APIStatus>?
    /// The client's own, once it was accepted.
    var leaf: Certificate?
    var isClosed = false
    var exchanges = 0
    /// Whether a request came at all.
    var hasAsked = false
    /// When the last request ended, or the connection began.
    var quietSince = ContinuousClock.now
    var closeHandlers: [UInt64: @Sendable () -> Void] = [:]
    var nextHandler: UInt64 = 0
    var work: [UInt64: Task<Void, Never>] = [:]
    var nextWork: UInt64 = 0
    var isCancelled = false
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
    let (known, certificates, leaf) = state.withLock { ($0.identity, $0.certificates, $0.leaf) }
    if let known {
      let user = try known.get()
      // What was accepted with the first request may have been taken back since.
      if let user, let leaf, !authenticator.stillHolds(leaf, of: user) {
        throw APIStatus(.unauthorized, "Unauthorized: the client certificate has expired or was revoked")
      }
      return user
    }
    guard !certificates.isEmpty else { return nil }
    let identity: Result<UserInfo?, APIStatus>
    var accepted: Certificate?
    do throws(APIStatus) {
      let chain: [Certificate]
      do { chain = try certificates.map { try Certificate(derEncoded: $0.toDERBytes()) } } catch {
        throw APIStatus(.unauthorized, "Unauthorized: the client certificate cannot be read")
      }
      identity = .success(try await authenticator.authenticate(certificates: chain))
      accepted = chain.first
    } catch {
      identity = .failure(error)
    }
    state.withLock { ($0.identity, $0.leaf) = (identity, accepted) }
    return try identity.get()
  }

  /// Requests that are being answered.
  var exchanges: Int { state.withLock { $0.exchanges } }
  var hasAsked: Bool { state.withLock { $0.hasAsked } }
  func beginExchange() {
    state.withLock { state in
      state.exchanges += 1
      state.hasAsked = true
    }
  }
  func endExchange() {
    state.withLock { state in
      state.exchanges -= 1
      state.quietSince = .now
    }
  }
  /// Since when nothing is asked; `nil` while a request is being answered.
  var quietSince: ContinuousClock.Instant? { state.withLock { $0.exchanges > 0 ? nil : $0.quietSince } }

  // MARK: Work

  /// Does in a task of its own what belongs to the connection; it starts even if the connection is gone or cancelled.
  func run(_ work: @escaping @Sendable () async -> Void) {
    // The task can end only once the lock is free, thus after it is noted.
    state.withLock { state in
      state.nextWork += 1
      let identifier = state.nextWork
      let task = Task {
        await work()
        self.state.withLock { _ = $0.work.removeValue(forKey: identifier) }
      }
      state.work[identifier] = task
      if state.isCancelled { task.cancel() }
    }
  }

  /// Closes the connection and cancels its work.
  func cancel() {
    let work = state.withLock { state in
      state.isCancelled = true
      return Array(state.work.values)
    }
    channel.close(promise: nil)
    for task in work { task.cancel() }
  }

  /// Waits for all work; for a connection that is closed.
  func finished() async {
    while let task = state.withLock({ $0.work.values.first }) { await task.value }
  }

  // MARK: End

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
  private struct State {
    var open: [ObjectIdentifier: FrontConnection] = [:]
    /// Nobody new is let in.
    var isClosing = false
  }

  private let state = Mutex(State())
  /// Above so many connections room is made.
  private let comfortable: Int

  /// - Parameter limit: connections at once; somebody else keeps it.
  init(limit: Int) { comfortable = max(1, limit - limit / 8) }

  var count: Int { state.withLock { $0.open.count } }

  /// Takes a connection in; one that comes after the end has begun is closed, and is not of the table.
  func insert(_ connection: FrontConnection) {
    let crowd: [FrontConnection]? = state.withLock { state in
      if state.isClosing { return nil }
      state.open[ObjectIdentifier(connection.channel)] = connection
      return state.open.count > comfortable ? Array(state.open.values) : []
    }
    guard let crowd else { return connection.cancel() }
    if !crowd.isEmpty { makeRoom(among: crowd, besides: connection) }
  }

  /// Closes connections on which nothing is asked, those first that never asked, then those that have been quiet
  /// longest, so that nobody keeps others out by connections alone. A sixteenth at a time: each search costs.
  private func makeRoom(among crowd: [FrontConnection], besides newest: FrontConnection) {
    let quiet = crowd.compactMap { connection in
      connection === newest ? nil : connection.quietSince.map { (connection, connection.hasAsked, $0) }
    }
    for (connection, _, _) in quiet.sorted(by: { ($0.1 ? 1 : 0, $0.2) < ($1.1 ? 1 : 0, $1.2) })
      .prefix(max(1, comfortable / 16))
    {
      connection.channel.close(promise: nil)
    }
  }

  func remove(_ connection: FrontConnection) {
    state.withLock { _ = $0.open.removeValue(forKey: ObjectIdentifier(connection.channel)) }
  }

  /// The connection that a request came on. Over HTTP/2 a request has a channel of its own, below the connection's.
  func connection(of channel: any Channel) -> (connection: FrontConnection, isHTTP2: Bool)? {
    state.withLock { state in
      if let own = state.open[ObjectIdentifier(channel)] { return (own, false) }
      return channel.parent.flatMap { state.open[ObjectIdentifier($0)] }.map { ($0, true) }
    }
  }

  /// Lets connections end when they have nothing to do any more, and nobody new in.
  func quiesce() {
    let open = state.withLock { state in
      state.isClosing = true
      return Array(state.open.values)
    }
    for connection in open {
      connection.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
  }

  /// Ends all connections, and those that come, and waits for what is done for them.
  func end() async {
    state.withLock { $0.isClosing = true }
    while let connection = state.withLock({ $0.open.values.first }) {
      connection.cancel()
      try? await connection.channel.closeFuture.get()
      await connection.finished()
      remove(connection)
    }
  }

  /// Cuts every connection that is still open.
  func closeAll() {
    for connection in state.withLock({ Array($0.open.values) }) { connection.channel.close(promise: nil) }
  }
}
