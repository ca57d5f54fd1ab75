/// Which pieces are fetched with one request.
struct RunPlan: Sendable {
  /// The largest request in compressed bytes; one piece may be larger.
  var limitBytes: Int64
  /// Bytes between two pieces that are fetched along rather than asking twice.
  var gapBytes: Int64 = 128 << 10

  /// Cuts wanted pieces into runs and lets each grow around what is wanted.
  /// - Parameters:
  ///   - wanted: in order.
  ///   - window: compressed bytes that a request should have; runs grow within the window's multiples of the blob.
  ///   - isFree: whether a piece is missing and nobody is fetching it.
  /// - Returns: runs in order, none overlapping, only of free pieces.
  func runs(_ wanted: [Int], of map: ContentMap, window: Int64, isFree: (Int) -> Bool) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for piece in wanted {
      guard let last = runs.last else {
        runs.append(piece..<piece + 1)
        continue
      }
      if piece < last.upperBound { continue }
      let start = map.pieces[last.lowerBound].blob.lowerBound
      let isNear = map.pieces[piece].blob.lowerBound - map.pieces[last.upperBound - 1].blob.upperBound <= gapBytes
      if isNear, map.pieces[piece].blob.upperBound - start <= limitBytes,
        (last.upperBound..<piece).allSatisfy(isFree)
      {
        runs[runs.count - 1] = last.lowerBound..<piece + 1
      } else {
        runs.append(piece..<piece + 1)
      }
    }
    for index in runs.indices {
      let floor = index > 0 ? runs[index - 1].upperBound : 0
      let ceiling = index + 1 < runs.count ? runs[index + 1].lowerBound : map.pieces.count
      runs[index] = grown(runs[index], within: floor..<ceiling, of: map, window: window, isFree: isFree)
    }
    return runs
  }

  private func grown(
    _ run: Range<Int>, within bounds: Range<Int>, of map: ContentMap, window: Int64, isFree: (Int) -> Bool
  ) -> Range<Int> {
    guard window > 0 else { return run }
    var (first, end) = (run.lowerBound, run.upperBound)
    let windowStart = map.pieces[first].blob.lowerBound / window * window
    func size() -> Int64 { map.pieces[end - 1].blob.upperBound - map.pieces[first].blob.lowerBound }
    while end < bounds.upperBound, isFree(end), isNear(end, map),
      map.pieces[end].blob.upperBound <= max(windowStart + window, map.pieces[first].blob.lowerBound + window / 2),
      map.pieces[end].blob.upperBound - map.pieces[first].blob.lowerBound <= limitBytes
    { end += 1 }
    while first > bounds.lowerBound, isFree(first - 1), isNear(first, map),
      map.pieces[first - 1].blob.lowerBound >= windowStart,
      map.pieces[end - 1].blob.upperBound - map.pieces[first - 1].blob.lowerBound <= limitBytes
    { first -= 1 }
    return first..<end
  }

  /// Whether a piece begins about where the one before it ends.
  private func isNear(_ piece: Int, _ map: ContentMap) -> Bool {
    map.pieces[piece].blob.lowerBound - map.pieces[piece - 1].blob.upperBound <= gapBytes
  }
}
