/// Bytes that can be read at any place, from several tasks at once: a file, a blob in memory.
public protocol RandomAccessBytes: Sendable {
  /// In bytes.
  var size: Int64 { get }
  /// - Throws: if the range is not whole there.
  func read(_ range: Range<Int64>) throws -> [UInt8]
}

/// Bytes in memory.
public struct MemoryBytes: RandomAccessBytes {
  private let bytes: [UInt8]
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public var size: Int64 { Int64(bytes.count) }

  public func read(_ range: Range<Int64>) throws -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= size else { throw OutOfBounds(range: range, size: size) }
    return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
  }
}

/// A range that reaches beyond the end.
public struct OutOfBounds: Error, Hashable, CustomStringConvertible {
  public let range: Range<Int64>
  public let size: Int64

  public init(range: Range<Int64>, size: Int64) {
    self.range = range
    self.size = size
  }

  public var description: String { "bytes \(range) of \(size) were wanted" }
}

/// A range of random-access bytes, read from front to back.
public struct RangeSource<Bytes: RandomAccessBytes>: ByteSource {
  private let bytes: Bytes
  private var rest: Range<Int64>

  public init(_ bytes: Bytes, _ range: Range<Int64>? = nil) {
    self.bytes = bytes
    rest = range ?? 0..<bytes.size
  }

  public mutating func read(upTo count: Int) throws -> ArraySlice<UInt8> {
    let piece = rest.lowerBound..<min(rest.upperBound, rest.lowerBound + Int64(max(1, count)))
    guard !piece.isEmpty else { return [] }
    rest = piece.upperBound..<rest.upperBound
    return try bytes.read(piece)[...]
  }
}
