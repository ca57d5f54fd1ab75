import BoundedNumbers
import Testing

@Suite("Numbers from outside")
struct BoundedNumbersTests {
  @Test("sums, differences, products and quotients stop at the edge of their type")
  func arithmetic() {
    #expect(Int64.max.clampedAdding(1) == .max)
    #expect(Int64.min.clampedAdding(-1) == .min)
    #expect(Int64.min.clampedSubtracting(1) == .min)
    #expect(Int64.max.clampedSubtracting(-1) == .max)
    #expect(Int64.max.clampedMultiplying(by: 2) == .max)
    #expect(Int64.max.clampedMultiplying(by: -2) == .min)
    #expect(Int64.min.clampedMultiplying(by: -1) == .max)
    #expect(Int64.min.clampedDividing(by: -1) == .max)
    #expect(7.clampedDividing(by: 0) == .max)
    #expect(UInt8(3).clampedSubtracting(4) == 0)
    #expect([Int64.max, 5, 9].clampedSum() == .max)
    #expect(2.clampedAdding(3) == 5 && 2.clampedSubtracting(3) == -1 && 2.clampedMultiplying(by: 3) == 6)
  }

  @Test(
    "a fraction becomes a number of any type",
    arguments: [
      (Double.nan, Int64(0)), (.infinity, .max), (-.infinity, .min), (1e300, .max), (-1e300, .min), (-1.9, -1),
      (2.5, 2),
      (9.223372036854775807e18, .max),
    ])
  func fractions(fraction: Double, number: Int64) { #expect(Int64(clamping: fraction) == number) }

  @Test("durations stay within a century and can be added to any instant")
  func durations() {
    #expect(Duration.seconds(clamping: Int64.max) == .longest)
    #expect(Duration.seconds(clamping: UInt64.max) == .longest)
    #expect(Duration.seconds(clamping: Int64.min) == .zero - .longest)
    #expect(Duration.seconds(clamping: Double.infinity) == .longest)
    #expect(Duration.seconds(clamping: Double.nan) == .zero)
    #expect(Duration.seconds(clamping: 7) == .seconds(7))
    #expect(ContinuousClock.now + .seconds(clamping: Int64.max) > .now)
    #expect(Duration.longest.clampedNanoseconds == 100 * 366 * 86_400 * 1_000_000_000)
    #expect(Duration.seconds(Int64.max).clampedNanoseconds == .max)
  }

  @Test("a bounded field says its range")
  func bounded() throws {
    let mode = Bounded<Int32>("defaultMode", 0...0o777)
    #expect(try mode.check(0o644) == 0o644)
    #expect(mode.clamp(Int64.max) == 0o777)
    let error = #expect(throws: OutOfBounds.self) { try mode.check(Int64.max) }
    #expect(error?.description == "defaultMode: 9223372036854775807 must be between 0 and 511, inclusive")
  }
}
