/// What was learned about requests: sizes by device class, and growth. `Codable`, to be kept across restarts.
public struct RequestStatistics: Sendable, Hashable, Codable {
  /// By device class.
  public private(set) var sizes: [SizeHistogram]
  public private(set) var growth: GrowthStatistics
  private let memory: Double
  /// How many observations were made in all.
  public private(set) var observations = 0

  public init(classCount: Int, memory: Double = 20_000) {
    sizes = Array(repeating: SizeHistogram(memory: memory), count: classCount)
    growth = GrowthStatistics(memory: memory)
    self.memory = memory
  }

  /// Makes room for one more device class.
  public mutating func addClass() { sizes.append(SizeHistogram(memory: memory)) }

  public mutating func learn(_ observation: PlacementObservation) {
    observations += 1
    switch observation {
    case .requested(let demand):
      for index in 0..<demand.count where demand[index].deviceClass < sizes.count {
        // A pod's processor and memory go with its volumes together; each carries its part of the bytes.
        let part = demand.count == 1 ? 1 : Double(demand[index].bytes) / Double(max(1, demand.totalBytes))
        sizes[demand[index].deviceClass].add(
          demand[index].bytes, milliCPU: part * Double(demand.milliCPU), memoryBytes: part * Double(demand.memoryBytes))
      }
    case .grew(_, let old, let new, let times): growth.grew(from: old, to: new, times: times)
    case .ended(_, _, let times): growth.ended(times: times)
    }
  }
}
