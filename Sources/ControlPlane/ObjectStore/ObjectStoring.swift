/// Keeps the newest version of every object, durably, as bytes.
///
/// The contract, which the conformance suite holds every store to:
/// - a batch is taken whole or not at all; when `append` returns, it survives the loss of power;
/// - revisions increase over the store's whole life, also when the newest object has been removed;
/// - only the newest version is kept: history belongs to the cache above, which has one writer;
/// - a full disk refuses batches with `StoreError.full` and goes on serving reads.
public protocol ObjectStoring: Sendable {
  /// The revision of the last write ever taken; 0 for a new store.
  func revision() async throws(StoreError) -> UInt64

  /// Takes a batch of changes whose revisions increase. An empty batch does nothing.
  func append(_ batch: [StoreWrite]) async throws(StoreError)

  /// A page of objects in the order of their keys.
  /// - Parameters:
  ///   - resource: only this kind; all of them if `nil`
  ///   - after: begins behind this key
  ///   - limit: objects in the page at most
  ///   - revision: the store must be at this one (`StoreError.moved` if it is not), so that pages fit together
  func read(resource: String?, after: StoreKey?, limit: Int, at revision: UInt64?) async throws(StoreError) -> StorePage

  /// What can still be read of a kind after `read` found the file damaged.
  func salvage(resource: String) async throws(StoreError) -> StoreSalvage

  /// Small work that keeps the store quick and small; called now and then, beside the writes.
  func maintain() async throws(StoreError)

  /// Gives all free space back to the file system.
  func compact() async throws(StoreError)

  /// Writes a copy of everything, consistent at one revision, to a new SQLite file.
  func snapshot(to path: String) async throws(StoreError)
}

/// A page of a read.
public struct StorePage: Sendable {
  /// The store's revision when the page was read.
  public let revision: UInt64
  public let objects: [StoredObject]
  /// More objects may follow behind the last one.
  public let hasMore: Bool

  public init(revision: UInt64, objects: [StoredObject], hasMore: Bool) {
    self.revision = revision
    self.objects = objects
    self.hasMore = hasMore
  }
}

/// What a damaged store still gives of one kind.
public struct StoreSalvage: Sendable {
  public let objects: [StoredObject]
  /// What the store says of the damage; `nil` if there was none.
  public let damage: String?

  public init(objects: [StoredObject], damage: String?) {
    self.objects = objects
    self.damage = damage
  }
}

extension ObjectStoring {
  /// For stores that have no pages: everything, in one piece.
  public func salvage(resource: String) async throws(StoreError) -> StoreSalvage {
    StoreSalvage(
      objects: try await read(resource: resource, after: nil, limit: .max - 1, at: nil).objects, damage: nil)
  }

  public func maintain() async throws(StoreError) {}
}
