import Glibc
import LinuxSystem

/// What a volume that moves to another node takes along beside its bytes.
public struct VolumeTraits: Sendable, Hashable {
  /// The target gets as many, or as many more as its pool's unit asks for.
  public var bytes: Int64
  /// `nil`: a raw block device.
  public var fileSystem: FileSystemType?
  /// Whether there is a file system on it yet.
  public var isFormatted: Bool
  /// The size of the device for which the file system was made or last grown.
  public var fileSystemBytes: Int64
  public var parameters: [String: String]

  public init(
    bytes: Int64, fileSystem: FileSystemType?, isFormatted: Bool, fileSystemBytes: Int64, parameters: [String: String]
  ) {
    self.bytes = bytes
    self.fileSystem = fileSystem
    self.isFormatted = isFormatted
    self.fileSystemBytes = fileSystemBytes
    self.parameters = parameters
  }
}

/// How a volume that moves stands on one node.
public enum MovingState: Sendable, Hashable {
  /// A copy that is not whole.
  case receiving
  /// Whole, and used by nobody.
  case sealed
}

extension VolumeRecord {
  var traits: VolumeTraits {
    VolumeTraits(
      bytes: bytes, fileSystem: fileSystem, isFormatted: format == .formatted, fileSystemBytes: fileSystemBytes,
      parameters: parameters)
  }

  var movingState: MovingState? {
    switch state {
    case .receiving: .receiving
    case .sealed: .sealed
    case .ready, .expanding, .creating, .deleting: nil
    }
  }

  /// The record of a volume that is being received.
  init(receiving name: String, _ traits: VolumeTraits, bytes: Int64) {
    self.init(
      VolumeRequest(name: name, bytes: bytes, fileSystem: traits.fileSystem, parameters: traits.parameters),
      bytes: bytes)
    state = .receiving
  }

  /// The same, whole.
  func received(_ traits: VolumeTraits) -> VolumeRecord {
    var record = self
    record.state = .sealed
    record.format = traits.isFormatted ? .formatted : .blank
    record.fileSystemBytes = traits.isFormatted ? traits.fileSystemBytes : 0
    record.parameters = traits.parameters
    return record
  }

  /// - Throws: `VolumeError.conflict` if what is here of that name is not what comes.
  func check(receives traits: VolumeTraits) throws(VolumeError) {
    guard state == .receiving || state == .sealed else {
      throw .conflict(volume: name, reason: "and is no copy that is being received")
    }
    guard bytes >= traits.bytes, fileSystem == traits.fileSystem else {
      throw .conflict(volume: name, reason: "as a copy with \(bytes) bytes where \(traits.bytes) come")
    }
  }
}

/// The bytes of a volume, for who copies it. Every call waits for the disk: call it in `BlockingWork`.
public final class VolumeContents: Sendable {
  /// The size.
  public let bytes: Int64
  private let file: OpenFile
  /// A file may have holes; of a block device nothing is known.
  private let isFile: Bool

  /// - Parameter path: of a file or a block device.
  init(_ path: String, bytes: Int64, writing: Bool) throws(SystemError) {
    file = try OpenFile(path, writing ? .readWrite : .read)
    isFile = try FileStatus(of: path)?.kind == .file
    self.bytes = bytes
    // The kernel may have kept what the device held before its file system wrote past that.
    forget()
  }

  /// The first stretch from `offset` on that may hold something else than zeros; `nil` if there is none.
  public func data(from offset: Int64) throws(SystemError) -> Range<Int64>? {
    guard offset < bytes else { return nil }
    guard isFile else { return offset..<bytes }
    let path = file.path
    return try file.withDescriptor { (descriptor) throws(SystemError) -> Range<Int64>? in
      let start = lseek(descriptor, off_t(offset), 3)  // SEEK_DATA
      guard start >= 0 else {
        if errno == ENXIO { return nil }
        throw SystemError.last("lseek(SEEK_DATA)", path)
      }
      let end = lseek(descriptor, start, 4)  // SEEK_HOLE
      guard end >= 0 else { throw SystemError.last("lseek(SEEK_HOLE)", path) }
      guard Int64(start) < bytes else { return nil }
      return Int64(start)..<min(Int64(end), bytes)
    }
  }

  /// Fills the buffer with what is at `offset`; behind the end of the volume with zeros.
  public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
    let path = file.path
    try file.withDescriptor { (descriptor) throws(SystemError) in
      var done = 0
      while done < buffer.count {
        let count = pread(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset) + done)
        if count < 0 {
          if errno == EINTR { continue }
          throw SystemError.last("read", path)
        }
        if count == 0 { break }
        done += count
      }
      if done < buffer.count {
        UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).initializeMemory(as: UInt8.self, repeating: 0)
      }
    }
  }

  public func write(_ bytes: [UInt8], at offset: Int64) throws(SystemError) { try file.write(bytes, at: offset) }

  /// Makes a stretch read as zeros.
  public func zero(at offset: Int64, count: Int) throws(SystemError) {
    if isFile { return try file.punchHole(offset: offset, bytes: Int64(count)) }
    try file.write([UInt8](repeating: 0, count: count), at: offset)
  }

  /// Waits until all that was written is on the disk.
  public func sync() throws(SystemError) { try file.sync() }

  /// Has the kernel forget what it keeps of the volume in memory, so that the next read is the disk's.
  public func forget() {
    file.withDescriptor { _ = posix_fadvise($0, 0, 0, POSIX_FADV_DONTNEED) }
  }
}
