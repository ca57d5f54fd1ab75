import TestSupport
import Testing

@testable import Charts

@Suite struct AxisTests {
  struct Case: Sendable {
    var range: ClosedRange<Double>
    var format: AxisFormat
    var ticks: [Double]
  }

  static let cases: [Case] = [
    Case(range: 0...1, format: .number, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1]),
    Case(range: 0...0.47, format: .share, ticks: [0, 0.1, 0.2, 0.3, 0.4]),
    Case(range: 0...7, format: .count, ticks: [0, 2, 4, 6]),
    Case(range: 0...3, format: .count, ticks: [0, 1, 2, 3]),
    Case(range: 0...4096, format: .bytes, ticks: [0, 1024, 2048, 3072, 4096]),
    Case(range: 0...2_678_400, format: .seconds, ticks: [0, 604_800, 1_209_600, 1_814_400, 2_419_200]),
    Case(range: -1...1, format: .number, ticks: [-1, -0.5, 0, 0.5, 1]),
  ]

  @Test(arguments: cases) func `Ticks are round`(example: Case) {
    let ticks = Ticks.positions(in: example.range, about: 5, format: example.format)
    #expect(ticks.count == example.ticks.count)
    for (tick, value) in zip(ticks, example.ticks) { #expect(abs(tick - value) < 1e-9) }
  }

  @Test func `Any range gets a few ticks within it`() {
    var random = SeededGenerator(seed: 19)
    for _ in 0..<2000 {
      let low = Double.random(in: -1e6...1e6, using: &random)
      let range = low...(low + Double.random(in: 1e-3...1e9, using: &random))
      for format in [AxisFormat.number, .count, .share, .bytes, .seconds] {
        let ticks = Ticks.positions(in: range, about: 5, format: format)
        #expect((1...15).contains(ticks.count), "\(range) \(format)")
        let slack = (range.upperBound - range.lowerBound) * 1e-6
        #expect(ticks.allSatisfy { $0 >= low - slack && $0 <= range.upperBound + slack })
      }
    }
  }

  @Test(arguments: [
    (AxisFormat.share, 0.453, "45.3 %"), (.share, 0.0012, "0.12 %"), (.share, 0, "0 %"), (.share, 0.00051, "0.051 %"),
    (.bytes, 1_099_511_627_776, "1 TiB"), (.bytes, 1536, "1.5 KiB"), (.bytes, 0, "0 B"),
    (.bytes, 2_147_483_648_000, "2,000 GiB"), (.bytes, 1_649_267_441_664, "1.5 TiB"),
    (.bytes, 107_374_182_400_000, "97.7 TiB"), (.bytes, -1024, "−1 KiB"),
    (.count, 1_234_567, "1,234,567"), (.count, 12, "12"), (.seconds, 86_400, "1 d"), (.seconds, 5400, "1.5 h"),
    (.seconds, 90, "1.5 min"), (.seconds, 0, "0"), (.number, 0.5, "0.5"), (.number, 0.004, "0"), (.number, .nan, "–"),
    (.number, -0.001, "0"),
  ])
  func `Values read as people write them`(format: AxisFormat, value: Double, text: String) {
    #expect(format.text(value) == text)
  }

  @Test func `Labels that want the same place are spread around it, in order`() {
    #expect(LabelSpread.positions([50, 50, 50], gap: 10, in: 0...100) == [40, 50, 60])
    #expect(LabelSpread.positions([0, 0], gap: 10, in: 0...100) == [0, 10])
    #expect(LabelSpread.positions([100, 99], gap: 10, in: 0...100) == [100, 90])
    #expect(LabelSpread.positions([10, 80], gap: 10, in: 0...100) == [10, 80])
    #expect(LabelSpread.positions([], gap: 10, in: 0...100) == [])
  }

  @Test func `Spread labels keep their distance, whatever they want`() {
    var random = SeededGenerator(seed: 19)
    for _ in 0..<500 {
      let wanted = (0..<Int.random(in: 1...12, using: &random)).map { _ in Double.random(in: 0...200, using: &random) }
      let places = LabelSpread.positions(wanted, gap: 15, in: 0...200)
      let sorted = places.sorted()
      for (low, high) in zip(sorted, sorted.dropFirst()) { #expect(high - low >= 15 - 1e-6) }
      #expect(sorted.first ?? 0 >= -1e-6)
      if wanted.count <= 13 { #expect(sorted.last ?? 0 <= 200 + 1e-6) }
    }
  }
}
