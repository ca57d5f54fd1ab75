/// A store that lives as long as the process: for tests, and for servers that need not remember.
public actor MemoryObjectStore: ObjectStoring {
  private var objects = ChunkedSortedMap<StoreKey, (revision: UInt64, value: [UInt8])>()
  private var newest: UInt64 = 0
  /// Bytes of values that may be kept; `nil`: no bound.
  private let maximumBytes: Int?
  private var bytes = 0

  public init(maximumBytes: Int? = nil) { self.maximumBytes = maximumBytes }

  public func revision() async throws(StoreError) -> UInt64 { newest }

  public func append(_ batch: [StoreWrite]) async throws(StoreError) {
    var objects = self.objects
    var newest = self.newest
    var bytes = self.bytes
    for write in batch {
      guard write.revision > newest else {
        throw .revisionNotIncreasing(write.revision, current: newest)
      }
      newest = write.revision
      let old = objects[write.key]
      switch write.precondition {
      case .absent where old != nil: throw .preconditionFailed(write.key)
      case .revision(let revision) where old?.revision != revision: throw .preconditionFailed(write.key)
      default: break
      }
      bytes += (write.value?.count ?? 0) - (old?.value.count ?? 0)
      if let value = write.value {
        objects.updateValue((write.revision, value), forKey: write.key)
      } else {
        objects.removeValue(forKey: write.key)
      }
    }
    if let maximumBytes, bytes > maximumBytes, bytes > self.bytes { throw .full(path: "memory") }
    (self.objects, self.newest, self.bytes) = (objects, newest, bytes)
  }

  public func read(resource: String?, after: StoreKey?, limit: Int, at revision: UInt64?) async throws(StoreError)
    -> StorePage
  {
    if let revision, revision != newest { throw .moved(asked: revision, current: newest) }
    let first = after ?? resource.map { StoreKey(resource: $0, name: "") }
    var page: [StoredObject] = []
    for (key, value) in objects.elements(from: first) {
      if key == after { continue }
      if let resource, key.resource != resource { break }
      if page.count == limit { return StorePage(revision: newest, objects: page, hasMore: true) }
      page.append(StoredObject(key: key, revision: value.revision, value: value.value))
    }
    return StorePage(revision: newest, objects: page, hasMore: false)
  }

  public func compact() async throws(StoreError) {}

  public func snapshot(to path: String) async throws(StoreError) {
    let copy = try SQLiteObjectStore(path: path)
    let inOrderOfWriting = objects.elements().sorted { $0.value.revision < $1.value.revision }
    try await copy.append(
      inOrderOfWriting.map {
        StoreWrite(key: $0.key, precondition: .absent, revision: $0.value.revision, value: $0.value.value)
      })
    try await copy.advance(to: newest)
    try await copy.compact()
  }
}
