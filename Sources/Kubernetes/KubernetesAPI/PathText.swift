/// Paths as the kernel reads them: by bytes.
///
/// Swift compares and splits text by `Character`, and a combining mark after a slash makes one `Character` of both:
/// `"../\u{301}x"` has no `Character` that equals `"/"`, yet it leads out of its directory.
extension StringProtocol {
  /// What stands between the slashes, empty parts left out.
  public var pathSegments: [Substring] {
    Substring(self).utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }
  }

  /// Whether the first byte is a slash.
  public var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }

  /// Whether a part of the path is `..`.
  public var leadsUpwards: Bool { pathSegments.contains { $0.utf8.elementsEqual("..".utf8) } }
}
