/// How much somebody waits for bytes.
public enum FetchUrgency: Int, Sendable, Hashable, Comparable {
  /// To make a layer complete; yields to everything else.
  case background
  /// Expected to be read soon.
  case prefetch
  /// A program is blocked in a read.
  case demand

  public static func < (left: FetchUrgency, right: FetchUrgency) -> Bool { left.rawValue < right.rawValue }
}

/// The bytes of one blob (a layer as its registry stores it), wherever they come from.
///
/// Retries, mirrors, credentials and limits of concurrency are the implementation's affair. What it gives is not verified:
/// whoever asks compares digests before the bytes are used.
public protocol BlobFetching: Sendable {
  /// Bytes of the blob.
  /// - Parameter range: within the blob, not empty.
  /// - Returns: exactly that many bytes.
  func fetch(_ range: Range<Int64>, urgency: FetchUrgency) async throws -> [UInt8]

  /// The same, as it comes: whoever waits for the first of them need not wait for the last.
  /// - Parameter body: gets the bytes in order; the next ones are not read before it returns.
  func fetch(
    _ range: Range<Int64>, urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void
  ) async throws

  /// The whole blob from front to back, in one stream.
  /// - Parameter body: gets the pieces in order; the next one is not read before it returns.
  func stream(urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void) async throws
}

extension BlobFetching {
  /// For sources that give everything at once.
  public func fetch(
    _ range: Range<Int64>, urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void
  ) async throws {
    try await body(fetch(range, urgency: urgency)[...])
  }
}
