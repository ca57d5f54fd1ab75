import CLinux
import Glibc

/// A fanotify group that is asked before the content of marked files is read (fanotify(7), `FAN_CLASS_PRE_CONTENT`,
/// Linux 6.14). Whoever reads waits, killable, until every group that marked the file has answered.
///
/// When the last descriptor of the group is closed, the kernel lets all readers pass.
public final class PreContentGroup: Sendable {
  public let descriptor: SharedDescriptor

  /// Makes a group; it does not block when read.
  /// - Throws: `EPERM` without CAP_SYS_ADMIN, `EINVAL` on kernels without fanotify permission events.
  public convenience init() throws(SystemError) {
    self.init(SharedDescriptor(owning: try check(nagaya_fanotify_open(), "fanotify_init", "pre-content")))
  }

  /// A group that another process made.
  public init(_ descriptor: SharedDescriptor) { self.descriptor = descriptor }

  /// Asks from now on before the file is read; fine if it was marked before. Descriptors that were opened before raise no
  /// events, those opened later do, also when written to.
  /// - Throws: `EOPNOTSUPP` or `EINVAL` on file systems and kernels without such events.
  public func mark(_ file: SharedDescriptor) throws(SystemError) {
    try check(nagaya_fanotify_mark(descriptor.number, file.number, 1), "fanotify_mark", "/proc/self/fd/\(file.number)")
  }

  /// Asks no more; events that wait must still be answered. Fine if the file is not marked.
  public func unmark(_ file: SharedDescriptor) throws(SystemError) {
    let answer = nagaya_fanotify_mark(descriptor.number, file.number, 0)
    if answer != -ENOENT { try check(answer, "fanotify_mark", "/proc/self/fd/\(file.number)") }
  }

  /// Lets the reader of an event go on.
  /// - Parameter number: of the event, whichever process read it.
  /// - Returns: false if nobody waits (any more) for this number.
  @discardableResult
  public func allow(_ number: Int32) -> Bool { nagaya_fanotify_respond(descriptor.number, number, 0) == 0 }

  /// Fails the reader of an event; through EROFS it sees EIO, whatever `errno` says here.
  @discardableResult
  public func deny(_ number: Int32, errno: Int32 = EIO) -> Bool {
    nagaya_fanotify_respond(descriptor.number, number, errno) == 0
  }

  /// Reads the events that wait into `buffer`.
  /// - Returns: bytes filled; 0 if there are none.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
    while true {
      let count = Glibc.read(descriptor.number, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      if errno == EAGAIN { return 0 }
      if errno != EINTR { throw SystemError.last("read", "fanotify") }
    }
  }
}

/// Somebody wants to read a range of a marked file.
public struct PreContentEvent: Sendable, Hashable {
  /// Names the event in the answer: a descriptor of the file in the process that read the event, which must close it
  /// after the answer. Writing through it raises no event.
  public var number: Int32
  /// Of the reader.
  public var process: Int32
  /// In bytes of the file.
  public var range: Range<Int64>

  public init(number: Int32, process: Int32, range: Range<Int64>) {
    self.number = number
    self.process = process
    self.range = range
  }

  /// Takes events out of what `PreContentGroup.read` gave (struct fanotify_event_metadata, fanotify(7)).
  public static func parse(_ buffer: UnsafeRawBufferPointer, _ body: (PreContentEvent) -> Void) {
    var start = 0
    while buffer.count - start >= 24 {
      let length = Int(buffer.loadUnaligned(fromByteOffset: start, as: UInt32.self))
      let headBytes = Int(buffer.loadUnaligned(fromByteOffset: start + 6, as: UInt16.self))
      guard length >= 24, length <= buffer.count - start, headBytes >= 24 else { return }
      let number = buffer.loadUnaligned(fromByteOffset: start + 16, as: Int32.self)
      let process = buffer.loadUnaligned(fromByteOffset: start + 20, as: Int32.self)
      var range: Range<Int64> = 0..<Int64.max
      var info = start + headBytes
      while start + length - info >= 4 {
        let size = Int(buffer.loadUnaligned(fromByteOffset: info + 2, as: UInt16.self))
        guard size >= 4, size <= start + length - info else { break }
        if buffer[info] == rangeInfo, size >= 24 {
          let offset = Int64(clamping: buffer.loadUnaligned(fromByteOffset: info + 8, as: UInt64.self))
          let count = Int64(clamping: buffer.loadUnaligned(fromByteOffset: info + 16, as: UInt64.self))
          range = offset..<(count > Int64.max - offset ? Int64.max : offset + count)
        }
        info += size
      }
      if number >= 0 { body(PreContentEvent(number: number, process: process, range: range)) }
      start += length
    }
  }

  /// `FAN_EVENT_INFO_TYPE_RANGE`
  private static let rangeInfo: UInt8 = 6
}
