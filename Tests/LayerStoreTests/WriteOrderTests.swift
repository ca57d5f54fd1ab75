import EStargz
import Foundation
import LayerStore
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

/// What the disk is told, in order, as the kernel sees it.
@Suite struct WriteOrderTests {
  @Test func `nothing is noted as present that a power cut could lose`() async throws {
    let layer = try await TestLayer.converted((0..<12).map { 240_000 + $0 * 7001 }, chunkBytes: 20_000)
    let hex = layer.key.blob.hex
    guard case .chunks(let table, _) = layer.description.content else { return }
    try await withDaemon([layer]) { daemon in
      let log = "\(daemon.place.root)/calls"
      try await daemon.start(
        ["add:\(hex)", "mount:\(hex)"], under: "strace -f -y -xx -s 4096 -e trace=pwrite64,fdatasync -o '\(log)'")
      let root = daemon.mountPoint(layer)
      let note = "\(daemon.place.directory)/\(hex)/present"
      // From back to front, so that little is fetched ahead: each file brings something new.
      for file in (3..<12).reversed() {
        #expect(try await sha256("\(root)/f\(file)") == layer.digests["f\(file)"])
        // Something is there and something is not: that has to be noted.
        if file == 9 { try await eventually("a note is written") { FileStatus.exists(note) } }
      }
      try await daemon.terminate()
      var replay = WriteReplay(table)
      for line in String(decoding: try SmallFile.read(log), as: UTF8.self).split(separator: "\n") { replay.take(line) }
      #expect(replay.notes >= 1 && replay.syncs >= replay.notes && replay.writes >= table.chunks.count / 2)
      #expect(replay.lost == [])
    }
  }
}

/// Follows calls as strace writes them: which data is surely on the disk when a note is written.
private struct WriteReplay {
  private let table: ChunkTable
  /// Written, by when the call ended; on the disk once a sync that began later has ended.
  private var written: Set<Int64> = []
  private var durable: Set<Int64> = []
  private var open: [Substring: (call: Substring, covered: Set<Int64>)] = [:]
  private(set) var writes = 0
  private(set) var syncs = 0
  private(set) var notes = 0
  /// Items that a note calls present although they are not on the disk.
  private(set) var lost: [Int] = []

  init(_ table: ChunkTable) { self.table = table }

  mutating func take(_ line: Substring) {
    guard let space = line.firstIndex(of: " ") else { return }
    let thread = line[..<space]
    let text = line[space...].drop { $0 == " " }
    // Signals and ends of threads come between a call's beginning and its end.
    if text.hasPrefix("---") || text.hasPrefix("+++") { return }
    if text.hasSuffix("<unfinished ...>") {
      begin(thread, text)
    } else if text.hasPrefix("<... ") {
      if let call = open.removeValue(forKey: thread) { end(call.call, rest: text, call.covered) }
    } else {
      begin(thread, text)
      if let call = open.removeValue(forKey: thread) { end(call.call, rest: "", call.covered) }
    }
  }

  private mutating func begin(_ thread: Substring, _ text: Substring) {
    open[thread] = (text, written)
    // strace shows what is written when the call begins.
    if text.hasPrefix("pwrite64("), text.contains(Self.hex("/present.writing")) { note(text) }
  }

  private mutating func end(_ call: Substring, rest: Substring, _ covered: Set<Int64>) {
    guard call.contains(Self.hex("/data")) else { return }
    if call.hasPrefix("fdatasync(") {
      durable.formUnion(covered)
      syncs += 1
    } else if call.hasPrefix("pwrite64("), let comma = call.lastIndex(of: ",") {
      let digits = call[call.index(after: comma)...].drop { $0 == " " }.prefix { $0.isNumber }
      if let offset = Int64(digits) { written.insert(offset) }
      writes += 1
    }
  }

  private mutating func note(_ text: Substring) {
    notes += 1
    let quoted = text.split(separator: "\"", omittingEmptySubsequences: false)
    guard quoted.count > 1 else { return }
    let bytes = quoted[1].split(separator: "\\").compactMap { UInt8($0.dropFirst(), radix: 16) }
    for (item, chunk) in table.chunks.enumerated() where !chunk.isZeros {
      let byte = 16 + item / 8
      if byte < bytes.count, bytes[byte] >> UInt8(item % 8) & 1 == 1, !durable.contains(chunk.deviceOffset) {
        lost.append(item)
      }
    }
  }

  /// As strace writes paths with `-xx`.
  private static func hex(_ text: String) -> String {
    text.utf8.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
