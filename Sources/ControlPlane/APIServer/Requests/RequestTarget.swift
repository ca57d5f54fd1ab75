import KubernetesAPI
import KubernetesClient

/// What a path of the resource API names.
struct RequestTarget: Sendable, Hashable {
  var group: String
  var version: String
  var plural: String
  /// `nil`: none in the path.
  var namespace: String?
  var name: String?
  var subresource: String?

  /// Reads `/api/VERSION/…` and `/apis/GROUP/VERSION/…`.
  /// - Returns: `nil` for any other path, discovery's among them.
  init?(path: String) {
    var segments: [String] = []
    for segment in path.split(separator: "/", omittingEmptySubsequences: true) {
      guard let decoded = Self.decoded(segment) else { return nil }
      segments.append(decoded)
    }
    var rest = segments[...]
    switch rest.popFirst() {
    case "api":
      group = ""
    case "apis":
      guard let group = rest.popFirst() else { return nil }
      self.group = group
    default: return nil
    }
    guard let version = rest.popFirst(), let first = rest.popFirst() else { return nil }
    self.version = version
    plural = first
    if first == "namespaces", let name = rest.popFirst() {
      // /namespaces/NAME, /namespaces/NAME/status, or /namespaces/NAME/PLURAL…
      if let next = rest.first, !(group.isEmpty && rest.count == 1 && ["status", "finalize"].contains(next)) {
        namespace = name
        plural = next
        rest.removeFirst()
        self.name = rest.popFirst()
      } else {
        self.name = name
      }
    } else {
      name = rest.popFirst()
    }
    subresource = rest.popFirst()
    guard rest.isEmpty else { return nil }
  }

  /// Takes percent escapes out (RFC 3986 §2.1); `nil` if they are no UTF-8 or hide a slash.
  private static func decoded(_ segment: Substring) -> String? {
    guard segment.utf8.contains(UInt8(ascii: "%")) else { return String(segment) }
    var bytes: [UInt8] = []
    var rest = segment.utf8
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16), value != UInt8(ascii: "/"), value != 0
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}

extension APIRequest {
  /// A parameter that is true or false (`true`, `1`, or without value: true).
  func flag(_ name: String) -> Bool {
    guard let value = parameter(name) else { return false }
    return !(value == "false" || value == "0")
  }

  /// A parameter that is a whole number of at least zero.
  func number(_ name: String) throws(APIStatus) -> Int? {
    guard let text = parameter(name), !text.isEmpty else { return nil }
    guard let value = Int(text), value >= 0 else {
      throw APIStatus(.badRequest, "parameter \(name): \"\(text.prefix(40))\" is not a number of at least 0")
    }
    return value
  }

  /// A parameter that is a resourceVersion.
  func revision(_ name: String) throws(APIStatus) -> UInt64? {
    guard let text = parameter(name), !text.isEmpty else { return nil }
    guard let value = UInt64(text), value <= UInt64(Int64.max) else {
      throw APIStatus(
        .invalid, "invalid parameter \(name): \"\(text.prefix(40))\" is no resource version of this server")
    }
    return value
  }

  /// `dryRun=All`
  /// - Throws: `APIStatus` (400) for any other value.
  func isDryRun() throws(APIStatus) -> Bool {
    guard let value = parameter("dryRun"), !value.isEmpty else { return false }
    guard value == "All" else {
      throw APIStatus(.invalid, "invalid parameter dryRun: \"\(value.prefix(40))\": only \"All\" is supported")
    }
    return true
  }
}
