import CLinux
import Glibc

/// A file system of this process (fuse(4)), spoken to in the kernel's own protocol. With the last descriptor of the
/// connection it is gone: whoever reads gets an error.
///
/// The mount is attached nowhere: its files are reached through the mount's descriptor, as
/// `/proc/self/fd/NUMBER/NAME`, and nobody else stumbles over it. It goes with its last descriptor and open file.
public final class FUSEConnection: Sendable {
  public let descriptor: SharedDescriptor
  public let mount: SharedDescriptor

  /// The largest read that is agreed on: what every kernel can do (`FUSE_MAX_MAX_PAGES`).
  public static let readBytes = 1 << 20

  /// Makes a file system; the first request comes at once, and before it is answered nothing can be opened.
  /// - Throws: `ENODEV` on kernels without FUSE, `ENOENT` without /dev/fuse, `EPERM` without CAP_SYS_ADMIN.
  public convenience init() throws(SystemError) {
    // First, as this is what loads the kernel's module.
    let context = SharedDescriptor(owning: try check(nagaya_fs_open("fuse"), "fsopen", "fuse"))
    let descriptor = SharedDescriptor(owning: try check(nagaya_fuse_open(), "open", "/dev/fuse"))
    let options = [
      ("source", "nagaya"), ("fd", "\(descriptor.number)"), ("rootmode", "40000"), ("user_id", "\(geteuid())"),
      ("group_id", "\(getegid())"),
    ]
    for (key, value) in options {
      try check(nagaya_fs_set(context.number, key, value), "fsconfig(\(key))", "fuse")
    }
    for flag in ["ro", "default_permissions"] {
      try check(nagaya_fs_set(context.number, flag, nil), "fsconfig(\(flag))", "fuse")
    }
    try check(nagaya_fs_create(context.number), "fsconfig(create)", "fuse")
    let mount = try check(nagaya_fs_mount_data(context.number), "fsmount", "fuse")
    self.init(descriptor: descriptor, mount: SharedDescriptor(owning: mount))
  }

  /// A file system that another process made.
  public init(descriptor: SharedDescriptor, mount: SharedDescriptor) {
    self.descriptor = descriptor
    self.mount = mount
  }

  /// Where a file is found, in this process and in `ApartMount`'s.
  public func path(of name: String) -> String { "/proc/self/fd/\(mount.number)/\(name)" }

  /// Whether the kernel still asks: nobody aborted it (fusectl).
  public var isAlive: Bool {
    var entry = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) >= 0 && entry.revents & Int16(POLLERR) == 0
  }

  public enum Received: Sendable, Hashable {
    case request(FUSERequest)
    /// Nothing waits.
    case nothing
    /// Nothing will come any more: somebody aborted the connection.
    case end
  }

  /// Takes the next request that waits.
  /// - Parameter buffer: of `FUSERequest.bufferBytes`.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Received {
    while true {
      let count = read(descriptor.number, buffer.baseAddress, buffer.count)
      if count < 0 {
        switch errno {
        case EAGAIN: return .nothing
        case ENODEV: return .end
        // The reader is gone again.
        case EINTR, ENOENT: continue
        default: throw SystemError.last("read", "/dev/fuse")
        }
      }
      if let request = FUSERequest(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { return .request(request) }
    }
  }

  /// - Returns: whether somebody waited for it.
  @discardableResult public func answer(_ number: UInt64, _ answer: FUSEAnswer) -> Bool {
    answer.bytes.withUnsafeBytes { send(number, 0, $0) }
  }

  /// - Returns: whether somebody waited for it.
  @discardableResult public func answer(_ number: UInt64, content: UnsafeRawBufferPointer) -> Bool {
    send(number, 0, content)
  }

  @discardableResult public func fail(_ number: UInt64, errno: Int32) -> Bool {
    send(number, -errno, UnsafeRawBufferPointer(start: nil, count: 0))
  }

  /// Asks for everything again that was taken and not answered (`FUSE_NOTIFY_RESEND`); only while nobody else answers.
  public func askAgain() throws(SystemError) {
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    guard send(0, 7, empty) else { throw SystemError.last("write(FUSE_NOTIFY_RESEND)", "/dev/fuse") }
  }

  private func send(_ number: UInt64, _ error: Int32, _ body: UnsafeRawBufferPointer) -> Bool {
    let length = Self.headBytes + body.count
    var head: (UInt32, Int32, UInt64) = (UInt32(length), error, number)
    return withUnsafeBytes(of: &head) { head in
      var written: Int
      repeat {
        written = nagaya_write_two(descriptor.number, head.baseAddress, Self.headBytes, body.baseAddress, body.count)
      } while written == -Int(EINTR)
      if written < 0 { Glibc.errno = Int32(-written) }
      return written == length
    }
  }

  /// `fuse_out_header`
  private static let headBytes = 16
}
