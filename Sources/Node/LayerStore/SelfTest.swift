import EROFS
import Glibc
import LinuxSystem
import OCI

import struct Synchronization.Atomic

/// Tries out on the real directory what everything else relies on: a marked, file-backed mount whose reader waits for
/// bytes that are written while it waits.
struct SelfTest: Sendable {
  let directory: String
  let runDirectory: String

  /// - Throws: `LayerStoreError.unsupported` with what does not work, and why as far as that is known.
  func run() async throws {
    let place = "\(directory)/\(LayerFiles.unfinished)probe-\(UInt32.random(in: 0 ... .max))"
    let target = "\(runDirectory)/probe-\(UInt32.random(in: 0 ... .max))"
    defer {
      try? Mounts.unmount(target, lazily: true)
      try? Directory.removeTree(place)
      try? Directory.removeIfEmpty(target)
    }
    do {
      for path in [place, target] { try Directory.make(path, permissions: 0o700) }
      try Self.writeImage("\(place)/metadata")
    } catch { throw LayerStoreError.unsupported(why: "\(error)") }
    let data = try SharedDescriptor("\(place)/data", .createNew)
    try data.truncate(to: 4096)
    let group = try Self.attempt("fanotify's pre-content events (Linux 6.14, CAP_SYS_ADMIN)") { try PreContentGroup() }
    try Self.attempt("pre-content events on the file system of \(directory) (ext4, xfs or btrfs)") {
      try group.mark(data)
    }
    try Self.attempt("EROFS mounts of plain files (Linux 6.12)") {
      try FileBackedMount.mount(metadata: "\(place)/metadata", devices: ["\(place)/data"], at: target)
    }
    let isOver = Flag()
    async let found = BlockingWork.run {
      defer { isOver.set() }
      return try? SmallFile.read("\(target)/file", limit: 4096)
    }
    let asked = try await BlockingWork.run { Self.answer(group, data, until: isOver) }
    guard try await found == Self.pattern, asked else {
      throw LayerStoreError.unsupported(
        why: asked
          ? "what was written while a reader waited did not reach it" : "the kernel did not ask for missing bytes")
    }
  }

  static let pattern = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

  @discardableResult
  static func attempt<Result>(_ what: String, _ body: () throws -> Result) throws(LayerStoreError) -> Result {
    do { return try body() } catch { throw .unsupported(why: "\(what): \(error)") }
  }

  static func writeImage(_ path: String) throws {
    var builder = LayerTreeBuilder()
    try builder.add(
      LayerEntry(path: Array("file".utf8), kind: .file(size: 4096)),
      extents: [DataExtent(length: 4096, deviceOffset: 0)])
    var sink = FileSink(try SharedDescriptor(path, .createNew))
    try EROFSWriter(try builder.finish(), options: EROFSOptions(deviceBytes: [4096])).write(to: &sink)
  }

  /// Answers until the reader is through: it never waits for nobody.
  private static func answer(_ group: PreContentGroup, _ data: SharedDescriptor, until isOver: Flag) -> Bool {
    var isAsked = false
    while !isOver.isSet {
      var poll = pollfd(fd: group.descriptor.number, events: Int16(POLLIN), revents: 0)
      guard Glibc.poll(&poll, 1, 20) > 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = (try? buffer.withUnsafeMutableBytes { try group.read(into: $0) }) ?? 0
      var numbers: [Int32] = []
      buffer[..<count].withUnsafeBytes { PreContentEvent.parse($0) { numbers.append($0.number) } }
      let isWritten = (try? data.write(pattern[...], at: 0)) != nil
      for number in numbers {
        isAsked = true
        if isWritten { group.allow(number) } else { group.deny(number) }
        close(number)
      }
    }
    return isAsked
  }
}

private final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
