/// Somewhere bytes go: memory, a file, a compressor.
public protocol ByteSink {
  /// Takes all of `bytes`, or throws.
  mutating func write(_ bytes: ArraySlice<UInt8>) throws
}

extension ByteSink {
  public mutating func write(_ bytes: [UInt8]) throws { try write(bytes[...]) }
}

extension [UInt8]: ByteSink {
  public mutating func write(_ bytes: ArraySlice<UInt8>) { append(contentsOf: bytes) }
}

/// Somewhere bytes come from, in order and once.
public protocol ByteSource {
  /// The next bytes: at least one and at most `count`; none at the end.
  mutating func read(upTo count: Int) throws -> ArraySlice<UInt8>
}

/// Bytes in memory as a source.
public struct MemorySource: ByteSource {
  private var rest: ArraySlice<UInt8>

  public init(_ bytes: some Collection<UInt8>) { rest = Array(bytes)[...] }

  public mutating func read(upTo count: Int) -> ArraySlice<UInt8> {
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }
}

/// Keeps a blob until its digest and size are known, then plays it back.
public protocol BlobSpool: ByteSink {
  /// Gives everything written so far to `body`, in order.
  func replay(_ body: (ArraySlice<UInt8>) throws -> Void) throws
}

/// A spool in memory, for small images and tests.
public struct MemorySpool: BlobSpool {
  private var bytes: [UInt8] = []
  public init() {}
  public mutating func write(_ bytes: ArraySlice<UInt8>) { self.bytes.append(contentsOf: bytes) }
  public func replay(_ body: (ArraySlice<UInt8>) throws -> Void) throws { try body(bytes[...]) }
}
