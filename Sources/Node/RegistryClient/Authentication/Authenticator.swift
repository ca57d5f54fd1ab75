import JSONDocument
import KubernetesAPI
import Logging
import NIOHTTP1

/// Gets and keeps the value of `Authorization` for each host and scope.
///
/// Requests that need the same token wait for one exchange. Credentials go to the host they belong to and to the token server
/// that it names, never in the clear when the host itself is reached by https.
actor Authenticator {
  /// For what a token is wanted.
  struct Scope: Sendable, Hashable {
    var repository: String
    /// `pull`, `pull,push`
    var actions: String

    var text: String { "repository:\(repository):\(actions)" }
  }

  /// What one credential got is not used when another stands in its place.
  private struct Key: Hashable {
    let origin: String
    let scope: Scope
    /// The credential that was brought for this place last, if any was.
    let brought: RegistryCredential?
  }

  /// What is sent, and whose it is.
  struct Authorization: Sendable, Hashable {
    /// The header's value.
    var header: String
    var credential: RegistryCredential?
  }

  private struct Grant: Sendable {
    /// The header's value.
    var header: String
    var until: ContinuousClock.Instant
    /// The credential it was made of, so that another is taken if this one is refused.
    var credential: RegistryCredential?

    var authorization: Authorization { Authorization(header: header, credential: credential) }
  }

  private let wire: HTTPWire
  private let sources: [any CredentialSource]
  private let logger: Logger
  private var grants: [Key: Grant] = [:]
  private var pending: [Key: Task<Grant, any Error>] = [:]
  /// What hosts asked for last: a token for another repository is then fetched without being refused first.
  private var bearers: [String: AuthenticationChallenge] = [:]
  /// Token servers that know no OAuth 2.
  private var withoutOAuth: Set<String> = []

  init(wire: HTTPWire, sources: [any CredentialSource], logger: Logger) {
    self.wire = wire
    self.sources = sources
    self.logger = logger
  }

  private func key(_ host: RegistryHost, _ scope: Scope) async -> Key {
    let place = RegistryPlace(host: host.name, repository: scope.repository)
    var brought: RegistryCredential?
    for case let source as RememberedCredentials in sources where brought == nil {
      brought = await source.credential(for: place, rejected: nil)
    }
    return Key(origin: host.api.origin, scope: scope, brought: brought)
  }

  /// The header to send, as far as it is known without having been refused.
  func authorization(for host: RegistryHost, _ scope: Scope) async throws -> Authorization? {
    let key = await key(host, scope)
    if let grant = grants[key], grant.until > .now { return grant.authorization }
    guard let challenge = bearers[key.origin] else { return nil }
    return try await exchange(key, host, [challenge], rejected: nil)
  }

  /// A new header after a refusal.
  /// - Parameter rejected: the header that was refused, if one was sent.
  /// - Throws: `RegistryError`.
  func authorization(for host: RegistryHost, _ scope: Scope, challenges: [AuthenticationChallenge], rejected: String?)
    async throws -> Authorization
  {
    let key = await key(host, scope)
    var credential: RegistryCredential?
    if let grant = grants[key] {
      // Somebody else was refused before us and has got one since.
      if grant.header != rejected, grant.until > .now { return grant.authorization }
      // A token that was good for a while has run out; one that never was any good has a wrong credential.
      if rejected?.hasPrefix("Basic ") == true { credential = grant.credential }
      grants[key] = nil
    }
    if let bearer = challenges.first(where: { $0.scheme == "bearer" }) { bearers[key.origin] = bearer }
    return try await exchange(key, host, challenges, rejected: credential)
  }

  private func exchange(
    _ key: Key, _ host: RegistryHost, _ challenges: [AuthenticationChallenge], rejected: RegistryCredential?
  ) async throws -> Authorization {
    let task: Task<Grant, any Error>
    if let running = pending[key] {
      task = running
    } else {
      task = Task { try await self.grant(host, key.scope, challenges, rejected: rejected) }
      pending[key] = task
    }
    let result = await task.result
    if pending[key] == task {
      pending[key] = nil
      if case .success(let grant) = result {
        if grants.count >= 1024 { grants = grants.filter { $0.value.until > .now } }
        if grants.count >= 1024 { grants.removeAll() }
        grants[key] = grant
      }
    }
    return try result.get().authorization
  }

  private func grant(
    _ host: RegistryHost, _ scope: Scope, _ challenges: [AuthenticationChallenge], rejected: RegistryCredential?
  ) async throws -> Grant {
    let place = RegistryPlace(host: host.name, repository: scope.repository)
    let (known, troubles) = await credentials(for: place, rejected: rejected)
    func refused(_ reason: String, status: Int? = 401) -> RegistryError {
      RegistryError(
        .unauthorized, host: host.name, repository: scope.repository, status: status,
        reason: ([reason] + troubles).joined(separator: "; "))
    }
    if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
      var refusal: (any Error)?
      for credential in known.map(Optional.some) + (known.isEmpty ? [nil] : []) {
        if case .bearer(let token)? = credential {
          return Grant(header: "Bearer \(token)", until: .now + .seconds(3600), credential: credential)
        }
        do {
          let token = try await self.token(bearer, credential, host, scope)
          // A little is kept for the way and for clocks.
          let until = ContinuousClock.now + max(.seconds(5), token.lifetime * 0.9)
          return Grant(header: "Bearer \(token.text)", until: until, credential: credential)
        } catch let error as RegistryError where error.kind == .unauthorized { refusal = error }
      }
      throw refusal ?? refused("the registry wants credentials")
    }
    if challenges.contains(where: { $0.scheme == "basic" }) {
      for case .basic(let user, let password) in known {
        let header = "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
        return Grant(header: header, until: .now + .seconds(3600), credential: .basic(user: user, password: password))
      }
      throw refused(rejected == nil ? "the registry wants a user and a password" : "user or password were refused")
    }
    throw refused("the registry wants a kind of authentication that is not known here")
  }

  /// What the sources know, in their order; and what went wrong with them.
  private func credentials(for place: RegistryPlace, rejected: RegistryCredential?) async -> (
    [RegistryCredential], [String]
  ) {
    var known: [RegistryCredential] = []
    var troubles: [String] = []
    for source in sources {
      do {
        if let credential = try await source.credential(for: place, rejected: rejected), credential != rejected {
          known.append(credential)
        }
      } catch {
        troubles.append("\(error)")
        logger.warning(
          "a source of registry credentials failed", metadata: ["registry": "\(place.host)", "error": "\(error)"])
      }
    }
    return (known, troubles)
  }

  // MARK: Token servers

  private func token(
    _ challenge: AuthenticationChallenge, _ credential: RegistryCredential?, _ host: RegistryHost, _ scope: Scope
  ) async throws -> RegistryToken {
    func malformed(_ reason: String) -> RegistryError {
      RegistryError(.malformed, host: host.name, repository: scope.repository, reason: reason)
    }
    guard let realm = challenge.parameters["realm"].flatMap({ HTTPAddress($0) }) else {
      throw malformed("it names no token server that can be used")
    }
    if host.api.isEncrypted, !realm.isEncrypted { throw malformed("its token server is not reached by https") }
    let service = challenge.parameters["service"]
    // The registry's own words for the scope, where they are about this repository.
    var scopes = scope.text
    if let asked = challenge.parameters["scope"], asked.contains(":\(scope.repository):") { scopes = asked }

    if let credential, !withoutOAuth.contains(realm.origin) || credential.isIdentityToken {
      var form = ["client_id=nagaya", "scope=\(HTTPAddress.encode(scopes))", "access_type=offline"]
      if let service { form.append("service=\(HTTPAddress.encode(service))") }
      switch credential {
      case .identityToken(let token):
        form += ["grant_type=refresh_token", "refresh_token=\(HTTPAddress.encode(token))"]
      case .basic(let user, let password):
        form += [
          "grant_type=password", "username=\(HTTPAddress.encode(user))", "password=\(HTTPAddress.encode(password))",
        ]
      case .bearer: break
      }
      var request = HTTPWire.Request(method: .POST, address: realm)
      request.headers = ["content-type": "application/x-www-form-urlencoded"]
      request.body = Array(form.joined(separator: "&").utf8)
      let (status, body) = try await ask(request, host, scope)
      if status == 200 { return try token(body, malformed) }
      // What servers answer that know the older form only: GitHub and Google 404 or 405, Artifactory 401.
      guard [400, 401, 404, 405].contains(status), !credential.isIdentityToken else {
        throw refusal(status, host, scope)
      }
      if status == 404 || status == 405 { withoutOAuth.insert(realm.origin) }
    }
    var query = ["scope=\(HTTPAddress.encode(scopes))"]
    if let service { query.append("service=\(HTTPAddress.encode(service))") }
    var request = HTTPWire.Request(address: realm)
    if case .basic(let user, let password)? = credential {
      query.append("account=\(HTTPAddress.encode(user))")
      request.headers.add(name: "authorization", value: "Basic " + Base64.encode(Array("\(user):\(password)".utf8)))
    }
    request.address = realm.appending("", query: query)
    let (status, body) = try await ask(request, host, scope)
    guard status == 200 else { throw refusal(status, host, scope) }
    return try token(body, malformed)
  }

  private func token(_ body: [UInt8], _ malformed: (String) -> RegistryError) throws -> RegistryToken {
    do { return try RegistryToken(parsing: body) } catch { throw malformed(error.description) }
  }

  private func ask(_ request: HTTPWire.Request, _ host: RegistryHost, _ scope: Scope) async throws -> (Int, [UInt8]) {
    var request = request
    request.tls = request.address.host == host.api.host ? host.trust.configuration : host.trust.redirected
    request.headers.add(name: "accept", value: "application/json")
    do {
      let answer = try await wire.send(request)
      guard let body = try await answer.collect(limit: AnswerLimit.token) else {
        throw HTTPWire.Failure.malformed("the token server's answer is too long")
      }
      return (answer.status, body)
    } catch let failure as HTTPWire.Failure {
      throw RegistryError(failure, "its token server \(request.address.authority): ", host: host.name, scope.repository)
    }
  }

  private func refusal(_ status: Int, _ host: RegistryHost, _ scope: Scope) -> RegistryError {
    switch status {
    case 429, 500...:
      RegistryError(
        .unavailable(retryAfter: nil), host: host.name, repository: scope.repository, status: status,
        reason: "its token server has no token now")
    default:
      RegistryError(
        .unauthorized, host: host.name, repository: scope.repository, status: status,
        reason: "its token server refused to give a token")
    }
  }
}

extension RegistryError {
  /// From a failure of the transport.
  init(
    _ failure: HTTPWire.Failure, _ prefix: String = "", host: String, _ repository: String, reference: String = ""
  ) {
    let (kind, reason): (Kind, String) =
      switch failure {
      case .connection(let reason), .timeout(let reason): (.unavailable(retryAfter: nil), reason)
      case .dns(let reason): (.dns, reason)
      case .tls(let reason): (.tls, reason)
      case .malformed(let reason): (.malformed, reason)
      }
    self.init(kind, host: host, repository: repository, reference: reference, reason: prefix + reason)
  }
}
