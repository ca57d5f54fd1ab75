import Foundation
import HTTPTypes
import HummingbirdCore
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import NIOCore

/// One request and its answer: target, identity and body in; bytes or a stream out.
struct FrontExchange: Sendable {
  /// The peer left, or sent more than is read: the connection has no further use.
  private struct ConnectionSpent: Error {}

  let handler: any APIRequestHandling
  let authenticator: Authenticator
  let table: FrontConnectionTable
  let drain: FrontDrain
  let limits: HTTPSFront.Limits
  let audit: AuditLog?
  let publicPaths: Set<String>
  let bodies: FrontBodyBudget
  let logger: Logger

  func respond(
    _ request: HTTPRequest, _ requestBody: FrontBody, _ writer: consuming ResponseWriter, _ channel: any Channel
  ) async throws {
    guard let (connection, isHTTP2) = table.connection(of: channel) else { throw ConnectionSpent() }
    connection.beginExchange()
    defer { connection.endExchange() }
    let received = Timestamp.now
    let identifier = UUID().uuidString.lowercased()
    var known: (request: APIRequest, user: UserInfo)?
    var held = 0
    defer { if let user = known?.user { bodies.give(held, of: user.name) } }
    var body = requestBody
    var isRead = false
    let response: APIResponse
    do throws(APIStatus) {
      var (apiRequest, user) = try await admit(request, connection)
      known = (apiRequest, user)
      if request.headerFields[.expect]?.lowercased() == "100-continue" {
        do { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) } catch {
          throw APIStatus(.badRequest, "the connection is gone")
        }
      }
      apiRequest.body = try await read(&body, channel, user)
      held = apiRequest.body.count
      isRead = true
      response = await handler.respond(to: apiRequest, from: user)
    } catch {
      response = Self.answer(error)
    }
    if let audit {
      let event = event(identifier, received, request, known, response, connection)
      if AuditPolicy.isNoted(event) { audit.record(event) }
    }
    let mayHaveMore = !isRead && Self.hasBody(request)
    let head = head(of: response, identifier, isLast: mayHaveMore && !isHTTP2)
    if request.method == .head {
      try await writer.writeResponse(head)
    } else {
      switch response.body {
      case .bytes(let bytes):
        try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
      case .stream(let stream):
        let still: @Sendable () async -> Bool = {
          // Whoever was let in once stays in only as long as they would be let in again.
          do { _ = try await identify(request, connection, request.path ?? "") } catch { return false }
          return true
        }
        try await send(stream, head, writer, channel: channel, connection: isHTTP2 ? nil : connection, while: still)
      }
    }
    guard mayHaveMore else { return }
    // The rest is thrown away for a moment, so that the client gets to read the answer, then the connection ends.
    await discard(&body, channel)
    throw ConnectionSpent()
  }

  /// What the audit log is told. Nothing of a body is in it.
  private func event(
    _ identifier: String, _ received: Timestamp, _ request: HTTPRequest,
    _ known: (request: APIRequest, user: UserInfo)?,
    _ response: APIResponse, _ connection: FrontConnection
  ) -> AuditEvent {
    let uri = request.path ?? ""
    var isLasting = false
    if case .stream = response.body { isLasting = true }
    return AuditEvent(
      identifier: identifier, received: received, uri: uri,
      path: known?.request.path ?? String(uri.prefix { $0 != "?" }), method: request.method.rawValue,
      isWatch: known?.request.flag("watch") ?? false, user: known?.user, impersonation: known?.request.impersonation,
      sourceAddress: connection.channel.remoteAddress?.ipAddress, userAgent: request.headerFields[.userAgent],
      status: response.status, isLasting: isLasting)
  }

  // MARK: In

  /// The request without its body, and who asks.
  private func admit(_ request: HTTPRequest, _ connection: FrontConnection) async throws(APIStatus) -> (
    APIRequest, UserInfo
  ) {
    try checkSize(request)
    let (path, query) = try URLDecoding.decode(target: request.path ?? "", limit: limits.targetBytes)
    let user = try await identify(request, connection, path)
    guard let method = APIRequest.Method(rawValue: request.method.rawValue) else {
      throw APIStatus(.methodNotAllowed, "the method \(request.method.rawValue.prefix(20)) is not supported")
    }
    if let length = request.headerFields[.contentLength].flatMap({ Int($0) }), length > limits.bodyBytes {
      throw tooLarge
    }
    let type = request.headerFields[.contentType].map {
      String($0.prefix { $0 != ";" }).trimmingCharacters(in: .whitespaces)
    }
    var apiRequest = APIRequest(
      method, path, query: query, contentType: type, accept: request.headerFields[.accept],
      userAgent: request.headerFields[.userAgent])
    apiRequest.impersonation = try Self.impersonation(request)
    return (apiRequest, user)
  }

  /// What is read of header fields is more than what is taken, so that there is an answer on this very request.
  private func checkSize(_ request: HTTPRequest) throws(APIStatus) {
    var bytes = request.path?.utf8.count ?? 0
    var fields = 0
    for field in request.headerFields {
      bytes += field.name.rawName.utf8.count + field.value.utf8.count
      fields += 1
    }
    guard bytes <= limits.headerBytes, fields <= limits.headerFields else {
      throw Self.tooLargeHeader(
        "Request header fields too large: limits are \(limits.headerBytes) bytes and \(limits.headerFields) fields")
    }
  }

  /// 431 (RFC 6585, section 5).
  static func tooLargeHeader(_ message: String) -> APIStatus {
    var status = APIStatus(.requestEntityTooLarge, message)
    status.code = 431
    return status
  }

  /// As whom the client wants to act; the handler decides whether it may.
  private static func impersonation(_ request: HTTPRequest) throws(APIStatus) -> Impersonation? {
    var users: [String] = []
    var groups: [String] = []
    for field in request.headerFields where field.name.canonicalName.hasPrefix("impersonate-") {
      switch field.name.canonicalName {
      case "impersonate-user": users.append(field.value)
      case "impersonate-group": groups.append(field.value)
      default:
        // To pass over one of these would do as oneself what was meant for somebody with fewer rights.
        throw APIStatus(
          .badRequest, "\(field.name) is not supported: users have names and groups here (--as, --as-group) only")
      }
    }
    guard !users.isEmpty || !groups.isEmpty else { return nil }
    guard users.count <= 1 else { throw APIStatus(.badRequest, "only one user can be impersonated at a time") }
    return Impersonation(user: users.first ?? "", groups: groups)
  }

  /// Client certificate first, then bearer token; nobody but for the few paths that say how the server does.
  private func identify(_ request: HTTPRequest, _ connection: FrontConnection, _ path: String) async throws(APIStatus)
    -> UserInfo
  {
    // Whoever shows something there need not be known.
    if publicPaths.contains(path) { return .anonymous }
    var refusal: APIStatus?
    do throws(APIStatus) {
      if let user = try await connection.identity(by: authenticator) { return user }
    } catch { refusal = error }
    if let authorization = request.headerFields[.authorization] {
      let parts = authorization.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == "bearer" else {
        throw APIStatus(.unauthorized, "Unauthorized: only bearer tokens and client certificates are accepted")
      }
      return try await authenticator.authenticate(token: String(parts[1]))
    }
    if let refusal { throw refusal }
    if Self.publicPaths.contains(path) { return .anonymous }
    throw APIStatus(.unauthorized, "Unauthorized")
  }

  /// What anybody may read, so that the server can be watched from outside.
  static let publicPaths: Set<String> = ["/healthz", "/livez", "/readyz", "/version"]

  private var tooLarge: APIStatus {
    APIStatus(.requestEntityTooLarge, "Request entity too large: limit is \(limits.bodyBytes)")
  }

  private static func hasBody(_ request: HTTPRequest) -> Bool {
    request.headerFields[.contentLength].map { $0 != "0" }
      ?? (request.headerFields[.transferEncoding] != nil || request.method == .post || request.method == .put
        || request.method == .patch)
  }

  /// The body; its bytes count as held by the user.
  private func read(_ body: inout FrontBody, _ channel: any Channel, _ user: UserInfo) async throws(APIStatus)
    -> [UInt8]
  {
    let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(limits.bodyTimeout)) { channel.close(promise: nil) }
    defer { deadline.cancel() }
    var bytes: [UInt8] = []
    var isWhole = false
    defer { if !isWhole { bodies.give(bytes.count, of: user.name) } }
    while true {
      let buffer: ByteBuffer?
      do { buffer = try await body.next() } catch { throw APIStatus(.badRequest, "the request's body ended early") }
      guard let buffer else {
        isWhole = true
        return bytes
      }
      guard bytes.count + buffer.readableBytes <= limits.bodyBytes else { throw tooLarge }
      guard bodies.take(buffer.readableBytes, of: user.name) else { throw FlowControl.refusal }
      bytes += buffer.readableBytesView
    }
  }

  private func discard(_ body: inout FrontBody, _ channel: any Channel) async {
    let deadline = channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
    defer { deadline.cancel() }
    var rest = limits.discardedBytes
    while rest > 0, let buffer = try? await body.next() { rest -= buffer.readableBytes }
  }

  /// How often the identity behind an open stream is looked at again.
  private static let identityInterval: Duration = .seconds(2)

  // MARK: Out

  static func answer(_ status: APIStatus) -> APIResponse {
    var headers: [(name: String, value: String)] = []
    if let seconds = status.retryAfterSeconds { headers.append(("Retry-After", String(seconds))) }
    return APIResponse(status: status.code, headers: headers, body: .bytes(status.json.encoded()))
  }

  private func head(of response: APIResponse, _ identifier: String, isLast: Bool) -> HTTPResponse {
    var head = HTTPResponse(status: .init(code: response.status))
    for (name, value) in response.headers {
      if let name = HTTPField.Name(name) { head.headerFields.append(HTTPField(name: name, value: value)) }
    }
    if let name = HTTPField.Name("Audit-Id"), head.headerFields[name] == nil {
      head.headerFields[name] = identifier
    }
    if !response.contentType.isEmpty { head.headerFields[.contentType] = response.contentType }
    if head.headerFields[.cacheControl] == nil { head.headerFields[.cacheControl] = "no-cache, private" }
    if case .bytes(let bytes) = response.body { head.headerFields[.contentLength] = String(bytes.count) }
    if isLast { head.headerFields[.connection] = "close" }
    return head
  }

  /// How much of a stream is handed over before the event loop has looked at it.
  private static let unseenBytes = 64 << 10

  /// Sends chunk by chunk, each at once, until the stream ends, the client goes or the front shuts down.
  private func send(
    _ stream: ByteStream, _ head: HTTPResponse, _ writer: consuming ResponseWriter, channel: any Channel,
    connection: FrontConnection?, while isWelcome: @escaping @Sendable () async -> Bool
  ) async throws {
    let (ended, source) = AsyncStream<Never>.makeStream()
    let draining = drain.register { source.finish() }
    defer { drain.remove(draining) }
    let closing = connection?.onClose { source.finish() }
    defer { if let closing { connection?.removeCloseHandler(closing) } }
    if connection == nil { channel.closeFuture.whenComplete { _ in source.finish() } }

    // Hummingbird's writer is Sendable, which its opaque type hides; one task at a time uses it.
    nonisolated(unsafe) var sink = try await writer.writeHead(head)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in ended {} }
      group.addTask {
        repeat { try await Task.sleep(for: Self.identityInterval) } while await isWelcome()
      }
      group.addTask {
        var unseen = 0
        do {
          for try await chunk in stream where !chunk.isEmpty {
            try await sink.write(ByteBuffer(bytes: chunk))
            unseen += chunk.count
            // What was written waits for the event loop, which alone knows whether the client still reads: a source that is
            // always ready must not run ahead of it.
            if unseen >= Self.unseenBytes {
              unseen = 0
              try await channel.eventLoop.submit {}.get()
            }
          }
        } catch is CancellationError where Task.isCancelled {}
      }
      defer { group.cancelAll() }
      try await group.next()
    }
    guard channel.isActive else { throw ConnectionSpent() }
    try await sink.finish(nil)
  }
}

extension UserInfo {
  /// Who did not say who they are.
  public static let anonymous = UserInfo(name: "system:anonymous", groups: ["system:unauthenticated"])
}
