import LinuxSystem
import OCI

import struct Synchronization.Atomic

/// What of a layer is in its data file.
///
/// Kept in shared memory, in a file that is good for as long as the machine runs: bytes that were written survive the
/// process in the page cache. A copy on the disk (`DurablePresence`) is made after the bytes themselves are there.
///
/// There are two kinds of bits: of items, which is the truth, and of blocks of 4 KiB, which follows from it: a block is
/// present when all items that touch it are. The guard sees blocks only, so that it needs to know nothing else.
final class PresenceMap: Sendable {
  static let blockBytes: Int64 = 4096

  let items: SharedBits
  let blocks: SharedBits
  /// For handing the block bits to the guard.
  let file: SharedDescriptor
  let blocksOffset: Int
  private let map: ContentMap
  private let bytes = Atomic<Int64>(0)

  private static let headerBytes = 128

  /// - Parameters:
  ///   - path: where the shared memory is kept.
  ///   - data: the data file that it is about.
  ///   - durable: what the disk says, used if there is no shared memory of this boot.
  init(_ path: String, map: ContentMap, deviceBytes: Int64, data: FileIdentity, bootID: String, durable: [UInt8]?)
    throws
  {
    self.map = map
    let blockCount = Int((deviceBytes + Self.blockBytes - 1) / Self.blockBytes)
    blocksOffset = Self.headerBytes + (SharedBits.bytes(map.itemCount) + 7) / 8 * 8
    let size = blocksOffset + SharedBits.bytes(blockCount) + 8
    var header = Array("nagayaP1".utf8) + Array(bootID.utf8.prefix(40))
    header += [UInt8](repeating: 0, count: 48 - header.count)
    for number in [data.device, data.inode, UInt64(map.itemCount), UInt64(blockCount)] {
      for shift in 0..<8 { header.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * shift))) }
    }
    if let old = try? SharedDescriptor(path, .readWrite), try old.size() == Int64(size),
      try Self.head(of: old, count: header.count) == header
    {
      file = old
    } else {
      // Made aside, so that a map with a good header always has good bits.
      let fresh = try SharedDescriptor(path + DurableFile.temporarySuffix, .truncate)
      try fresh.truncate(to: Int64(size))
      try fresh.write(header[...], at: 0)
      if let durable { try fresh.write(durable.prefix(SharedBits.bytes(map.itemCount)), at: Int64(Self.headerBytes)) }
      try DurableFile.rename(path + DurableFile.temporarySuffix, to: path)
      file = fresh
    }
    let mapping = try SharedMapping(file, count: size)
    items = SharedBits(mapping, offset: Self.headerBytes, count: map.itemCount)
    blocks = SharedBits(mapping, offset: blocksOffset, count: blockCount)
    derive()
  }

  private static func head(of file: SharedDescriptor, count: Int) throws -> [UInt8] {
    var head = [UInt8](repeating: 0, count: count)
    let read = try head.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    return Array(head.prefix(read))
  }

  /// Sets what follows from the bits of items: zeros need no bytes, padding is never missing.
  private func derive() {
    var isPresent = [Bool](repeating: true, count: blocks.count)
    var sum: Int64 = 0
    for item in 0..<map.itemCount {
      if map.piece(ofItem: item) == nil { items.set(item) }
      let range = map.deviceRange(item)
      if items[item] {
        sum += Int64(range.count)
      } else {
        for block in Self.blocks(range, count: blocks.count) { isPresent[block] = false }
      }
    }
    bytes.store(sum, ordering: .relaxed)
    for block in isPresent.indices where isPresent[block] { blocks.set(block) }
  }

  private static func blocks(_ range: Range<Int64>, count: Int) -> Range<Int> {
    let device = Int64(count) * blockBytes
    let (lower, upper) = (min(range.lowerBound, device), min(range.upperBound, device))
    let end = Int((upper + blockBytes - 1) / blockBytes)
    return min(end, Int(lower / blockBytes))..<end
  }

  /// Bytes of the device that items make up and that are there.
  var presentBytes: Int64 { bytes.load(ordering: .relaxed) }
  var isComplete: Bool { items.firstClear() == nil }

  /// Whether every byte of a range of the device can be read; what lies behind the device's end always can.
  func contains(_ range: Range<Int64>) -> Bool { Self.covers(blocks, range) }

  /// The same, of the bits alone.
  static func covers(_ blocks: SharedBits, _ range: Range<Int64>) -> Bool {
    blocks.areAllSet(Self.blocks(range, count: blocks.count))
  }

  /// Notes that an item's bytes were written.
  func insert(_ item: Int) {
    let range = map.deviceRange(item)
    if items.set(item) { bytes.add(Int64(range.count), ordering: .relaxed) }
    settle(range)
  }

  /// Sets the blocks of a range whose items are all there. Of two tasks that fill neighbours, the later sees both.
  func settle(_ range: Range<Int64>) {
    for block in Self.blocks(range, count: blocks.count) where !blocks[block] {
      let start = Int64(block) * Self.blockBytes
      if map.items(touching: start..<start + Self.blockBytes).allSatisfy({ items[$0] }) { blocks.set(block) }
    }
  }

  func isPresent(piece: Int) -> Bool { map.items(ofPiece: piece).allSatisfy { items[Int($0)] } }

  /// Forgets everything: nothing that was written is trusted.
  func clear() {
    blocks.clearAll()
    items.clearAll()
    derive()
  }

  /// Pieces without which a range of the device cannot be read, in the order of the blob.
  func missingPieces(_ range: Range<Int64>) -> [Int] {
    let lower = range.lowerBound / Self.blockBytes * Self.blockBytes
    let upper = min(range.upperBound, Int64(blocks.count) * Self.blockBytes)
    guard lower < upper else { return [] }
    // Whole blocks are asked for: neighbours that share one belong to it.
    let whole = lower..<(upper + Self.blockBytes - 1) / Self.blockBytes * Self.blockBytes
    var pieces: Set<Int> = []
    for item in map.items(touching: whole) where !items[item] {
      if let piece = map.piece(ofItem: item) { pieces.insert(piece) }
    }
    return pieces.sorted()
  }
}

/// The copy of the presence bits on the disk, for the time after a reboot.
struct DurablePresence: Sendable {
  var presentBytes: Int64
  var items: [UInt8]

  private static let magic = Array("nagayaD1".utf8)

  init(presentBytes: Int64, items: [UInt8]) {
    self.presentBytes = presentBytes
    self.items = items
  }

  /// `nil` for bytes that are no such copy.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 16, bytes.starts(with: Self.magic) else { return nil }
    presentBytes = (0..<8).reduce(0) { $0 | Int64(bytes[8 + $1]) << Int64(8 * $1) }
    items = Array(bytes[16...])
  }

  var encoded: [UInt8] {
    Self.magic + (0..<8).map { UInt8(truncatingIfNeeded: presentBytes >> Int64(8 * $0)) } + items
  }
}
