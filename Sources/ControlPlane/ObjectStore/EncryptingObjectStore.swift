import Crypto
import Foundation

/// A store in front of another one that seals the values of some kinds (AES-256-GCM), and opens them when they are read.
///
/// A sealed value is `k8s:enc:aesgcm:v1:KEY:` with nonce, ciphertext and tag, as Kubernetes writes it (EncryptionConfiguration).
/// The storage key is authenticated with it, so a value that is moved to another object's place cannot be opened. What cannot
/// be opened is handed on as it is: the server sets it apart.
public struct EncryptingObjectStore: ObjectStoring {
  private let base: SQLiteObjectStore
  private let keys: EncryptionKeys
  private let resources: Set<String>

  /// - Parameter resources: kinds whose values are sealed, as the store names them.
  public init(_ base: SQLiteObjectStore, keys: EncryptionKeys, resources: Set<String> = ["secrets"]) {
    self.base = base
    self.keys = keys
    self.resources = resources
  }

  public func revision() async throws(StoreError) -> UInt64 { try await base.revision() }

  public func append(_ batch: [StoreWrite]) async throws(StoreError) {
    guard batch.contains(where: { resources.contains($0.key.resource) && $0.value != nil }) else {
      return try await base.append(batch)
    }
    var sealed: [StoreWrite] = []
    for write in batch {
      guard resources.contains(write.key.resource), let value = write.value else {
        sealed.append(write)
        continue
      }
      sealed.append(
        StoreWrite(
          key: write.key, precondition: write.precondition, revision: write.revision,
          value: try seal(value, at: write.key)))
    }
    try await base.append(sealed)
  }

  private func seal(_ value: [UInt8], at key: StoreKey) throws(StoreError) -> [UInt8] {
    do { return try keys.seal(value, at: key) } catch {
      throw .failed(path: base.path, detail: "\(key) cannot be encrypted: \(error)")
    }
  }

  public func read(resource: String?, after: StoreKey?, limit: Int, at revision: UInt64?) async throws(StoreError)
    -> StorePage
  {
    let page = try await base.read(resource: resource, after: after, limit: limit, at: revision)
    return StorePage(revision: page.revision, objects: page.objects.map(opened), hasMore: page.hasMore)
  }

  public func salvage(resource: String) async throws(StoreError) -> StoreSalvage {
    let salvage = try await base.salvage(resource: resource)
    return StoreSalvage(objects: salvage.objects.map(opened), damage: salvage.damage)
  }

  private func opened(_ stored: StoredObject) -> StoredObject {
    guard EncryptionKeys.isSealed(stored.value), let value = keys.unseal(stored.value, at: stored.key) else {
      return stored
    }
    return StoredObject(key: stored.key, revision: stored.revision, value: value)
  }

  /// Seals with the first key everything that is not: what was stored before encryption was turned on, and what other keys
  /// sealed. Afterwards nothing of the old form is left in the file, its free pages or its log.
  /// - Returns: how many values were rewritten; what no key opens is left as it is.
  public func rewrite(_ progress: (Int, Int) -> Void = { _, _ in }) async throws(StoreError) -> Int {
    var count = 0
    for resource in resources.sorted() {
      let objects = try await base.salvage(resource: resource).objects.filter { !keys.isCurrent($0.value) }
      for (index, stored) in objects.enumerated() {
        let plain = EncryptionKeys.isSealed(stored.value) ? keys.unseal(stored.value, at: stored.key) : stored.value
        guard let plain else { continue }
        _ = try await base.repair(stored.key, value: try seal(plain, at: stored.key))
        count += 1
        progress(index + 1, objects.count)
      }
    }
    if count > 0 { try await base.eraseFreeSpace() }
    return count
  }

  /// Names of keys besides the first by which something is still sealed.
  public func oldKeysInUse() async throws(StoreError) -> Set<String> {
    var names: Set<String> = []
    for resource in resources {
      for stored in try await base.salvage(resource: resource).objects {
        if let name = EncryptionKeys.keyName(of: stored.value), name != keys.first.name { names.insert(name) }
      }
    }
    return names
  }

  public func maintain() async throws(StoreError) { try await base.maintain() }
  public func compact() async throws(StoreError) { try await base.compact() }
  public func snapshot(to path: String) async throws(StoreError) { try await base.snapshot(to: path) }
}
