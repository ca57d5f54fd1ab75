import NIOHTTP1

/// Fields by which servers learn from a proxy in front of them who the client is and what it asked. Only the edge may
/// say that here: from outside they are cut, in heads and trailers, however they are spelled.
///
/// Many servers hand fields on as variables (`HTTP_X_FORWARDED_FOR`, RFC 3875 section 4.1.18) in which all signs are
/// underscores, so `X_Forwarded_For` and `X.Forwarded.For` mean the same as `X-Forwarded-For`.
enum ForwardingFields {
  private static let names: Set<String> = [
    // Standard, and what everybody has.
    "forwarded", "x-forwarded", "forwarded-for", "forwarded-proto", "forwarded-host", "x-real-ip", "x-real-port",
    "x-client-ip", "client-ip", "x-remote-ip", "x-remote-addr", "remote-addr", "remote-user", "x-remote-user",
    "x-cluster-client-ip", "x-host", "x-scheme", "x-url-scheme", "front-end-https", "x-https", "x-proxyuser-ip",
    "wl-proxy-client-ip",
    "proxy-client-ip", "x-coming-from", "coming-from", "x-true-client-ip", "x-originating-ip", "x-request-host",
    // Content networks and clouds.
    "true-client-ip", "cf-connecting-ip", "cf-connecting-ipv6", "cf-connecting-o2o", "cf-pseudo-ipv4", "cf-ipcountry",
    "cf-visitor", "cf-worker", "cdn-loop", "fastly-client-ip", "fastly-ssl", "fastly-ff", "fly-client-ip",
    "fly-forwarded-proto", "x-nf-client-connection-ip", "x-vercel-forwarded-for", "x-vercel-proxied-for",
    "do-connecting-ip", "ali-cdn-real-ip", "cdn-src-ip", "x-azure-clientip", "x-azure-socketip", "x-azure-fdid",
    "x-arr-ssl", "x-arr-clientcert", "x-appengine-user-ip", "x-appengine-remote-addr", "x-gclb-client-ip",
    "x-amzn-tls-version", "incap-client-ip", "x-sucuri-clientip", "x-bluecoat-via", "x-envoy-external-address",
    "x-envoy-original-path", "x-envoy-original-host", "x-envoy-internal",
    // Other addresses than those that were asked for.
    "x-original-url", "x-original-uri", "x-original-host", "x-original-method", "x-original-forwarded-for",
    "x-original-remote-addr", "x-rewrite-url", "x-replaced-path", "x-envoy-decorator-operation",
    // Certificates that a proxy has verified.
    "client-cert", "client-cert-chain", "x-client-cert", "x-client-verify", "x-client-dn", "ssl-client-cert",
    "ssl-client-verify", "x-ssl-client-cert", "x-ssl-client-verify", "x-ssl-client-dn", "x-ssl-cert",
    // `Proxy` becomes `HTTP_PROXY` in CGI programs, which then send their own requests there.
    "proxy",
  ]
  private static let prefixes = ["x-forwarded-", "x-nagaya-", "x-envoy-peer-", "x-amzn-mtls-", "x-appengine-"]

  /// Fields that a trailer must not bring after the head was judged: about framing, routing, rights and content
  /// (RFC 9110 section 6.5.1).
  private static let notInTrailers: Set<String> = [
    "host", "content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "upgrade",
    "proxy-connection", "http2-settings", "authorization", "proxy-authorization", "proxy-authenticate",
    "www-authenticate", "cookie", "cookie2", "content-encoding", "content-type", "content-range", "range", "expect",
    "max-forwards", "cache-control", "age", "expires", "vary", "location", "origin", "referer",
  ]

  static func remove(from headers: inout HTTPHeaders) {
    let names = headers.lazy.map(\.name).filter { isForwarding(canonical($0)) }
    for name in Array(names) { headers.remove(name: name) }
  }

  /// What of a request's trailers may pass.
  static func trailers(_ trailers: HTTPHeaders?) -> HTTPHeaders? {
    trailers.map { trailers in
      HTTPHeaders(
        trailers.filter { field in
          let name = canonical(field.name)
          return !isForwarding(name) && !notInTrailers.contains(name)
        }.map { ($0.name, $0.value) })
    }
  }

  private static func isForwarding(_ name: String) -> Bool {
    names.contains(name) || prefixes.contains { name.hasPrefix($0) }
  }

  /// In lower case, with dashes for all signs.
  private static func canonical(_ name: String) -> String {
    String(
      decoding: name.utf8.map { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
        default: UInt8(ascii: "-")
        }
      }, as: UTF8.self)
  }
}
