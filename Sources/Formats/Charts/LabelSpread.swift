/// Moves labels along a line as little as needed so that none lies on another.
enum LabelSpread {
  /// - Parameters:
  ///   - wanted: where each label would like its centre.
  ///   - gap: the least distance of two centres.
  /// - Returns: the centres in the order of `wanted`, within `range` if there is room for all.
  static func positions(_ wanted: [Double], gap: Double, in range: ClosedRange<Double>) -> [Double] {
    let order = wanted.indices.sorted { (wanted[$0], $0) < (wanted[$1], $1) }
    // Blocks of touching labels, each at the mean of what its labels want (isotonic regression by pooling).
    var blocks: [(sum: Double, count: Int)] = []
    for (rank, index) in order.enumerated() {
      blocks.append((wanted[index] - Double(rank) * gap, 1))
      while blocks.count > 1,
        blocks[blocks.count - 2].sum / Double(blocks[blocks.count - 2].count)
          > blocks[blocks.count - 1].sum / Double(blocks[blocks.count - 1].count)
      {
        let last = blocks.removeLast()
        blocks[blocks.count - 1].sum += last.sum
        blocks[blocks.count - 1].count += last.count
      }
    }
    let room = range.upperBound - Double(max(0, order.count - 1)) * gap
    var result = wanted
    var rank = 0
    for block in blocks {
      // Clamped before the ranks are added back, which keeps the order and the gaps.
      let base = max(range.lowerBound, min(max(room, range.lowerBound), block.sum / Double(block.count)))
      for _ in 0..<block.count {
        result[order[rank]] = base + Double(rank) * gap
        rank += 1
      }
    }
    return result
  }
}
