import LinuxSystem

/// Events that were read and not answered yet, in shared memory: readers whose event was read by a process that is dead
/// wait until another one answers by the event's number.
///
/// The kernel writes events into `buffer`, which is part of it: there is no instant at which an event is only in the
/// process.
final class EventJournal: Sendable {
  struct Entry: Sendable, Hashable {
    var number: Int32
    var file: FileIdentity
    var range: Range<Int64>
  }

  private let mapping: SharedMapping
  private static let bufferBytes = 4096
  private static let slotBytes = 32
  /// Numbers are descriptors, so the limit of open files bounds them.
  private static let slots = 65536

  init(_ path: String) throws(SystemError) {
    let size = Self.bufferBytes + Self.slots * Self.slotBytes
    let file = try SharedDescriptor(path, .createIfMissing)
    if try file.size() != Int64(size) { try file.truncate(to: Int64(size)) }
    mapping = try SharedMapping(file, count: size)
  }

  /// Where events are read into; cleared before, so that nothing old stands behind what is read.
  var buffer: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: mapping.bytes[..<Self.bufferBytes])
  }

  func clearBuffer() { buffer.initializeMemory(as: UInt8.self, repeating: 0) }

  func insert(_ entry: Entry) {
    guard let slot = slot(entry.number) else { return }
    slot.storeBytes(of: entry.file.device, toByteOffset: 0, as: UInt64.self)
    slot.storeBytes(of: entry.range.lowerBound, toByteOffset: 8, as: Int64.self)
    slot.storeBytes(of: entry.range.upperBound, toByteOffset: 16, as: Int64.self)
    // The inode last: it makes the entry valid.
    slot.storeBytes(of: entry.file.inode, toByteOffset: 24, as: UInt64.self)
  }

  func remove(_ number: Int32) { slot(number)?.storeBytes(of: 0, toByteOffset: 24, as: UInt64.self) }

  /// All entries, and the numbers of events that were read and not yet entered.
  func left() -> (entries: [Entry], bare: [PreContentEvent]) {
    var entries: [Entry] = []
    for number in 0..<Int32(Self.slots) {
      guard let slot = slot(number) else { continue }
      let inode = slot.load(fromByteOffset: 24, as: UInt64.self)
      let (lower, upper) = (slot.load(fromByteOffset: 8, as: Int64.self), slot.load(fromByteOffset: 16, as: Int64.self))
      guard inode != 0, lower <= upper else { continue }
      let file = FileIdentity(device: slot.load(fromByteOffset: 0, as: UInt64.self), inode: inode)
      entries.append(Entry(number: number, file: file, range: lower..<upper))
    }
    let known = Set(entries.map(\.number))
    var bare: [PreContentEvent] = []
    PreContentEvent.parse(UnsafeRawBufferPointer(buffer)) { if !known.contains($0.number) { bare.append($0) } }
    return (entries, bare)
  }

  func clear() { mapping.bytes.initializeMemory(as: UInt8.self, repeating: 0) }

  private func slot(_ number: Int32) -> UnsafeMutableRawPointer? {
    guard number >= 0, number < Int32(Self.slots) else { return nil }
    return mapping.bytes.baseAddress?.advanced(by: Self.bufferBytes + Int(number) * Self.slotBytes)
  }
}
