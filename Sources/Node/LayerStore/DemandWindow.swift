/// How much is fetched along with what a reader waits for.
///
/// Small files are read in company (a language's modules, a package's data) and lie side by side: their window is wide, and
/// ends where a large piece begins, which nobody asked for. What is large comes alone, or nearly: libraries are read here
/// and there, and their neighbours are other programs' libraries. A reader that goes on where the last one stopped gets
/// twice as much each time.
///
/// Found by replaying the 583 reads of a Python start (184 pieces, 16.7 MB): one window of 512 KiB that doubles fetched
/// 22.8 MB with 35 requests and 35 waits for their round trip; windows of 256 KiB and 2 MiB fetch 23.5 MB with 29. With 64 or
/// 128 KiB for all it was 18.7 and 19.7 MB, but 82 and 61 requests, one after another.
struct DemandWindow: Sendable, Hashable {
  /// Compressed bytes; a run grows within this multiple of the blob.
  var bytes: Int64
  /// It does not grow over pieces of more compressed bytes.
  var pieceBytes: Int64

  /// - Parameters:
  ///   - bounds: of a window for something large: the first, and the most when readers go on.
  ///   - largest: compressed bytes of the largest piece that is waited for.
  ///   - last: the window of the run that ended just before this one, if readers go on.
  init(_ bounds: ClosedRange<Int64>, largest: Int64, after last: Int64? = nil) {
    let isSmall = largest <= bounds.lowerBound / 4
    let first = isSmall ? min(bounds.upperBound, bounds.lowerBound * 8) : bounds.lowerBound
    bytes = min(bounds.upperBound, max(first, (last ?? 0) * 2))
    pieceBytes = last == nil ? bounds.lowerBound * 3 / 4 : .max
  }
}
