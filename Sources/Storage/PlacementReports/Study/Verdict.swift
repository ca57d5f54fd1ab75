import Placement

/// Who won, in a sentence; said plainly also where it is not the default.
public struct Verdict: Sendable, Hashable {
  public var text: String
  /// Another policy than the default is better by more than the interval of the difference.
  public var defaultIsBeaten: Bool

  /// `nil` with fewer than two policies to compare.
  public init?(_ result: StudyResult) {
    let criterion = result.criterion
    let means = result.outcomes.compactMap { outcome -> (policy: StandardPolicy, values: [Double], mean: Double)? in
      let values = criterion.values(outcome)
      guard let estimate = Estimate(values.compactMap { $0 }), values.allSatisfy({ $0 != nil }) else { return nil }
      return (outcome.policy, values.compactMap { $0 }, estimate.mean)
    }
    guard let best = means.min(by: { $0.mean < $1.mean }), result.outcomes.count > 1 else { return nil }
    func words(_ value: Double) -> String {
      criterion.format == .share ? Percent.text(value) : Whole.text(Int(value.rounded()))
    }
    let figure = "\(criterion.name): \(words(best.mean))"
    defaultIsBeaten = false
    guard let standard = means.first(where: { $0.policy == .standard }) else {
      text = "Least \(figure), by \(best.policy.rawValue)."
      return
    }
    if best.policy == .standard || best.mean == standard.mean {
      let next = means.filter { $0.policy != .standard }.min { $0.mean < $1.mean }
      text = "The default policy has the least \(figure)"
      if let next { text += "; next is \(next.policy.rawValue) with \(words(next.mean))" }
      text += "."
      return
    }
    // Both met the same events, so the difference is taken seed by seed.
    let differences = zip(standard.values, best.values).map { $0 - $1 }
    let difference = Estimate(differences)
    if let difference, difference.count > 1, difference.interval.lowerBound > 0 {
      defaultIsBeaten = true
      text =
        "\(best.policy.rawValue) beats the default here: least \(figure), against \(words(standard.mean)) of the default. "
        + "The difference is larger than its 95 % interval."
    } else {
      text =
        "\(best.policy.rawValue) has the least \(figure), the default \(words(standard.mean)); "
        + (differences.count > 1
          ? "the difference is within its 95 % interval." : "one seed cannot tell whether that is chance.")
    }
  }

  /// A line for every policy that beats the default by more than the interval of the differences, seed by seed.
  public static func beaten(_ result: StudyResult) -> [String] {
    let criterion = result.criterion
    guard let standard = result.outcomes.first(where: { $0.policy == .standard }) else { return [] }
    return result.outcomes.compactMap { other in
      let pairs = zip(criterion.values(standard), criterion.values(other))
      let differences = pairs.compactMap { own, theirs in own.flatMap { own in theirs.map { own - $0 } } }
      guard differences.count == result.study.seeds.count, let difference = Estimate(differences),
        difference.count > 1, difference.interval.lowerBound > 0
      else { return nil }
      let (mean, half) = (difference.mean, difference.halfWidth)
      let words =
        criterion.format == .share
        ? "\(Rounded.text(mean * 100)) ± \(Rounded.text(half * 100)) points"
        : "\(Rounded.text(mean)) ± \(Rounded.text(half))"
      return "\(other.label) beats the default: \(criterion.name) less by \(words)"
    }
  }
}
