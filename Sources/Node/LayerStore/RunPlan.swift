/// Which pieces are fetched with one request.
struct RunPlan: Sendable {
  /// The largest request in compressed bytes; one piece may be larger.
  var limitBytes: Int64
  /// Bytes between two pieces that are fetched along rather than asking twice.
  var gapBytes: Int64 = 128 << 10

  /// Of what nobody waits for yet: a start that was learned (140 stretches, 16.7 MB) comes with 22 requests and 19.2 MB; with
  /// 128 KiB it is 28 and 18.1 MB, with 512 KiB 19 and 20.6 MB.
  static let prefetchGapBytes: Int64 = 256 << 10

  /// Cuts wanted pieces into runs and lets each grow around what is wanted.
  /// - Parameters:
  ///   - wanted: in order.
  ///   - window: how far a run may grow; `nil`: only what is wanted.
  ///   - isFree: whether a piece is missing and nobody is fetching it.
  /// - Returns: runs in order, none overlapping, only of free pieces.
  func runs(_ wanted: [Int], of map: ContentMap, window: (Range<Int>) -> DemandWindow?, isFree: (Int) -> Bool)
    -> [Range<Int>]
  {
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
      guard let window = window(runs[index]) else { continue }
      runs[index] = grown(runs[index], within: floor..<ceiling, of: map, window, isFree: isFree)
    }
    return runs
  }

  private func grown(
    _ run: Range<Int>, within bounds: Range<Int>, of map: ContentMap, _ window: DemandWindow, isFree: (Int) -> Bool
  ) -> Range<Int> {
    func mayGrow(over piece: Int) -> Bool {
      isFree(piece) && map.pieces[piece].blob.count <= window.pieceBytes
    }
    var (first, end) = (run.lowerBound, run.upperBound)
    let windowStart = map.pieces[first].blob.lowerBound / window.bytes * window.bytes
    while end < bounds.upperBound, mayGrow(over: end), isNear(end, map),
      map.pieces[end].blob.upperBound
        <= max(windowStart + window.bytes, map.pieces[first].blob.lowerBound + window.bytes / 2),
      map.pieces[end].blob.upperBound - map.pieces[first].blob.lowerBound <= limitBytes
    { end += 1 }
    while first > bounds.lowerBound, mayGrow(over: first - 1), isNear(first, map),
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
