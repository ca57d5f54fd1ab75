import EStargz
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import LayerStore

/// Items, pieces, runs and presence bits, without a kernel.
@Suite struct PieceTests {
  /// Chunks of random sizes in files on borders of 4 KiB, some of zeros, some sharing a stream.
  private static func randomTable(_ random: inout SeededGenerator) -> (ChunkTable, deviceBytes: Int64) {
    var layout = PackedLayout()
    var chunks: [Chunk] = []
    var blobOffset: Int64 = 100
    for _ in 0..<Int.random(in: 1...60, using: &random) {
      let size = Int64.random(in: 1...30_000, using: &random)
      guard let place = layout.place(size) else { continue }
      var done: Int64 = 0
      while done < size {
        let length = min(size - done, Int64.random(in: 1...9000, using: &random))
        let isZeros = Int.random(in: 0..<8, using: &random) == 0
        var chunk = Chunk(
          deviceOffset: place + done, length: length, blobOffset: isZeros ? 0 : blobOffset,
          blobLength: isZeros ? 0 : length / 2 + 20, digest: SHA256Bytes(of: [1]))
        if !isZeros, let last = chunks.last, !last.isZeros, Bool.random(using: &random) {
          chunk.blobOffset = last.blobOffset
          chunk.blobLength = last.blobLength
          chunk.innerOffset = last.innerOffset + last.length
        } else if !isZeros {
          blobOffset += chunk.blobLength + Int64.random(in: 0...600, using: &random)
        }
        chunks.append(chunk)
        done += length
      }
    }
    return (ChunkTable(chunks), layout.size)
  }

  private func presence(_ map: ContentMap, _ deviceBytes: Int64, durable: [UInt8]? = nil, boot: String = "b")
    throws -> (PresenceMap, TestPlace)
  {
    let place = try TestPlace()
    let map = try PresenceMap(
      "\(place.root)/present", map: map, deviceBytes: deviceBytes, data: FileIdentity(device: 1, inode: 2),
      bootID: boot, durable: durable)
    return (map, place)
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `a range is readable exactly when every item in its blocks is there`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (table, deviceBytes) = Self.randomTable(&random)
    let map = ContentMap(.chunks(table, .estargz))
    let (presence, place) = try presence(map, deviceBytes)
    defer { try? place.cleanUp() }
    var missing = Set(table.chunks.indices.filter { !table.chunks[$0].isZeros })
    #expect(presence.isComplete == missing.isEmpty)
    while let item = missing.randomElement(using: &random) {
      for _ in 0..<5 {
        let start = Int64.random(in: 0..<deviceBytes, using: &random)
        let range = start..<Int64.random(in: start...deviceBytes + 9000, using: &random)
        let blocks = range.lowerBound / 4096 * 4096..<(range.upperBound + 4095) / 4096 * 4096
        let needed = missing.filter { !range.isEmpty && table.chunks[$0].deviceRange.overlaps(blocks) }
        #expect(presence.contains(range) == needed.isEmpty, "\(range)")
        #expect(Set(presence.missingPieces(range)) == Set(needed.compactMap { map.piece(ofItem: $0) }), "\(range)")
      }
      missing.remove(item)
      presence.insert(item)
    }
    #expect(presence.isComplete && presence.contains(0..<deviceBytes))
    #expect(presence.presentBytes == table.chunks.reduce(0) { $0 + $1.length })
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>) func `every item is in the piece that holds it`(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let (table, _) = Self.randomTable(&random)
    let map = ContentMap(.chunks(table, .estargz))
    for (item, chunk) in table.chunks.enumerated() {
      guard let piece = map.piece(ofItem: item) else {
        #expect(chunk.isZeros)
        continue
      }
      #expect(map.pieces[piece].blob.lowerBound == chunk.blobOffset)
      #expect(map.pieces[piece].blob.upperBound >= chunk.blobRange.upperBound)
      #expect(map.items(ofPiece: piece).contains(Int32(item)))
      #expect(map.pieces(touchingBlob: chunk.blobRange).contains(piece))
    }
    let all = map.pieces.indices.flatMap { map.items(ofPiece: $0) }
    #expect(Set(all).count == all.count && all.count == table.chunks.filter { !$0.isZeros }.count)
  }

