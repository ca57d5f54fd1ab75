/// Bounds of what clients send.
enum SnapshotInput {
  /// Bytes of a key or name; what containerd's own records can hold.
  static let nameLimit = 32_768
  /// Bytes of a label's key and value together (containerd, pkg/labels).
  static let labelLimit = 4096

  static func check(name: String, _ field: String) throws(SnapshotError) {
    guard !name.isEmpty else { throw .invalid("\(field) is empty; set it") }
    try check(optional: name, field)
  }

  static func check(optional name: String, _ field: String) throws(SnapshotError) {
    guard name.utf8.count <= nameLimit else { throw .invalid("\(field) is longer than \(nameLimit) bytes; shorten it") }
    guard !name.utf8.contains(0) else { throw .invalid("\(field) contains a zero byte; remove it") }
  }

  static func check(labels: [String: String]) throws(SnapshotError) {
    for (key, value) in labels {
      guard key.utf8.count + value.utf8.count <= labelLimit else {
        let start = String(decoding: key.utf8.prefix(64), as: UTF8.self)
        throw .invalid("label \"\(start)\" and its value are longer than \(labelLimit) bytes; shorten them")
      }
      guard !key.isEmpty, !key.utf8.contains(0), !value.utf8.contains(0) else {
        throw .invalid("a label has no key, or a zero byte in key or value; mend it")
      }
    }
  }
}
