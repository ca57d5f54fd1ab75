/// The settings of expected-loss placement. The defaults are what the product uses; they were chosen on seeds 1 to 8 of the
/// standard cases, and on the trace that `docs/placement.md` names.
public struct ExpectedLossSettings: Sendable, Hashable {
  /// τ_k = β·(1 + √M_k): after how many spare slots of a size one more is worth e times less.
  public var beta = 10.0
  /// What an unfinished slot is worth, ψ(x) = softness·x², where x is the part of it that is there already. Below 1, so that
  /// taking the first byte of a whole slot costs more than taking one of an unfinished slot.
  public var softness = 0.5
  /// The weight of single growths that overflow their pool, in bytes, against refused bytes.
  public var growthWeight = 0.5
  /// How far the free space will have wandered when a volume grows, in units of the standard deviation of all growth
  /// to come in the pool.
  public var wander = 0.1
  /// The weight of the sum of all growth to come, as if nothing left meanwhile; see `published`.
  public var totalGrowthWeight = 0.0
  /// How many sizes are told apart.
  public var sizes = 24

  public init() {}

  /// The formula as it was first written down: whole slots only, and growth as one normal sum per pool.
  public static var published: ExpectedLossSettings {
    var settings = ExpectedLossSettings()
    settings.beta = 1
    settings.softness = 0
    settings.growthWeight = 0
    settings.totalGrowthWeight = 1
    return settings
  }
}
