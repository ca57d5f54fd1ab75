import JSONDocument
import KubernetesAPI
import KubernetesClient
import ObjectStore

extension APIServer {
  /// Every list is consistent: it shows one instant, the newest one unless it continues an earlier page.
  func list(_ context: RequestContext) throws(APIStatus) -> APIResponse {
    let filter = try filter(context)
    let rendering = try rendering(context)
    let limit = try context.request.number("limit") ?? 0
    let version = try ListVersion(context.request)
    var snapshot = cache.snapshot(of: context.kind)
    if let asked = version.revision {
      guard asked <= snapshot.revision else {
        throw APIStatus.tooLargeResourceVersion(asked, current: snapshot.revision)
      }
      if version.match == .exact {
        snapshot = try exact(snapshot, at: asked, context)
      }
    }
    var first = filter.namespace.map { ObjectKey(namespace: $0, name: filter.onlyName ?? "") }
    var isContinued = false
    if let text = context.request.parameter("continue"), !text.isEmpty {
      let token = try ContinueToken(text)
      isContinued = true
      first = token.next
      if let kept = kept(snapshot, at: token.revision, context) {
        snapshot = kept
      } else {
        throw APIStatus(
          .expired,
          "the provided continue parameter is too old to display a consistent list result: list anew from the beginning"
        )
      }
    }
    let stream = ListStream(
      elements: snapshot.map.elements(from: first), revision: snapshot.revision, filter: filter,
      rendering: rendering, limit: limit > 0 ? limit : nil,
      // Counting what is left is free only if all of the kind is listed.
      total: filter.isEverything && filter.namespace == nil && !isContinued ? snapshot.map.count : nil,
      willContinue: { [shelf, snapshot, kind = context.kind] in shelf.put(kind, snapshot) })
    return try stream.response(context)
  }

  /// The kind as it was at a revision, if that is still known.
  private func kept(_ newest: ObjectCache.Snapshot, at revision: UInt64, _ context: RequestContext)
    -> ObjectCache.Snapshot?
  {
    guard newest.lastChange > revision else {
      // Nothing of this kind changed since: the newest state is the one of then.
      return ObjectCache.Snapshot(map: newest.map, revision: revision, lastChange: newest.lastChange)
    }
    return shelf.take(context.kind, revision: revision)
  }

  private func exact(_ newest: ObjectCache.Snapshot, at revision: UInt64, _ context: RequestContext) throws(APIStatus)
    -> ObjectCache.Snapshot
  {
    guard let kept = kept(newest, at: revision, context) else {
      throw APIStatus(.expired, "The resourceVersion for the provided list is too old.")
    }
    return kept
  }
}

/// A list's document in chunks: it is never in memory as a whole.
struct ListStream: AsyncSequence, Sendable {
  typealias Element = [UInt8]

  let elements: ChunkedSortedMap<ObjectKey, ObjectRecord>.Elements
  let revision: UInt64
  let filter: ObjectFilter
  let rendering: ObjectRendering
  let limit: Int?
  let total: Int?
  /// Called if there is more than the limit, before the answer that says so is complete.
  let willContinue: @Sendable () -> Void

  private static let chunkBytes = 16 << 10
  /// Objects that are looked at for one chunk.
  private static let chunkObjects = 4096

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

  /// A short list goes in one piece, a long one in chunks.
  func response(_ context: RequestContext) throws(APIStatus) -> APIResponse {
    var iterator = makeAsyncIterator()
    let first = try iterator.nextChunk() ?? []
    if iterator.isAtEnd { return context.answer(200, first) }
    return APIResponse(
      status: 200, headers: context.warningHeaders,
      body: .stream(ByteStream(Resumed(first: first, iterator: iterator))))
  }

  /// The rest of a list behind its first chunk.
  private struct Resumed: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    let first: [UInt8]
    let iterator: ListStream.AsyncIterator

    func makeAsyncIterator() -> Iterator { Iterator(first: first, rest: iterator) }

    struct Iterator: AsyncIteratorProtocol {
      var first: [UInt8]?
      var rest: ListStream.AsyncIterator
      mutating func next() async throws -> [UInt8]? {
        if let first = first.take() { return first }
        return try await rest.next()
      }
    }
  }

  struct AsyncIterator: AsyncIteratorProtocol, Sendable {
    private let list: ListStream
    private var elements: ChunkedSortedMap<ObjectKey, ObjectRecord>.Elements
    private var count = 0
    private var hasBegun = false
    private(set) var isAtEnd = false

    init(_ list: ListStream) {
      self.list = list
      elements = list.elements
    }

    mutating func next() async throws -> [UInt8]? {
      // A long list lets others have the processor between its chunks.
      await Task.yield()
      if Task.isCancelled { return nil }
      return try nextChunk()
    }

    mutating func nextChunk() throws(APIStatus) -> [UInt8]? {
      if isAtEnd { return nil }
      var chunk: [UInt8] = []
      chunk.reserveCapacity(hasBegun ? ListStream.chunkBytes + 8192 : 4096)
      if !hasBegun {
        hasBegun = true
        chunk += list.rendering.listPrefix
      }
      var looked = 0
      while chunk.count < ListStream.chunkBytes {
        guard let record = nextMatch(&looked) else {
          // What matches may be far apart.
          if looked >= ListStream.chunkObjects { return chunk }
          isAtEnd = true
          chunk += list.rendering.listSuffix(revision: list.revision, next: nil, remaining: nil)
          return chunk
        }
        if let limit = list.limit, count == limit {
          isAtEnd = true
          list.willContinue()
          chunk += list.rendering.listSuffix(
            revision: list.revision, next: ContinueToken(revision: list.revision, next: record.key).text,
            remaining: list.total.map { $0 - count })
          return chunk
        }
        if count > 0 { chunk.append(UInt8(ascii: ",")) }
        count += 1
        chunk += try list.rendering.listItem(record)
      }
      return chunk
    }

    private mutating func nextMatch(_ looked: inout Int) -> ObjectRecord? {
      while looked < ListStream.chunkObjects, let (key, record) = elements.next() {
        looked += 1
        if let namespace = list.filter.namespace, key.namespace != namespace {
          looked = 0
          return nil
        }
        if list.filter.matches(record) { return record }
      }
      return nil
    }
  }
}
