import JSONDocument
import Locking
import Logging
import NIOHTTP1
import OCI

/// Sends requests of the API to hosts: tokens, redirects, limits of concurrency, other hosts when one fails, and pauses.
final class RegistryExchange: Sendable {
  let configuration: RegistryConfiguration
  private let wire: HTTPWire
  private let hosts: HostsDirectory
  private let authenticator: Authenticator
  private let redirects = RedirectCache()
  private let gates = Mutex<[String: HostGate]>([:])
  /// Hosts that did not answer, and until when they are asked last.
  private let shunned = Mutex<[String: ContinuousClock.Instant]>([:])
  let statistics = StatisticsByHost()
  private let logger: Logger

  init(_ configuration: RegistryConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
    wire = HTTPWire(configuration)
    hosts = HostsDirectory(configuration.hostsDirectory)
    authenticator = Authenticator(wire: wire, sources: configuration.credentials, logger: logger)
  }

  deinit { wire.shutdownLater() }

  func shutdown() async { await wire.shutdown() }

  // MARK: Over all hosts, again and again

  /// Tries the hosts of an image in their order until one serves the request; then again after a pause, if the failure may
  /// pass.
  ///
  /// - Parameters:
  ///   - progress: bytes got so far. As long as they grow, rounds are not counted.
  ///   - serve: what is done at one host.
  /// - Throws: `RegistryError`, or whatever else `serve` throws, at once.
  func withHosts<Result>(
    of image: ImageReference, _ capability: RegistryHost.Capability, progress: () -> Int64 = { 0 },
    _ serve: (RegistryHost) async throws -> Result
  ) async throws -> Result {
    let candidates = try hosts.hosts(for: image.registry).filter { $0.capabilities.contains(capability) }
    guard !candidates.isEmpty else {
      throw RegistryError(
        .misconfigured, host: image.registry, repository: image.repository,
        reason: "hosts.toml names no host with the capability \(capability.rawValue)")
    }
    var rounds = 0
    while true {
      let before = progress()
      var passing: RegistryError?
      var last: RegistryError?
      for host in ordered(candidates) {
        do { return try await serve(host) } catch let error as RegistryError {
          if error.kind == .cancelled { throw CancellationError() }
          logger.debug("a registry failed", metadata: ["error": "\(error)"])
          if error.isTransient {
            if candidates.count > 1 { shun(host) }
            // The shortest wait of all hosts counts.
            if passing.map({ ($0.retryAfter ?? .zero) > (error.retryAfter ?? .zero) }) ?? true { passing = error }
          }
          last = error
        }
      }
      guard let error = passing else { throw last ?? CancellationError() }
      rounds = progress() > before ? 1 : rounds + 1
      try await pause(after: error, rounds)
      statistics.count(error.host) { $0.retries += 1 }
    }
  }

  /// Hosts that failed a moment ago come last.
  private func ordered(_ hosts: [RegistryHost]) -> [RegistryHost] {
    guard hosts.count > 1 else { return hosts }
    let now = ContinuousClock.now
    let shunned = shunned.withLock { $0.filter { $0.value > now } }
    return hosts.filter { shunned[$0.api.origin] == nil } + hosts.filter { shunned[$0.api.origin] != nil }
  }

  private func shun(_ host: RegistryHost) {
    shunned.withLock {
      if $0.count > 1000 { $0.removeAll() }
      $0[host.api.origin] = .now + .seconds(10)
    }
  }

  private func pause(after error: RegistryError, _ rounds: Int) async throws {
    let policy = configuration.retries
    guard rounds < policy.attempts else { throw error }
    let own = policy.pause(after: rounds)
    var pause = own * Double.random(in: 0.5...1)
    if let wanted = error.retryAfter {
      guard wanted <= policy.longestRetryAfter else { throw error }
      // A little later than asked, each of us by another amount.
      pause = max(pause, wanted + own * Double.random(in: 0...0.5))
    }
    try await Task.sleep(for: pause)
  }

