import KubernetesAPI
import ObjectStore

/// The events of a watch on the wire: first what is there, then what happens.
///
/// A chunk holds as many lines as are ready, up to some tens of KiB: a line for each would cost a system call and a TLS
/// record each. **An empty chunk** says that what was there in the beginning has been told; from there on the watch waits.
struct WatchStream: AsyncSequence, Sendable {
  typealias Element = [UInt8]

  let subscription: WatchSubscription
  let filter: ObjectFilter
  let rendering: ObjectRendering
  /// A bookmark marks the end of the objects that were there in the beginning (`sendInitialEvents`).
  let marksInitialEventsEnd: Bool

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

  struct AsyncIterator: AsyncIteratorProtocol {
    private enum Phase {
      case objects(ChunkedSortedMap<ObjectKey, ObjectRecord>.Elements)
      case changes(ArraySlice<ObjectChange>)
      case endOfInitialEvents
      case toldBeginning
      case live
    }

    private let watch: WatchStream
    private var phase: Phase

    /// Bytes after which a chunk is told, whatever else is ready.
    private static let chunkBytes = 32 << 10
    /// Objects that are looked at for one chunk.
    private static let chunkObjects = 1024

    init(_ watch: WatchStream) {
      self.watch = watch
      switch watch.subscription.beginning {
      case .snapshot(let snapshot):
        phase = .objects(
          snapshot.map.elements(from: watch.filter.namespace.map { ObjectKey(namespace: $0, name: "") }))
      case .changes(let changes): phase = .changes(changes[...])
      }
    }

    mutating func next() async throws -> [UInt8]? {
      if Task.isCancelled { return nil }
      switch phase {
      case .objects(var elements):
        // Many objects at the start let others have the processor in between.
        await Task.yield()
        let (chunk, isAtEnd) = try objects(&elements)
        phase = isAtEnd ? (watch.marksInitialEventsEnd ? .endOfInitialEvents : .toldBeginning) : .objects(elements)
        // What matches may be far apart: an empty chunk would say something else.
        return chunk.isEmpty ? try await next() : chunk
      case .changes(var rest):
        let chunk = try changes(&rest)
        phase = rest.isEmpty ? .toldBeginning : .changes(rest)
        return chunk.isEmpty ? try await next() : chunk
      case .endOfInitialEvents:
        phase = .toldBeginning
        return watch.rendering.bookmark(revision: watch.subscription.revision, endsInitialEvents: true)
      case .toldBeginning:
        phase = .live
        return []
      case .live:
        guard let item = await watch.subscription.queue.next() else { return nil }
        var chunk = try line(item)
        for item in watch.subscription.queue.more(bytes: Self.chunkBytes - chunk.count) { chunk += try line(item) }
        return chunk
      }
    }

    private func line(_ item: WatchQueue.Item) throws(APIStatus) -> [UInt8] {
      switch item {
      case .encoded(let line): line
      case .event(let type, let record): try watch.rendering.event(type, record)
      case .bookmark(let revision): watch.rendering.bookmark(revision: revision)
      }
    }

    private func objects(_ elements: inout ChunkedSortedMap<ObjectKey, ObjectRecord>.Elements) throws(APIStatus)
      -> (chunk: [UInt8], isAtEnd: Bool)
    {
      var chunk: [UInt8] = []
      for _ in 0..<Self.chunkObjects where chunk.count < Self.chunkBytes {
        guard let (key, record) = elements.next() else { return (chunk, true) }
        if let namespace = watch.filter.namespace, key.namespace != namespace { return (chunk, true) }
        if watch.filter.matches(record) { chunk += try watch.rendering.event(.added, record) }
      }
      return (chunk, false)
    }

    private func changes(_ rest: inout ArraySlice<ObjectChange>) throws(APIStatus) -> [UInt8] {
      var chunk: [UInt8] = []
      while chunk.count < Self.chunkBytes, let change = rest.popFirst() {
        guard let type = WatchHub.event(change, for: watch.filter) else { continue }
        var record = change.record
        if type == .deleted, change.what != .deleted, let previous = change.previous {
          record = ObjectRecord(previous, at: change.revision)
        }
        chunk += try watch.rendering.event(type, record)
      }
      return chunk
    }
  }
}
