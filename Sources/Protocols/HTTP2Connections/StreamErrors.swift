import NIOHTTP2

/// Tells an error that concerns one request from one that concerns the connection (RFC 9113 section 5.4).
///
/// The library's handler resets the stream of a malformed request and then gives the connection's handlers the same
/// kind of error as for a broken connection. Who closes the connection for it takes all other requests on it down with
/// that one: those of a proxy's other clients, or the next one of a client that was answered early and ended its body
/// short of the `content-length` that it had announced.
public enum StreamErrors {
  /// Whether `error`, caught behind the HTTP/2 handler, was answered by resetting one stream, so that the connection
  /// goes on. Errors that the library throws for both count as the connection's; how many a connection may make is
  /// limited by the library (200 in 30 s).
  public static func contains(_ error: any Error) -> Bool {
    switch error {
    case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.TrailersWithoutEndStream: true
    // RFC 9113 section 8.1.1: a body that is not as long as was announced, or announced in no valid way.
    case is NIOHTTP2Errors.ContentLengthViolated, is NIOHTTP2Errors.ContentLengthHeadersMismatch,
      is NIOHTTP2Errors.ContentLengthHeaderNegative, is NIOHTTP2Errors.ContentLengthHeaderMalformedValue:
      true
    // Sections 8.2 and 8.3: fields that are not allowed, or not there.
    case is NIOHTTP2Errors.MissingPseudoHeader, is NIOHTTP2Errors.DuplicatePseudoHeader,
      is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader, is NIOHTTP2Errors.UnknownPseudoHeader,
      is NIOHTTP2Errors.UnsupportedPseudoHeader, is NIOHTTP2Errors.InvalidPseudoHeaders,
      is NIOHTTP2Errors.InvalidPseudoHeaderValue, is NIOHTTP2Errors.EmptyPathHeader,
      is NIOHTTP2Errors.MissingHostHeader, is NIOHTTP2Errors.DuplicateHostHeader,
      is NIOHTTP2Errors.ForbiddenHeaderField, is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName,
      is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue:
      true
    default: false
    }
  }
}
