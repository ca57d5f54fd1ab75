import ObjectStore
import TestSupport
import Testing

@Suite struct ChunkedSortedMapTests {
  /// Random insertions and removals against a dictionary, with snapshots that must not change.
  @Test func itAgreesWithADictionaryAndSnapshotsStay() {
    var random = SeededGenerator(seed: 15)
    for range in [50, 3000] {
      var map = ChunkedSortedMap<Int, Int>()
      var model: [Int: Int] = [:]
      var snapshots: [(ChunkedSortedMap<Int, Int>, [Int: Int])] = []
      for step in 0..<8000 {
        let key = Int.random(in: 0..<range, using: &random)
        if Int.random(in: 0..<3, using: &random) == 0 {
          #expect(map.removeValue(forKey: key) == model.removeValue(forKey: key))
        } else {
          #expect(map.updateValue(step, forKey: key) == model.updateValue(step, forKey: key))
        }
        if step % 1000 == 0 { snapshots.append((map, model)) }
      }
      snapshots.append((map, model))
      for (map, model) in snapshots {
        #expect(map.count == model.count)
        #expect(map.elements().map(\.key) == model.keys.sorted())
        #expect(map.elements().allSatisfy { model[$0.key] == $0.value })
        let start = Int.random(in: -1...range, using: &random)
        #expect(map.elements(from: start).map(\.key) == model.keys.filter { $0 >= start }.sorted())
        #expect((0..<range).allSatisfy { map[$0] == model[$0] })
      }
    }
  }
}
