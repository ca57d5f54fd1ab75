import CLinux
import Glibc

/// A file in memory, shared with every process that maps it; what was stored survives the process, not the machine.
// Unchecked: the memory is touched by atomic calls and by `bytes`, whose users agree who writes where.
public final class SharedMapping: @unchecked Sendable {
  public let bytes: UnsafeMutableRawBufferPointer

  /// Maps the first `count` bytes of a file that is at least that long.
  public init(_ file: SharedDescriptor, count: Int, writable: Bool = true) throws(SystemError) {
    let memory = mmap(nil, count, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file.number, 0)
    guard let memory, memory != MAP_FAILED else { throw SystemError.last("mmap", "/proc/self/fd/\(file.number)") }
    bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
  }

  deinit { munmap(bytes.baseAddress, bytes.count) }
}

/// Bits in shared memory, set one by one and cleared all at once; safe among threads and processes.
public struct SharedBits: Sendable {
  private let mapping: SharedMapping
  private let offset: Int
  public let count: Int

  /// - Parameters:
  ///   - offset: where they begin, in bytes.
  ///   - count: number of bits.
  public init(_ mapping: SharedMapping, offset: Int, count: Int) {
    precondition(
      offset >= 0 && count >= 0 && offset + Self.bytes(count) <= mapping.bytes.count, "bits outside of memory")
    self.mapping = mapping
    self.offset = offset
    self.count = count
  }

  /// Bytes that `count` bits take.
  public static func bytes(_ count: Int) -> Int { (count + 7) / 8 }

  private var base: UnsafeMutableRawPointer? { mapping.bytes.baseAddress?.advanced(by: offset) }

  /// - Returns: whether this call set it.
  @discardableResult
  public func set(_ bit: Int) -> Bool {
    precondition(bit >= 0 && bit < count, "no such bit")
    return nagaya_bit_set(base, UInt64(bit)) == 0
  }

  public subscript(bit: Int) -> Bool {
    precondition(bit >= 0 && bit < count, "no such bit")
    return nagaya_bit_test(base, UInt64(bit)) != 0
  }

  /// The first clear bit at or behind `from`; `nil` if all are set.
  public func firstClear(from: Int = 0, to end: Int? = nil) -> Int? {
    let end = min(end ?? count, count)
    guard from < end else { return nil }
    let found = Int(nagaya_bit_first_clear(base, UInt64(from), UInt64(end)))
    return found < end ? found : nil
  }

  public func areAllSet(_ range: Range<Int>) -> Bool { firstClear(from: range.lowerBound, to: range.upperBound) == nil }

  public func clearAll() {
    base?.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes(count))
  }

  /// A copy as bytes; the bits of bytes that are being set may be in it or not.
  public func snapshot() -> [UInt8] {
    (0..<Self.bytes(count)).map { mapping.bytes[offset + $0] }
  }
}
