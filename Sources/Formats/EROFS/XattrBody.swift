/// The extended attributes of one inode in their on-disk form (Linux fs/erofs/erofs_fs.h, `erofs_xattr_ibody_header`).
enum XattrBody {
  /// Namespaces that EROFS can store, with their numbers. The two access lists are whole names.
  private static let namespaces: [(prefix: String, number: UInt8, isWholeName: Bool)] = [
    ("user.", 1, false), ("system.posix_acl_access", 2, true), ("system.posix_acl_default", 3, true),
    ("trusted.", 4, false), ("security.", 6, false),
  ]

  /// Empty if there are none. Attributes of namespaces that EROFS does not know are left out, as a container runtime
  /// leaves out what its file system does not know; marks that overlayfs would obey are never taken from a layer.
  static func encode(_ attributes: [String: [UInt8]], isOpaque: Bool, marks: EROFSOptions.OverlayMarks) -> [UInt8]? {
    guard isOpaque || !attributes.isEmpty else { return [] }
    var body: [UInt8] = []
    func add(_ name: String, _ value: [UInt8]) -> Bool {
      for namespace in namespaces {
        guard namespace.isWholeName ? name == namespace.prefix : name.hasPrefix(namespace.prefix) else { continue }
        let rest = Array(name.utf8.dropFirst(namespace.prefix.utf8.count))
        guard rest.isEmpty == namespace.isWholeName else { return true }
        guard rest.count <= 255, value.count <= Int(UInt16.max) else { return false }
        body.append(UInt8(rest.count))
        body.append(namespace.number)
        body.append(little: UInt16(value.count))
        body += rest
        body += value
        body.append(zeros: (4 - body.count % 4) % 4)
        return true
      }
      return true
    }
    for (name, value) in attributes.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
      if name.hasPrefix(marks.rawValue) { continue }
      guard add(name, value) else { return nil }
    }
    if isOpaque, !add(marks.rawValue + "opaque", [UInt8(ascii: "y")]) { return nil }
    guard !body.isEmpty else { return [] }
    guard body.count / 4 < Int(UInt16.max) else { return nil }
    // No name filter, no shared attributes.
    return [UInt8](repeating: 0, count: headerBytes) + body
  }

  static let headerBytes = 12

  /// `i_xattr_icount`
  static func count(ofBodyBytes bytes: Int) -> UInt16 { bytes == 0 ? 0 : UInt16((bytes - headerBytes) / 4 + 1) }
}
