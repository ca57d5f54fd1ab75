/// One member of a tar archive, without its content.
public struct TarEntry: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// `size` bytes of content follow.
    case file(size: Int64)
    case directory
    /// The target is free text; it is never followed here.
    case symbolicLink(target: String)
    /// Another name of an earlier member.
    case hardLink(target: String)
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
  }

  /// Relative, `/` between parts, without a leading or trailing one; `.` is the root itself.
  public var path: String
  public var kind: Kind
  /// Permission, set-id and sticky bits: `0o755`.
  public var mode: UInt32
  public var uid: UInt32
  public var gid: UInt32
  /// Seconds since 1970.
  public var modificationTime: Int64
  /// `security.capability`, `user.…`; values are bytes.
  public var extendedAttributes: [String: [UInt8]]

  public init(
    _ path: String, _ kind: Kind, mode: UInt32? = nil, uid: UInt32 = 0, gid: UInt32 = 0,
    modificationTime: Int64 = 0, extendedAttributes: [String: [UInt8]] = [:]
  ) {
    self.path = path
    self.kind = kind
    self.mode = mode ?? Self.usualMode(kind)
    self.uid = uid
    self.gid = gid
    self.modificationTime = modificationTime
    self.extendedAttributes = extendedAttributes
  }

  private static func usualMode(_ kind: Kind) -> UInt32 {
    switch kind {
    case .directory: 0o755
    case .symbolicLink: 0o777
    default: 0o644
    }
  }

  /// Bytes of content that follow the header.
  public var size: Int64 {
    if case .file(let size) = kind { return size }
    return 0
  }

  /// The reason why a path must not be unpacked; `nil` for a good one.
  static func fault(inPath path: String) -> String? {
    if path.isEmpty { return "the name is empty" }
    if path.utf8.contains(0) { return "the name contains a zero byte" }
    if path.hasPrefix("/") { return "the name is absolute" }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    if parts.contains("..") { return "the name leads out of the archive" }
    if parts.contains("") || (parts.contains(".") && path != ".") { return "the name is not in its plain form" }
    return nil
  }
}

/// Why a tar archive could not be written or was refused.
public struct TarError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case hostileName(String)
    case hostileLink(String)
    /// Names that no file system could hold.
    case badName(String)
    /// A symbolic link without a target, or with one that no file system could hold.
    case badLinkTarget
    case notATar
    case badChecksum
    case badNumber(field: String)
    case badExtendedHeader
    case unsupported(type: UInt8)
    case truncated
    case tooManyEntries(limit: Int)
    case tooLarge(limitBytes: Int64)
    case headerTooLarge(limitBytes: Int)
    case valueTooLarge(field: String)
    /// Content and announced size differ.
    case sizeMismatch(announced: Int64, written: Int64)
  }

  public let reason: Reason
  /// The member's name, as far as it is known.
  public let path: String

  public init(_ reason: Reason, path: String = "") {
    self.reason = reason
    self.path = path
  }

  public var description: String {
    let what =
      switch reason {
      case .hostileName(let why), .badName(let why): why
      case .hostileLink(let why): "hard link: \(why)"
      case .badLinkTarget: "a symbolic link without a usable target"
      case .notATar: "this is not a tar archive"
      case .badChecksum: "a header's checksum is wrong: the archive is damaged"
      case .badNumber(let field): "the field \(field) is not a number"
      case .badExtendedHeader: "an extended header is malformed"
      case .unsupported(let type): "members of type \(Character(UnicodeScalar(type))) are not supported"
      case .truncated: "the archive ends too early"
      case .tooManyEntries(let limit): "the archive has more than \(limit) members"
      case .tooLarge(let limit): "the archive holds more than \(limit) bytes"
      case .headerTooLarge(let limit): "an extended header is larger than \(limit) bytes"
      case .valueTooLarge(let field): "\(field) is too large for a tar header"
      case .sizeMismatch(let announced, let written):
        "\(announced) bytes were announced, \(written) came: the file changed while it was read"
      }
    return path.isEmpty ? what : "\(path): \(what)"
  }

  /// A name for people; bytes that are not UTF-8 are replaced.
  static func text(_ path: some Sequence<UInt8>) -> String { String(decoding: Array(path), as: UTF8.self) }
}

extension TarEntry {
  /// - Throws: `TarError` if a name is not UTF-8.
  init(_ entry: LayerEntry) throws(TarError) {
    func text(_ bytes: [UInt8]) throws(TarError) -> String {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw TarError(.hostileName("the name is not UTF-8"), path: TarError.text(entry.path))
      }
      return text
    }
    let kind: Kind =
      switch entry.kind {
      case .file(let size): .file(size: size)
      case .directory: .directory
      case .symbolicLink(let target): .symbolicLink(target: try text(target))
      case .hardLink(let target): .hardLink(target: try text(target))
      case .characterDevice(let major, let minor): .characterDevice(major: major, minor: minor)
      case .blockDevice(let major, let minor): .blockDevice(major: major, minor: minor)
      case .fifo: .fifo
      }
    let attributes = entry.attributes
    self.init(
      entry.path.isEmpty ? "." : try text(entry.path), kind, mode: UInt32(attributes.mode), uid: attributes.uid,
      gid: attributes.gid, modificationTime: attributes.modificationTime.seconds,
      extendedAttributes: attributes.extendedAttributes)
  }
}
