/// A point in time as file systems keep it.
public struct FileTime: Sendable, Hashable, Comparable {
  /// Since 1970, rounded down.
  public var seconds: Int64
  /// 0 to 999,999,999.
  public var nanoseconds: UInt32

  public init(seconds: Int64 = 0, nanoseconds: UInt32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  public static func < (left: FileTime, right: FileTime) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }
}

/// What every kind of file has.
public struct FileAttributes: Sendable, Hashable {
  /// Permission, set-id and sticky bits: `0o755`.
  public var mode: UInt16
  public var uid: UInt32
  public var gid: UInt32
  public var modificationTime: FileTime
  /// `security.capability`, `user.…`; values are bytes.
  public var extendedAttributes: [String: [UInt8]]

  public init(
    mode: UInt16 = 0o644, uid: UInt32 = 0, gid: UInt32 = 0, modificationTime: FileTime = FileTime(),
    extendedAttributes: [String: [UInt8]] = [:]
  ) {
    self.mode = mode & 0o7777
    self.uid = uid
    self.gid = gid
    self.modificationTime = modificationTime
    self.extendedAttributes = extendedAttributes
  }

  /// What containerd makes of them when it unpacks a layer (pkg/archive): times before 1970 and beyond 2262 become 1970;
  /// attributes of administrators are left out, and those of users where the kernel takes none.
  func asUnpacked(_ kind: LayerEntry.Kind) -> FileAttributes {
    var unpacked = self
    let time = modificationTime
    if time.seconds < 0 || time > FileTime(seconds: 9_223_372_036, nanoseconds: 854_775_807) {
      unpacked.modificationTime = FileTime()
    }
    guard !extendedAttributes.isEmpty else { return unpacked }
    var takesUsers = true
    switch kind {
    case .file, .directory, .hardLink: break
    default: takesUsers = false
    }
    unpacked.extendedAttributes = extendedAttributes.filter {
      !$0.key.hasPrefix("trusted.") && (takesUsers || !$0.key.hasPrefix("user."))
    }
    return unpacked
  }
}