  // MARK: At one host

  /// Sends a request to one host, with what it wants to know of us, and follows where it sends us.
  ///
  /// - Parameter use: gets an answer with a status of 2xx; its place among the requests is kept until it returns.
  /// - Throws: `RegistryError`, `CancellationError`, and what `use` throws.
  func send<Result>(
    _ request: RegistryRequest, to host: RegistryHost, _ image: ImageReference,
    _ use: (HTTPWire.Answer) async throws -> Result
  ) async throws -> Result {
    let scope = Authenticator.Scope(repository: image.repository, actions: request.actions)
    var query = request.query
    if let registry = host.mirrorOf { query.append("ns=\(HTTPAddress.encode(registry))") }
    var start = host.api.appending("/\(image.repository)\(request.path)", query: query)
    if let location = request.location {
      guard let place = HTTPAddress(location, relativeTo: start) else {
        throw RegistryError(
          .malformed, host: host.name, repository: image.repository, reference: request.reference,
          reason: "it names an address that can't be used")
      }
      start = place.appending("", query: query)
    }
    var authorization = try await naming(request.reference) { try await authenticator.authorization(for: host, scope) }
    // Where a host sends one credential is not for another.
    func place(_ credential: RegistryCredential?) -> RedirectCache.Key? {
      request.blob.map {
        RedirectCache.Key(origin: start.origin, repository: image.repository, blob: $0, credential: credential)
      }
    }
    var key = place(authorization?.credential)
    var address = key.flatMap { redirects[$0] } ?? start
    var (refusals, hops, returns) = (0, 0, 0)

    func failure(_ kind: RegistryError.Kind, status: Int? = nil, _ reason: String) -> RegistryError {
      RegistryError(
        kind, host: host.name, repository: image.repository, reference: request.reference, status: status,
        reason: reason)
    }
    while true {
      let isAtHome = address.origin == host.api.origin
      var message = HTTPWire.Request(method: request.method, address: address, headers: request.headers)
      message.headers.add(name: "accept-encoding", value: "identity")
      message.body = request.body
      if isAtHome {
        for header in host.headers { message.headers.add(name: header.name, value: header.value) }
        if let header = authorization?.header { message.headers.replaceOrAdd(name: "authorization", value: header) }
        message.tls = host.trust.configuration
      } else {
        message.tls = host.trust.redirected
      }
      let step: Step<Result>
      do { step = try await one(message, request.urgency, isAtHome: isAtHome, refusals, use) } catch {
        if let failure = error as? HTTPWire.Failure {
          let prefix = isAtHome ? "" : "\(address.authority), where it keeps the bytes: "
          // A place that can't be reached any more may have been replaced by another.
          if !isAtHome, let key { redirects[key] = nil }
          throw RegistryError(
            failure, prefix, host: host.name, image.repository, reference: request.reference)
        }
        throw error
      }
      switch step {
      case .done(let result):
        if !isAtHome, let key { redirects[key] = address }
        return result
      case .redirect(let location):
        hops += 1
        guard hops <= 5 else { throw failure(.malformed, "it sends us on and on") }
        guard let next = HTTPAddress(location, relativeTo: address) else {
          throw failure(.malformed, "it sends us to an address that can't be used")
        }
        if address.isEncrypted, !next.isEncrypted {
          throw failure(.malformed, "it sends us to \(next.authority) without encryption")
        }
        address = next
      case .challenge(let challenges):
        refusals += 1
        let rejected = authorization?.header
        authorization = try await naming(request.reference) {
          try await authenticator.authorization(for: host, scope, challenges: challenges, rejected: rejected)
        }
        key = place(authorization?.credential)
      case .refused(let status, let words, let retryAfter):
        // A signed address that ran out: 403 mostly, some say 400, 401 or 404. The host is asked for a new one, once.
        if !isAtHome, [400, 401, 403, 404, 410].contains(status), returns == 0 {
          if let key { redirects[key] = nil }
          (address, hops) = (start, 0)
          returns += 1
          continue
        }
        let reason = words.isEmpty ? Self.words(status) : "\(Self.words(status)): \(words)"
        throw failure(Self.kind(status, retryAfter), status: status, reason)
      }
    }
  }

