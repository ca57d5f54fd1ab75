/// Bodies of answers to `FUSERequest`s, as the kernel's `linux/fuse.h` has them.
public struct FUSEAnswer: Sendable, Hashable {
  public private(set) var bytes: [UInt8] = []

  /// A file or directory; read-only, and only root's.
  public struct Attributes: Sendable, Hashable {
    public var node: UInt64
    public var size: Int64
    public var isDirectory: Bool

    public init(node: UInt64, size: Int64, isDirectory: Bool = false) {
      self.node = node
      self.size = size
      self.isDirectory = isDirectory
    }
  }

  private init() {}
  public static let empty = FUSEAnswer()

  /// To the first request: `fuse_init_out`.
  /// - Parameters:
  ///   - minor: the kernel's; answers here are of 7.31 or newer.
  ///   - readBytes: the largest read, in whole pages.
  public static func initialized(minor: UInt32, readAheadBytes: UInt32, features: FUSEFeatures, readBytes: Int)
    -> FUSEAnswer
  {
    var answer = FUSEAnswer()
    let features = features.union(.moreFlags).rawValue
    answer.add(UInt32(7), minor, readAheadBytes, UInt32(truncatingIfNeeded: features))
    // As many requests at once as there are readers: one that waits long keeps no other from being asked.
    answer.add(UInt16.max, UInt16.max)
    // The largest write (there are none), and the unit of times.
    answer.add(UInt32(4096), UInt32(1))
    answer.add(UInt16(clamping: readBytes / 4096), UInt16(0))
    answer.add(UInt32(truncatingIfNeeded: features >> 32))
    answer.bytes += [UInt8](repeating: 0, count: 64 - answer.bytes.count)
    return answer
  }

  /// To a look-up: `fuse_entry_out`. The name is asked for again each time, the attributes are not.
  public static func entry(_ attributes: Attributes) -> FUSEAnswer {
    var answer = FUSEAnswer()
    answer.add(attributes.node, UInt64(0), UInt64(0), validSeconds)
    answer.add(UInt32(0), UInt32(0))
    answer.add(attributes)
    return answer
  }

  /// `fuse_attr_out`
  public static func attributes(_ attributes: Attributes) -> FUSEAnswer {
    var answer = FUSEAnswer()
    answer.add(validSeconds)
    answer.add(UInt32(0), UInt32(0))
    answer.add(attributes)
    return answer
  }

  /// `fuse_open_out`
  /// - Parameter direct: what is read is not kept in the kernel's memory on behalf of this file.
  public static func opened(direct: Bool) -> FUSEAnswer {
    var answer = FUSEAnswer()
    answer.add(UInt64(0))
    answer.add(UInt32(direct ? 1 : 0), UInt32(0))
    return answer
  }

  /// `fuse_statfs_out`, of a file system without room.
  public static let statistics: FUSEAnswer = {
    var answer = FUSEAnswer()
    answer.bytes = [UInt8](repeating: 0, count: 40)
    answer.add(UInt32(4096), UInt32(255), UInt32(4096))
    answer.bytes += [UInt8](repeating: 0, count: 80 - answer.bytes.count)
    return answer
  }()

  private static let validSeconds: UInt64 = 3600

  private mutating func add<each Word: FixedWidthInteger>(_ words: repeat each Word) {
    for word in repeat each words {
      for shift in 0..<word.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * shift))) }
    }
  }

  /// `fuse_attr`
  private mutating func add(_ attributes: Attributes) {
    add(attributes.node, UInt64(clamping: attributes.size), UInt64(clamping: (attributes.size + 511) / 512))
    // Times: none.
    bytes += [UInt8](repeating: 0, count: 36)
    add(attributes.isDirectory ? UInt32(0o040500) : 0o100400, UInt32(attributes.isDirectory ? 2 : 1))
    add(UInt32(0), UInt32(0), UInt32(0), UInt32(4096), UInt32(0))
  }
}
