/// One member of a layer as its archive or table of contents lists it; names are bytes, as in the kernel.
public struct LayerEntry: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    case file(size: Int64)
    case directory
    /// The target is free text; it is never followed here.
    case symbolicLink(target: [UInt8])
    /// Another name of a member; the target is a path like `LayerEntry.path`.
    case hardLink(target: [UInt8])
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
  }

  /// In the form of `LayerPath.plain`; empty for the root itself.
  public var path: [UInt8]
  public var kind: Kind
  public var attributes: FileAttributes

  public init(path: [UInt8], kind: Kind, attributes: FileAttributes = FileAttributes()) {
    self.path = path
    self.kind = kind
    self.attributes = attributes
  }

  /// Bytes of content.
  public var size: Int64 {
    if case .file(let size) = kind { return size }
    return 0
  }
}

/// Names within a layer.
public enum LayerPath {
  /// The longest path taken, in bytes (the kernel's PATH_MAX).
  public static let limit = 4096

  /// Why a name must not be unpacked.
  public enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
    case containsZero, leadsOut, tooLong

    public var description: String {
      switch self {
      case .containsZero: "the name contains a zero byte"
      case .leadsOut: "the name leads out of the archive"
      case .tooLong: "the name is longer than \(LayerPath.limit) bytes"
      }
    }
  }

  /// The path as containerd cleans it (Go's `filepath.Clean`): relative to the root, without `.` parts and superfluous
  /// slashes, `..` resolved; empty for the root itself.
  /// - Throws: for names that lead out of the root, or that no file system could hold.
  public static func plain(_ name: some Collection<UInt8>) throws(Fault) -> [UInt8] {
    guard name.count <= limit else { throw .tooLong }
    var path: [UInt8] = []
    path.reserveCapacity(name.count)
    // Above an absolute name's root there is nothing.
    let isAbsolute = name.first == slash
    for part in name.split(separator: slash) {
      if part.count == 1, part.first == dot { continue }
      if part.count == 2, part.allSatisfy({ $0 == dot }) {
        guard !path.isEmpty || isAbsolute else { throw .leadsOut }
        path.removeSubrange((path.lastIndex(of: slash) ?? 0)...)
        continue
      }
      if part.contains(0) { throw .containsZero }
      if !path.isEmpty { path.append(slash) }
      path.append(contentsOf: part)
    }
    return path
  }

  static let slash = UInt8(ascii: "/")
  static let dot = UInt8(ascii: ".")
}
