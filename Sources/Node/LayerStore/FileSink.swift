import LinuxSystem
public import OCI

/// A file that is written from front to back.
public struct FileSink: ByteSink {
  let file: SharedDescriptor
  /// Bytes written.
  public private(set) var count: Int64 = 0

  init(_ file: SharedDescriptor) { self.file = file }

  public mutating func write(_ bytes: ArraySlice<UInt8>) throws {
    try file.write(bytes, at: count)
    count += Int64(bytes.count)
  }
}
