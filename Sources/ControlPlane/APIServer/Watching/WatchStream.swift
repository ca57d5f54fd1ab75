import KubernetesAPI
import ObjectStore

/// The events of a watch on the wire: first what is there, then what happens.
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
      case live
    }

    private let watch: WatchStream
    private var phase: Phase
    private var told = 0

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
      while true {
        if Task.isCancelled { return nil }
        switch phase {
        case .objects(var elements):
          // Many objects at the start let others have the processor in between.
          told += 1
          if told % 64 == 0 { await Task.yield() }
          let found = nextObject(&elements)
          phase = .objects(elements)
          if let found { return try watch.rendering.event(.added, found) }
          phase = watch.marksInitialEventsEnd ? .endOfInitialEvents : .live
        case .changes(var rest):
          guard let change = rest.popFirst() else {
            phase = .live
            continue
          }
          phase = .changes(rest)
          guard let type = WatchHub.event(change, for: watch.filter) else { continue }
          var record = change.record
          if type == .deleted, change.what != .deleted, let previous = change.previous {
            record = ObjectRecord(previous, at: change.revision)
          }
          return try watch.rendering.event(type, record)
        case .endOfInitialEvents:
          phase = .live
          return watch.rendering.bookmark(revision: watch.subscription.revision, endsInitialEvents: true)
        case .live:
          switch await watch.subscription.queue.next() {
          case .encoded(let line): return line
          case .event(let type, let record): return try watch.rendering.event(type, record)
          case .bookmark(let revision): return watch.rendering.bookmark(revision: revision)
          case nil: return nil
          }
        }
      }
    }

    private func nextObject(_ elements: inout ChunkedSortedMap<ObjectKey, ObjectRecord>.Elements) -> ObjectRecord? {
      while let (key, record) = elements.next() {
        if let namespace = watch.filter.namespace, key.namespace != namespace { return nil }
        if watch.filter.matches(record) { return record }
      }
      return nil
    }
  }
}
