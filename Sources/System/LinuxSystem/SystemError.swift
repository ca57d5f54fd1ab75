import CLinux
import Glibc

/// A kernel call that failed: which one, on what, and why.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The call as in section 2 of the manual: `mount`, `ioctl(LOOP_CONFIGURE)`.
  public let call: String
  /// The file, directory or device it was about.
  public let path: String
  /// The `errno` value.
  public let errno: Int32

  public init(_ call: String, _ path: String, errno: Int32) {
    self.call = call
    self.path = path
    self.errno = errno
  }

  /// The failure of the call that was just made on this thread.
  public static func last(_ call: String, _ path: String) -> SystemError {
    SystemError(call, path, errno: Glibc.errno)
  }

  public var description: String { "\(call) \(path): \(Self.message(errno))" }

  /// The C library's text for an `errno` value.
  public static func message(_ errno: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let base = buffer.baseAddress else { return "error \(errno)" }
      buffer.initialize(repeating: 0)
      nagaya_error_text(errno, base, buffer.count)
      return String(cString: base)
    }
  }

  public var isNotFound: Bool { errno == ENOENT }
  /// The file system or the quota is full.
  public var isOutOfSpace: Bool { errno == ENOSPC || errno == EDQUOT }
}

/// Turns the answer of a `CLinux` function (`-errno` on failure) into a value or an error.
@discardableResult
func check(_ answer: Int32, _ call: String, _ path: String) throws(SystemError) -> Int32 {
  guard answer >= 0 else { throw SystemError(call, path, errno: -answer) }
  return answer
}
