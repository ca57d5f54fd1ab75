import Synchronization

/// Figures and recorded reads of one layer.
final class LayerCounters: Sendable {
  private struct State {
    var figures = LayerFigures()
    var reads: [Range<Int64>] = []
    var seen: Set<Int64> = []
  }

  private let state = Mutex(State())
  /// Reads are kept in units of this many bytes.
  private static let unit: Int64 = 64 << 10
  /// So many units are recorded at most: 2 GiB of first reads.
  private static let limit = 32768

  var figures: LayerFigures { state.withLock { $0.figures } }
  func update(_ change: (inout LayerFigures) -> Void) { state.withLock { change(&$0.figures) } }

  /// Notes the first read of each part of the device, in order.
  func record(_ range: Range<Int64>) {
    state.withLock { state in
      guard state.seen.count < Self.limit else { return }
      for unit in range.lowerBound / Self.unit...max(range.lowerBound, range.upperBound - 1) / Self.unit
      where state.seen.insert(unit).inserted {
        let piece = max(range.lowerBound, unit * Self.unit)..<min(range.upperBound, (unit + 1) * Self.unit)
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