  /// Adds to errors about a whole repository what was wanted of it.
  private func naming<Result>(_ reference: String, _ body: () async throws -> Result) async throws -> Result {
    do { return try await body() } catch var error as RegistryError {
      if error.reference.isEmpty { error.reference = reference }
      throw error
    }
  }

  private enum Step<Result> {
    case done(Result)
    case redirect(String)
    case challenge([AuthenticationChallenge])
    case refused(Int, words: String, retryAfter: Duration?)
  }

  /// One request and its answer, in a place of the host's.
  private func one<Result>(
    _ message: HTTPWire.Request, _ urgency: FetchUrgency, isAtHome: Bool, _ refusals: Int,
    _ use: (HTTPWire.Answer) async throws -> Result
  ) async throws -> Step<Result> {
    let gate = gate(message.address.origin)
    let host = message.address.authority
    try await gate.enter(urgency)
    var outcome = HostGate.Outcome.failed
    defer { gate.leave(outcome) }
    statistics.count(host) { $0.requests += 1 }
    let answer = try await wire.send(message)
    switch answer.status {
    case 200..<300:
      let result = try await use(answer)
      outcome = .answered
      return .done(result)
    case 301, 302, 303, 307, 308:
      await answer.drain()
      outcome = .answered
      return .redirect(answer.headers.first(name: "location") ?? "")
    case 401 where isAtHome && refusals < 2:
      await answer.drain()
      outcome = .answered
      let challenges = answer.headers["www-authenticate"].flatMap(AuthenticationChallenge.parse)
      return .challenge(challenges)
    case let status:
      let words = Self.refusal(try? await answer.collect(limit: AnswerLimit.refusal))
      outcome = status == 429 || status == 503 ? .overloaded : .answered
      if outcome == .overloaded { statistics.count(host) { $0.throttled += 1 } }
      let retryAfter = answer.headers.first(name: "retry-after").flatMap {
        RetryAfter.duration($0, now: WallClock.seconds)
      }
      return .refused(status, words: words, retryAfter: retryAfter)
    }
  }

  private func gate(_ origin: String) -> HostGate {
    gates.withLock { gates in
      if let gate = gates[origin] { return gate }
      if gates.count > 1000 { gates.removeAll() }
      let gate = HostGate(limit: configuration.requestsPerHost)
      gates[origin] = gate
      return gate
    }
  }

  private static func kind(_ status: Int, _ retryAfter: Duration?) -> RegistryError.Kind {
    switch status {
    case 401, 403: .unauthorized
    case 404, 410: .notFound
    case 416: .refusedRange
    case 408, 425, 429, 500, 502, 503, 504: .unavailable(retryAfter: retryAfter)
    default: .refused
    }
  }

  private static func words(_ status: Int) -> String {
    switch status {
    case 401: "it wants other credentials"
    case 403: "access is denied"
    case 404, 410: "it is not there"
    case 416: "it refuses the range"
    case 429: "too many requests"
    case 500...: "it has trouble"
    default: "it refuses"
    }
  }

  /// The first error of a registry's answer (distribution specification, "Error Codes"), as one short line.
  static func refusal(_ body: [UInt8]?) -> String {
    guard let body, let json = try? JSONValue(parsing: body) else { return "" }
    let error = json["errors"][0]
    let words = [error["code"].string, error["message"].string].compactMap { $0 }.joined(separator: ", ")
    return String(
      String.UnicodeScalarView(words.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }).prefix(200))
  }
}
