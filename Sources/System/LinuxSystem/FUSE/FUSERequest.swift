/// What the kernel asks of a FUSE file system that holds a few files in one directory (fuse(4), protocol 7).
///
/// Messages of the kernel are not hostile, yet nothing is read outside of them.
public struct FUSERequest: Sendable, Hashable {
  public enum Operation: Sendable, Hashable {
    /// The first one: versions and what the kernel can do.
    case initialize(major: UInt32, minor: UInt32, readAheadBytes: UInt32, features: FUSEFeatures)
    /// Which node has this name in the directory `node`.
    case lookUp(name: String)
    case attributes
    case open
    case read(offset: Int64, count: Int)
    case release
    case statistics
    /// Needs no answer: nodes are not needed any more, a waiting request was interrupted.
    case forget
    case interrupt(of: UInt64)
    /// The file system goes.
    case destroy
    /// What a file system need not know, and what could not be understood.
    case other(code: UInt32)
  }

  /// Names the request in the answer.
  public var number: UInt64
  /// The file or directory that it is about; 1 is the directory.
  public var node: UInt64
  /// The thread that waits, if one does.
  public var process: UInt32
  public var operation: Operation

  /// The directory's node (`FUSE_ROOT_ID`).
  public static let root: UInt64 = 1
  /// What a buffer for requests must hold at least (`FUSE_MIN_READ_BUFFER`).
  public static let bufferBytes = 8192

  public init(number: UInt64, node: UInt64, process: UInt32, operation: Operation) {
    self.number = number
    self.node = node
    self.process = process
    self.operation = operation
  }

  /// Understands one message; `nil` for one that is cut off.
  public init?(_ message: UnsafeRawBufferPointer) {
    let words = MessageBytes(message)
    guard let length = words.u32(0), length >= Self.headerBytes, Int(length) <= message.count, let code = words.u32(4),
      let number = words.u64(8), let node = words.u64(16), let process = words.u32(32)
    else { return nil }
    let body = MessageBytes(UnsafeRawBufferPointer(rebasing: message[Int(Self.headerBytes)..<Int(length)]))
    self.init(
      number: number, node: node, process: process, operation: Self.operation(code, body) ?? .other(code: code))
  }

  private static let headerBytes: UInt32 = 40

  private static func operation(_ code: UInt32, _ body: MessageBytes) -> Operation? {
    switch code {
    case 1:
      guard let end = body.bytes.firstIndex(of: 0) else { return nil }
      return .lookUp(name: String(decoding: body.bytes[..<end], as: UTF8.self))
    case 2, 42: return .forget
    case 3: return .attributes
    case 14: return .open
    case 15:
      guard let offset = body.u64(8), let count = body.u32(16), offset <= UInt64(Int64.max - Int64(count)) else {
        return nil
      }
      return .read(offset: Int64(offset), count: Int(count))
    case 17: return .statistics
    case 18: return .release
    case 26:
      guard let major = body.u32(0), let minor = body.u32(4), let readAhead = body.u32(8), let flags = body.u32(12)
      else {
        return nil
      }
      var features = UInt64(flags)
      if features & FUSEFeatures.moreFlags.rawValue != 0 { features |= UInt64(body.u32(16) ?? 0) << 32 }
      return .initialize(
        major: major, minor: minor, readAheadBytes: readAhead, features: FUSEFeatures(rawValue: features))
    case 36: return body.u64(0).map { .interrupt(of: $0) }
    case 38: return .destroy
    default: return nil
    }
  }
}

/// What kernel and file system agree on in the first request (`FUSE_INIT`).
public struct FUSEFeatures: OptionSet, Sendable, Hashable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Several reads of one file at once.
  public static let parallelReads = FUSEFeatures(rawValue: 1 << 0)
  /// Direct reads need no thread that waits, and fail as a whole.
  public static let asynchronousDirectReads = FUSEFeatures(rawValue: 1 << 15)
  /// How much is read at once is said in pages.
  public static let largeReads = FUSEFeatures(rawValue: 1 << 22)
  /// There are more than 32 of these.
  public static let moreFlags = FUSEFeatures(rawValue: 1 << 30)
  /// Requests that a dead process had taken are asked again (Linux 6.9).
  public static let asksAgain = FUSEFeatures(rawValue: 1 << 39)
}

/// Little-endian fields of a message, as the kernel of this machine writes them.
private struct MessageBytes {
  let bytes: UnsafeRawBufferPointer
  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  func u32(_ offset: Int) -> UInt32? {
    bytes.count - offset >= 4 ? bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self) : nil
  }

  func u64(_ offset: Int) -> UInt64? {
    bytes.count - offset >= 8 ? bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) : nil
  }
}