  @Test(arguments: 1...30 as ClosedRange<UInt64>)
  func `runs cover what is wanted, overlap nowhere, and take nothing that is not free`(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let (table, _) = Self.randomTable(&random)
    let map = ContentMap(.chunks(table, .estargz))
    let free = Set(map.pieces.indices.filter { _ in Int.random(in: 0..<3, using: &random) > 0 })
    let wanted = free.filter { _ in Bool.random(using: &random) }.sorted()
    let plan = RunPlan(limitBytes: Int64.random(in: 2000...40_000, using: &random), gapBytes: 300)
    let bytes = Int64.random(in: 0...20_000, using: &random)
    let runs = plan.runs(wanted, of: map) { _ in
      bytes == 0 ? nil : DemandWindow(bytes...40_000, largest: Int64.random(in: 0...20_000, using: &random))
    } isFree: {
      free.contains($0)
    }
    let covered = runs.flatMap { Array($0) }
    #expect(Set(covered).isSuperset(of: wanted) && Set(covered).isSubset(of: free))
    #expect(covered == covered.sorted() && Set(covered).count == covered.count)
    for run in runs where run.count > 1 {
      #expect(map.blobRange(ofPieces: run).count <= plan.limitBytes)
    }
  }

  @Test func `bits of this boot count, bits of another do not, the disk's then do`() throws {
    var random = SeededGenerator(seed: 4)
    let (table, deviceBytes) = Self.randomTable(&random)
    let map = ContentMap(.chunks(table, .estargz))
    let (first, place) = try presence(map, deviceBytes)
    defer { try? place.cleanUp() }
    func open(boot: String, inode: UInt64 = 2, durable: [UInt8]? = nil) throws -> PresenceMap {
      try PresenceMap(
        "\(place.root)/present", map: map, deviceBytes: deviceBytes, data: FileIdentity(device: 1, inode: inode),
        bootID: boot, durable: durable)
    }
    let item = try #require(table.chunks.firstIndex { !$0.isZeros })
    let none = first.presentBytes
    first.insert(item)
    #expect(try open(boot: "b").items[item])
    let saved = DurablePresence(presentBytes: first.presentBytes, items: first.items.snapshot())
    #expect(try open(boot: "c").presentBytes == none)
    let restored = try #require(DurablePresence(saved.encoded))
    #expect(restored.presentBytes == first.presentBytes)
    #expect(try open(boot: "d", durable: restored.items).items[item])
    #expect(try open(boot: "d", inode: 3).presentBytes == none)
    #expect(DurablePresence([1, 2, 3]) == nil && DurablePresence([UInt8](repeating: 0, count: 40)) == nil)
  }

  @Test func `the journal keeps what was read and not answered`() throws {
    let place = try TestPlace()
    defer { try? place.cleanUp() }
    let journal = try EventJournal("\(place.root)/events")
    let entries = [7, 300, 65535].map {
      EventJournal.Entry(number: $0, file: FileIdentity(device: 5, inode: 6), range: 4096..<8192 + Int64($0))
    }
    for entry in entries { journal.insert(entry) }
    journal.remove(300)
    journal.insert(EventJournal.Entry(number: 70_000, file: FileIdentity(device: 5, inode: 6), range: 0..<1))
    // As a process finds it that comes after.
    let left = try EventJournal("\(place.root)/events").left()
    #expect(left.entries == [entries[0], entries[2]] && left.bare.isEmpty)
    journal.clear()
    #expect(journal.left().entries.isEmpty)
  }
}
