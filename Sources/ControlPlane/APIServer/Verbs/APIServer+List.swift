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
    var snapshot = cache.snapshot(of: context.kind)
    if let asked = try context.request.revision("resourceVersion"), asked > snapshot.revision {
      throw APIStatus(
        .timeout, "Too large resource version: \(asked), current: \(snapshot.revision)", retryAfterSeconds: 1)
    }
    var first = filter.namespace.map { ObjectKey(namespace: $0, name: filter.onlyName ?? "") }
    var isContinued = false
    if let text = context.request.parameter("continue"), !text.isEmpty {
      let token = try ContinueToken(text)
      isContinued = true
      first = token.next
      if snapshot.lastChange <= token.revision {
        // Nothing of this kind changed since: the newest state is the one of the first page.
        snapshot = ObjectCache.Snapshot(
          map: snapshot.map, revision: token.revision, lastChange: snapshot.lastChange)
      } else if let kept = shelf.take(context.kind, revision: token.revision) {
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

  private static let chunkBytes = 64 << 10

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
      while chunk.count < ListStream.chunkBytes {
        guard let record = nextMatch() else {
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

    private mutating func nextMatch() -> ObjectRecord? {
      while let (key, record) = elements.next() {
        if let namespace = list.filter.namespace, key.namespace != namespace { return nil }
        if list.filter.matches(record) { return record }
      }
      return nil
    }
  }
}
