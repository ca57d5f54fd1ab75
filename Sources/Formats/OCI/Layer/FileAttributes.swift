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
}
