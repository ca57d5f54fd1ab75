import KubernetesAPI
import Locking
import Logging
import ObjectStore

/// A write that waits for its commit.
struct WriteProposal: Sendable {
  enum Change: Sendable {
    case put(ObjectDraft)
    case remove
  }

  let kind: Int
  let key: ObjectKey
  /// The revision that the writer has seen; `nil`: there must be no such object.
  let expected: UInt64?
  let change: Change
  /// What the write adds to its namespace's account.
  var usage: UsageChange?
}

/// Why a write was not committed.
enum CommitFailure: Error {
  /// The object is there already, or has another revision (`nil`: it is gone).
  case moved(current: ObjectRecord?)
  /// Admission says no.
  case refused(APIStatus)
  case store(StoreError)
}

/// The one writer: takes all waiting writes, checks them against the newest state, commits them in one transaction,
/// publishes them, and only then answers.
final class CommitQueue: Sendable {
  private struct Waiting {
    let proposal: WriteProposal
    let continuation: CheckedContinuation<Result<ObjectRecord, CommitFailure>, Never>
  }

  private struct State {
    var waiting: [Waiting] = []
    var isDraining = false
  }

  /// Writes in one transaction at most.
  private static let batchLimit = 512

  private let state = Mutex(State())
  private let store: any ObjectStoring
  private let cache: ObjectCache
  private let resourceKeys: [String]
  private let admit: @Sendable (WriteProposal, inout BatchAccount) throws(APIStatus) -> Void
  private let publish: @Sendable ([ObjectChange]) -> Void
  private let counters: ServerCounters
  private let logger: Logger

  init(
    store: any ObjectStoring, cache: ObjectCache, resourceKeys: [String], counters: ServerCounters, logger: Logger,
    admit: @escaping @Sendable (WriteProposal, inout BatchAccount) throws(APIStatus) -> Void,
    publish: @escaping @Sendable ([ObjectChange]) -> Void
  ) {
    self.store = store
    self.cache = cache
    self.resourceKeys = resourceKeys
    self.counters = counters
    self.logger = logger
    self.admit = admit
    self.publish = publish
  }

  /// Returns when the write is durable and every reader sees it.
  /// - Returns: the object after the write; of a removal, its last state under the removal's revision.
  func commit(_ proposal: WriteProposal) async throws(CommitFailure) -> ObjectRecord {
    let result: Result<ObjectRecord, CommitFailure> = await withCheckedContinuation { continuation in
      let begins = state.withLock { state in
        state.waiting.append(Waiting(proposal: proposal, continuation: continuation))
        if state.isDraining { return false }
        state.isDraining = true
        return true
      }
      // Not a child of the writer's task: when that one is cancelled, the others' writes must still be committed.
      // It ends as soon as nobody waits.
      if begins { Task { await self.drain() } }
    }
    return try result.get()
  }

  private func drain() async {
    while true {
      let batch = state.withLock { state -> [Waiting] in
        let batch = Array(state.waiting.prefix(Self.batchLimit))
        state.waiting.removeFirst(batch.count)
        if batch.isEmpty { state.isDraining = false }
        return batch
      }
      if batch.isEmpty { return }
      let deferred = await commit(batch)
      if !deferred.isEmpty { state.withLock { $0.waiting.insert(contentsOf: deferred, at: 0) } }
    }
  }

  /// - Returns: writes that touch an object of the same batch again; they are judged by the state after it.
  private func commit(_ batch: [Waiting]) async -> [Waiting] {
    var revision = cache.revision
    var touched: Set<ObjectPlace> = []
    var deferred: [Waiting] = []
    var account = BatchAccount()
    var accepted: [(waiting: Waiting, change: ObjectChange)] = []
    var writes: [StoreWrite] = []
    for waiting in batch {
      let proposal = waiting.proposal
      let place = ObjectPlace(kind: proposal.kind, key: proposal.key)
      guard touched.insert(place).inserted else {
        deferred.append(waiting)
        continue
      }
      let current = cache.record(proposal.kind, proposal.key)
      guard current?.revision == proposal.expected else {
        waiting.continuation.resume(returning: .failure(.moved(current: current)))
        continue
      }
      do throws(APIStatus) { try admit(proposal, &account) } catch {
        waiting.continuation.resume(returning: .failure(.refused(error)))
        continue
      }
      let change: ObjectChange
      switch (proposal.change, current) {
      case (.put(let draft), _):
        revision += 1
        change = ObjectChange(
          kind: proposal.kind, what: current == nil ? .added : .modified,
          record: ObjectRecord(draft, revision: revision), previous: current)
      case (.remove, let current?):
        revision += 1
        change = ObjectChange(
          kind: proposal.kind, what: .deleted, record: ObjectRecord(current, at: revision), previous: current)
      case (.remove, nil):
        waiting.continuation.resume(returning: .failure(.moved(current: nil)))
        continue
      }
      accepted.append((waiting, change))
      writes.append(
        StoreWrite(
          key: StoreKey(
            resource: resourceKeys[proposal.kind], namespace: proposal.key.namespace, name: proposal.key.name),
          precondition: current.map { .revision($0.revision) } ?? .absent, revision: revision,
          value: change.what == .deleted ? nil : change.record.bytes))
    }
    guard !accepted.isEmpty else { return deferred }
    do throws(StoreError) {
      try await append(writes)
    } catch {
      counters.commitFailed()
      logger.error("cannot commit", metadata: ["writes": "\(writes.count)", "error": "\(error)"])
      for (waiting, _) in accepted { waiting.continuation.resume(returning: .failure(.store(error))) }
      return deferred
    }
    counters.committed(writes: writes.count)
    publish(accepted.map(\.change))
    for (waiting, change) in accepted { waiting.continuation.resume(returning: .success(change.record)) }
    return deferred
  }

  /// A store that fails while it commits may have committed: then its revision tells.
  private func append(_ writes: [StoreWrite]) async throws(StoreError) {
    do throws(StoreError) {
      try await store.append(writes)
    } catch {
      guard case .failed = error, let newest = try? await store.revision(), newest == writes.last?.revision else {
        throw error
      }
    }
  }
}
