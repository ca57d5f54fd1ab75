import LayerStore
import OCI
import Synchronization

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
