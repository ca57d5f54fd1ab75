import NIOHTTP1

/// What a proxy changes in messages that pass it (RFC 9110 section 7.6, RFC 9112).
enum Forwarding {
  /// Fields that are about one connection and end at its end.
  private static let hopByHop: [String] = [
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
    "transfer-encoding", "upgrade", "http2-settings",
  ]

  /// How the body of a request ends.
  enum RequestFraming: Sendable, Hashable {
    case none
    case length(String)
    case chunked
  }

  /// Why a request is not passed on.
  struct Refusal: Error, Hashable {
    let status: HTTPResponseStatus
    let why: String
  }

  /// Checks what could be understood in two ways, the ground of request smuggling, and says how the body ends.
  /// - Parameter isHTTP2: HTTP/2 frames bodies itself; the codec adds a `Transfer-Encoding` of its own to the head.
  /// - Parameter hasBody: for HTTP/2, whether the stream did not end with its head.
  static func framing(of head: HTTPRequestHead, isHTTP2: Bool, hasBody: Bool) throws(Refusal) -> RequestFraming {
    let lengths = head.headers["content-length"]
    guard lengths.count <= 1 else { throw Refusal(status: .badRequest, why: "more than one Content-Length") }
    let encodings = head.headers["transfer-encoding"]
    if isHTTP2 {
      if let length = lengths.first { return .length(length) }
      return hasBody ? .chunked : .none
    }
    guard encodings.isEmpty || lengths.isEmpty else {
      throw Refusal(status: .badRequest, why: "both Content-Length and Transfer-Encoding")
    }
    if let encoding = encodings.first {
      guard head.version == .http1_1 else {
        throw Refusal(status: .badRequest, why: "Transfer-Encoding in a message of HTTP/1.0")
      }
      guard encodings.count == 1, encoding.lowercased() == "chunked" else {
        throw Refusal(status: .notImplemented, why: "a Transfer-Encoding other than chunked")
      }
      return .chunked
    }
    if let length = lengths.first {
      guard !length.isEmpty, length.utf8.allSatisfy({ (48...57).contains($0) }) else {
        throw Refusal(status: .badRequest, why: "a Content-Length that is no number")
      }
      return .length(length)
    }
    return .none
  }

  /// The protocol that the client asks to switch to; only HTTP/1.1 has that.
  static func upgrade(of head: HTTPRequestHead) -> String? {
    guard head.version == .http1_1, let name = head.headers["upgrade"].first,
      tokens(head.headers, "connection").contains("upgrade")
    else { return nil }
    return name
  }

  /// The head for the pod.
  static func request(
    _ head: HTTPRequestHead, framing: RequestFraming, upgrade: String?, host: String, clientAddress: String
  ) -> HTTPRequestHead {
    var headers = head.headers
    removeHopByHop(&headers)
    ForwardingFields.remove(from: &headers)
    headers.remove(name: "content-length")
    switch framing {
    case .none: break
    case .length(let length): headers.add(name: "content-length", value: length)
    case .chunked: headers.add(name: "transfer-encoding", value: "chunked")
    }
    // HTTP/2 may send cookies in pieces (RFC 9113 section 8.2.3); HTTP/1.1 has one field.
    let cookies = headers["cookie"]
    if cookies.count > 1 { headers.replaceOrAdd(name: "cookie", value: cookies.joined(separator: "; ")) }
    headers.replaceOrAdd(name: "host", value: host)
    headers.add(name: "x-forwarded-for", value: clientAddress)
    headers.add(name: "x-forwarded-proto", value: "https")
    headers.add(name: "x-forwarded-host", value: host)
    if let upgrade {
      headers.add(name: "connection", value: "Upgrade")
      headers.add(name: "upgrade", value: upgrade)
    }
    return HTTPRequestHead(version: .http1_1, method: head.method, uri: originForm(head.uri), headers: headers)
  }

  /// The head for the client.
  static func response(
    _ head: HTTPResponseHead, to request: HTTPRequestHead, isHTTP2: Bool, keepsAlive: Bool
  ) -> HTTPResponseHead {
    var headers = head.headers
    let isInformational = head.status.code < 200
    let hasNoBody = isInformational || head.status.code == 204 || head.status.code == 304 || request.method == .HEAD
    removeHopByHop(&headers)
    if isInformational || head.status.code == 204 { headers.remove(name: "content-length") }
    if !isHTTP2, !isInformational {
      if !hasNoBody, !headers.contains(name: "content-length"), request.version == .http1_1 {
        headers.add(name: "transfer-encoding", value: "chunked")
      }
      if !keepsAlive { headers.add(name: "connection", value: "close") }
    }
    return HTTPResponseHead(version: .http1_1, status: head.status, headers: headers)
  }

  /// The head that tells the client of a switched protocol.
  static func switching(_ head: HTTPResponseHead) -> HTTPResponseHead {
    let upgrade = head.headers["upgrade"].first ?? ""
    var headers = head.headers
    removeHopByHop(&headers)
    headers.remove(name: "content-length")
    headers.add(name: "connection", value: "Upgrade")
    headers.add(name: "upgrade", value: upgrade)
    return HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
  }

  /// `http://host/path` (absolute form, RFC 9112 section 3.2.2) as `/path`.
  static func originForm(_ uri: String) -> String {
    guard let (_, path) = absoluteForm(uri) else { return uri }
    return path
  }

  /// Authority and path of a request target in absolute form.
  static func absoluteForm(_ uri: String) -> (authority: String, path: String)? {
    let lower = uri.prefix(8).lowercased()
    let scheme = lower.hasPrefix("http://") ? 7 : lower.hasPrefix("https://") ? 8 : 0
    guard scheme > 0 else { return nil }
    let rest = uri.dropFirst(scheme)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let path = String(rest[end...])
    return (String(rest[..<end]), path.hasPrefix("/") ? path : "/" + path)
  }

  /// The sum of the sizes of names and values.
  static func bytes(of headers: HTTPHeaders) -> Int {
    headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
  }

  private static func removeHopByHop(_ headers: inout HTTPHeaders) {
    let nominated = tokens(headers, "connection")
    for name in hopByHop { headers.remove(name: name) }
    // What Connection names goes too, except what a message cannot do without.
    for name in nominated where !["host", "content-length", "cookie", "authorization"].contains(name) {
      headers.remove(name: name)
    }
  }

  private static func tokens(_ headers: HTTPHeaders, _ name: String) -> [String] {
    headers[canonicalForm: name].map { $0.lowercased() }
  }
}
