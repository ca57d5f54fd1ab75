import LayerStore
import Locking
import OCI

/// A blob in memory as a registry would give it; can be slow, fail and lie.
final class TestBlob: BlobFetching, Sendable {
  struct Behaviour: Sendable {
    var delay: Duration = .zero
    var isDown = false
    /// Flips a bit in what is given out.
    var lies = false
    /// Gives fewer bytes than it should.
    var isShort = false
    /// Holds every request until this is false.
    var isHeld = false
    /// Gives so many bytes of every request, then holds it until this is `nil`.
    var heldAfter: Int?
  }

  struct Down: Error {}

  let bytes: [UInt8]
  private let state = Mutex<(behaviour: Behaviour, fetches: [(range: Range<Int64>, urgency: FetchUrgency)])>(
    (Behaviour(), []))

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func set(_ change: (inout Behaviour) -> Void) { state.withLock { change(&$0.behaviour) } }
  var fetches: [(range: Range<Int64>, urgency: FetchUrgency)] { state.withLock { $0.fetches } }
  var fetchedBytes: Int { fetches.reduce(0) { $0 + $1.range.count } }
  func forget() { state.withLock { $0.fetches = [] } }

  func fetch(_ range: Range<Int64>, urgency: FetchUrgency) async throws -> [UInt8] {
    var behaviour = state.withLock { state in
      state.fetches.append((range, urgency))
      return state.behaviour
    }
    while behaviour.isHeld {
      try await Task.sleep(for: .milliseconds(5))
      behaviour = state.withLock { $0.behaviour }
    }
    if behaviour.delay > .zero { try await Task.sleep(for: behaviour.delay) }
    if behaviour.isDown { throw Down() }
    var found = Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
    if behaviour.lies { found[found.count / 2] ^= 4 }
    if behaviour.isShort { found.removeLast() }
    return found
  }

  /// In pieces of 4000 bytes.
  func fetch(
    _ range: Range<Int64>, urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void
  ) async throws {
    let found = try await fetch(range, urgency: urgency)
    for start in stride(from: 0, to: found.count, by: 4000) {
      while let limit = state.withLock({ $0.behaviour.heldAfter }), start >= limit {
        try await Task.sleep(for: .milliseconds(5))
      }
      try await body(found[start..<min(start + 4000, found.count)])
    }
  }

  func stream(urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void) async throws {
    try await body(bytes[...])
  }
}

struct TestSources: BlobSources {
  let blobs: [LayerKey: TestBlob]

  func blob(_ key: LayerKey, blobBytes: Int64, origin: ImageReference) -> any BlobFetching {
    blobs[key] ?? TestBlob([])
  }
}
