import KubernetesAPI

/// Takes a request target (RFC 9112, section 3.2.1) apart: plain path and plain query parameters.
enum URLDecoding {
  /// Parameters of a query at most.
  static let parameterLimit = 256

  /// - Parameter limit: bytes of a target at most.
  /// - Throws: 414 for what is longer, `badRequest` for what is no absolute path, for broken escapes, for text that is not UTF-8, and for
  ///   segments that would change the path's meaning once decoded (`..`, `%2F`, control characters).
  static func decode(target: String, limit: Int) throws(APIStatus) -> (
    path: String, query: [(name: String, value: String)]
  ) {
    guard target.utf8.count <= limit else {
      // 414 (RFC 9110, section 15.5.15).
      var status = APIStatus(
        .requestEntityTooLarge, "Request URI too long: path and query are limited to \(limit) bytes")
      status.code = 414
      throw status
    }
    guard target.utf8.first == UInt8(ascii: "/") else {
      throw APIStatus(.badRequest, "the request's target must be an absolute path")
    }
    let parts = target.utf8.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    var path = ""
    let segments = parts[0].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    for (index, segment) in segments.enumerated() {
      let text = try decode(Substring(segment), plusIsSpace: false)
      // No name has a percent sign; one that is left could be taken for an escape once more further on.
      let forbidden: (UInt8) -> Bool = {
        $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "%") || $0 < 0x20 || $0 == 0x7F
      }
      // A name that begins with a combining mark would hide the slash before it from whoever splits the path.
      guard text != ".", text != "..", !text.utf8.contains(where: forbidden), "/\(text)".first == "/" else {
        throw APIStatus(.badRequest, "the request's path has a segment that is not allowed")
      }
      if index > 0 { path += "/" }
      path += text
    }
    guard parts.count == 2 else { return (path, []) }
    var query: [(name: String, value: String)] = []
    for parameter in parts[1].split(separator: UInt8(ascii: "&")) {
      guard query.count < parameterLimit else {
        throw APIStatus(.badRequest, "the request has more than \(parameterLimit) parameters")
      }
      let pair = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        .map { Substring($0) }
      query.append(
        (
          try decode(pair[0], plusIsSpace: true),
          pair.count == 2 ? try decode(pair[1], plusIsSpace: true) : ""
        ))
    }
    return (path, query)
  }

  private static func decode(_ text: Substring, plusIsSpace: Bool) throws(APIStatus) -> String {
    let bytes = Array(text.utf8)
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var position = 0
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "%"):
        guard position + 2 < bytes.count, let high = hexadecimal(bytes[position + 1]),
          let low = hexadecimal(bytes[position + 2])
        else { throw APIStatus(.badRequest, "the request's target has a broken percent escape") }
        decoded.append(high << 4 | low)
        position += 3
      case UInt8(ascii: "+") where plusIsSpace:
        decoded.append(UInt8(ascii: " "))
        position += 1
      case let byte:
        decoded.append(byte)
        position += 1
      }
    }
    guard let text = String(validating: decoded, as: UTF8.self) else {
      throw APIStatus(.badRequest, "the request's target is not UTF-8")
    }
    return text
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
