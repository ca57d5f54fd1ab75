import Locking

/// Figures and recorded reads of one layer.
final class LayerCounters: Sendable {
  private struct State {
    var figures = LayerFigures()
    var reads: [Range<Int64>] = []
    var seen: Set<Int> = []
  }

  private let state = Mutex(State())
  /// So many items are recorded at most; starts read some hundred.
  private static let limit = 32768

  var figures: LayerFigures { state.withLock { $0.figures } }
  func update(_ change: (inout LayerFigures) -> Void) { state.withLock { change(&$0.figures) } }

  /// Notes the first read of each item that a range of the device touches, in order: items are what is fetched and
  /// verified, so the next start needs exactly these.
  func record(_ range: Range<Int64>, _ map: ContentMap) {
    state.withLock { state in
      guard state.seen.count < Self.limit else { return }
      for item in map.items(touching: range) where state.seen.insert(item).inserted {
        let piece = map.deviceRange(item)
        if let last = state.reads.last, last.upperBound == piece.lowerBound {
          state.reads[state.reads.count - 1] = last.lowerBound..<piece.upperBound
        } else {
          state.reads.append(piece)
        }
      }
    }
  }

  var reads: [Range<Int64>] { state.withLock { $0.reads } }

  func forgetReads() {
    state.withLock {
      $0.reads = []
      $0.seen = []
    }
  }
}
