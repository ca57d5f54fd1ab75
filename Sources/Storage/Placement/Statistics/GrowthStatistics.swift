/// How likely volumes are to grow, and how far, by how often they have grown already; old observations fade.
///
/// A volume at a step leaves it by growing or by ending; the share that grows is the probability. A cold start begins
/// from a prior worth `priorObservations`: a tenth of the volumes grow by half.
public struct GrowthStatistics: Sendable, Hashable, Codable {
  struct Step: Sendable, Hashable, Codable {
    var grew: Double
    var ended: Double
    /// Sums over growths of (new size / old size - 1), and of its square.
    var ratio: Double
    var ratioSquare: Double
  }

  static let priorObservations = 50.0
  /// After so many observations of a step one has faded to 37 %.
  public let memory: Double
  private(set) var steps: [Step]

  public init(memory: Double = 20_000, priorProbability: Double = 0.1, priorRatio: Double = 0.5) {
    self.memory = memory
    let grew = Self.priorObservations * priorProbability
    steps = Array(
      repeating: Step(
        grew: grew, ended: Self.priorObservations - grew, ratio: grew * priorRatio,
        ratioSquare: grew * priorRatio * priorRatio),
      count: PlacementState.growthSteps)
  }

  /// A volume asked to grow.
  public mutating func grew(from old: Int64, to new: Int64, times: Int) {
    guard old > 0, new > old else { return }
    let step = min(times, steps.count - 1)
    fade(step)
    let ratio = min(100, Double(new) / Double(old) - 1)
    steps[step].grew += 1
    steps[step].ratio += ratio
    steps[step].ratioSquare += ratio * ratio
  }

  /// A volume ended without growing again.
  public mutating func ended(times: Int) {
    let step = min(times, steps.count - 1)
    fade(step)
    steps[step].ended += 1
  }

  /// The probability that a volume that has grown so often grows again.
  public func probability(_ step: Int) -> Double { steps[step].grew / (steps[step].grew + steps[step].ended) }

  /// The expected growth of a volume at a step as a multiple of its size: g·E[γ].
  public func mean(_ step: Int) -> Double { steps[step].ratio / (steps[step].grew + steps[step].ended) }

  /// The variance of the growth at a step as a multiple of the squared size: g·E[γ²] - (g·E[γ])².
  public func variance(_ step: Int) -> Double {
    let second = steps[step].ratioSquare / (steps[step].grew + steps[step].ended)
    return max(0, second - mean(step) * mean(step))
  }

  private mutating func fade(_ step: Int) {
    let keep = 1 - 1 / memory
    steps[step].grew *= keep
    steps[step].ended *= keep
    steps[step].ratio *= keep
    steps[step].ratioSquare *= keep
  }
}
