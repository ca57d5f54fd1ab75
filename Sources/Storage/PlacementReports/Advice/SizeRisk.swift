import Foundation
import Placement
import PlacementSimulator

/// How likely it is that volumes of a size will find no room soon.
public struct SizeRisk: Sendable, Hashable {
  public var bytes: Int64
  /// Index of the device class.
  public var deviceClass: Int
  /// How many more of this size can be placed today.
  public var slots: Int
  /// Requests above the next smaller size and up to this one, per 30 days; `nil` where the history has no length.
  public var requestsPerMonth: Double?
  /// The probability that more of them come within the lead time than there are slots: Poisson arrivals, nothing deleted
  /// meanwhile, so it errs on the safe side.
  public var probability: Double?

  /// The probability that a Poisson variable is greater than `count`.
  static func tail(mean: Double, above count: Int) -> Double {
    guard mean > 0 else { return 0 }
    guard mean < 500 else {
      // Normal, with continuity correction.
      let z = (Double(count) + 0.5 - mean) / mean.squareRoot()
      return 0.5 * erfc(z / 2.0.squareRoot())
    }
    var term = exp(-mean)
    var sum = term
    var step = 1
    while step <= count, step < 5000 {
      term *= mean / Double(step)
      sum += term
      step += 1
    }
    return max(0, min(1, 1 - sum))
  }

  /// The sizes that a table shows: all, or where there are many those at telling quantiles.
  static func sizes(_ counts: [Int64: Int], most: Int = 8) -> [Int64] {
    let ordered = counts.sorted { $0.key < $1.key }
    guard ordered.count > most else { return ordered.map(\.key) }
    let total = ordered.reduce(0) { $0 + $1.value }
    var chosen: [Int64] = []
    for share in [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1] {
      let rank = max(1, Int((share * Double(total)).rounded(.up)))
      var seen = 0
      for (bytes, count) in ordered {
        seen += count
        if seen >= rank {
          if chosen.last != bytes { chosen.append(bytes) }
          break
        }
      }
    }
    return chosen
  }

  /// - Parameters:
  ///   - counts: requests of the history by device class and size.
  ///   - asked: sizes that are shown in any case.
  static func all(
    _ counts: [[Int64: Int]], seconds: Double, leadTime: Double, asked: [Int64], state: PlacementState
  ) -> [SizeRisk] {
    counts.enumerated().flatMap { deviceClass, sizes in
      var lower: Int64 = 0
      return Set(Self.sizes(sizes) + asked).sorted().map { bytes in
        let requests = sizes.reduce(0) { $0 + ($1.key > lower && $1.key <= bytes ? $1.value : 0) }
        lower = bytes
        let slots = state.room(for: bytes, deviceClass: deviceClass).slots
        var risk = SizeRisk(bytes: bytes, deviceClass: deviceClass, slots: slots)
        if seconds > 0 {
          let rate = Double(requests) / seconds
          risk.requestsPerMonth = rate * 30 * 86_400
          risk.probability = tail(mean: rate * leadTime, above: slots)
        }
        return risk
      }
    }
  }
}
