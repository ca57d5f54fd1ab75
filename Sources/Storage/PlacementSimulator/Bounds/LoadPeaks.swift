/// When a history asks for most, compared with what there is.
struct LoadPeaks {
  /// Moments at which something may have to be refused: position in the changes, time, load.
  private var high: [(position: Int, time: Double, load: Double)] = []
  /// The mean life in seconds, of those who leave.
  private var meanLife = 0.0

  /// Up to half of the capacity everything may fit, as far as a bound can tell: L2 is at most twice L1.
  private static let threshold = 0.5

  init(_ stays: Stays, _ room: BoundedRoom) {
    var sums = [Double](repeating: 0, count: stays.dimensions)
    var sizes = stays.asked
    var arrived = [Double](repeating: 0, count: stays.requestCount)
    var (lives, left) = (0.0, 0)
    for (position, entry) in stays.changes.enumerated() {
      switch entry.change {
      case .arrive(let request):
        arrived[request] = entry.time
        for dimension in sums.indices { sums[dimension] += Double(sizes[request * stays.dimensions + dimension]) }
      case .grow(let request, let dimension, let more):
        sizes[request * stays.dimensions + dimension] += more
        sums[dimension] += Double(more)
      case .leave(let request):
        lives += entry.time - arrived[request]
        left += 1
        for dimension in sums.indices { sums[dimension] -= Double(sizes[request * stays.dimensions + dimension]) }
        continue
      }
      var load = 0.0
      for dimension in sums.indices where room.whole[dimension].isFinite && sums[dimension] > 0 {
        load = max(load, sums[dimension] / max(1, room.whole[dimension]))
      }
      if load >= Self.threshold { high.append((position, entry.time, load)) }
    }
    meanLife = left > 0 ? lives / Double(left) : (stays.changes.last?.time ?? 0)
  }

  /// The highest moment of every stretch of so many mean lives that has one; ascending positions.
  func moments(apart: Double) -> [Int] {
    let width = max(1e-9, apart * meanLife)
    var moments: [Int] = []
    var stretch = -Double.infinity
    var best = -1.0
    for moment in high {
      let index = (moment.time / width).rounded(.down)
      if index != stretch {
        stretch = index
        best = -1
        moments.append(moment.position)
      }
      if moment.load > best {
        best = moment.load
        moments[moments.count - 1] = moment.position
      }
    }
    return moments
  }
}
