import Collections
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Logging

/// Deletes objects whose owners are gone, and carries out foreground and orphaning deletions.
///
/// It learns of work from committed changes and, after a start, from everything that has owners; so an end of the
/// process at any moment loses nothing.
final class GarbageCollector: Sendable {
  enum Work: Sendable, Hashable {
    /// Does this object still have an owner?
    case dependent(ObjectPlace)
    /// The same, of an object whose references have just been written.
    case claim(ObjectPlace)
    /// This object waits for its dependents (`foregroundDeletion`) or lets them go (`orphan`).
    case owner(ObjectPlace)
  }

  private struct State {
    var queue: Deque<Work> = []
    var queued: Set<Work> = []
    /// Owners whose deletion waits, by uid.
    var waitingOwners: [UID: ObjectPlace] = [:]
  }

  private let state = Mutex(State())
  private let signal = WorkSignal()
  let cache: ObjectCache
  let kinds: KindIndex
  let setApart: ObjectsSetApart
  let logger: Logger
  /// Tells users of wrong references while it runs.
  let events = Mutex<EventRecorder?>(nil)

  init(cache: ObjectCache, kinds: KindIndex, setApart: ObjectsSetApart, logger: Logger) {
    self.cache = cache
    self.setApart = setApart
    self.kinds = kinds
    self.logger = logger
    for kind in kinds.definitions.indices {
      for (key, record) in cache.snapshot(of: kind).map.elements() {
        note(record, at: ObjectPlace(kind: kind, key: key))
        if !record.owners.isEmpty { add(.dependent(ObjectPlace(kind: kind, key: key))) }
      }
    }
  }

  /// Takes in committed changes; the cache has them already.
  func note(_ changes: [ObjectChange]) {
    for change in changes {
      let place = ObjectPlace(kind: change.kind, key: change.record.key)
      if change.what == .deleted {
        state.withLock { $0.waitingOwners[change.record.uid] = nil }
        for dependent in cache.dependents(of: change.record.uid) { add(.dependent(dependent)) }
        wakeOwners(change.record.owners, of: place)
        continue
      }
      note(change.record, at: place)
      if change.record.owners != change.previous?.owners ?? [] {
        add(.claim(place))
        wakeOwners(change.previous?.owners ?? [], of: place)
      }
    }
  }

  private func note(_ record: ObjectRecord, at place: ObjectPlace) {
    guard record.marks.contains(.isBeingDeleted),
      !record.marks.isDisjoint(with: [.waitsForDependents, .orphansDependents])
    else { return }
    state.withLock { $0.waitingOwners[record.uid] = place }
    add(.owner(place))
  }

  private func wakeOwners(_ owners: [UID], of dependent: ObjectPlace) {
    for owner in owners {
      guard let place = state.withLock({ $0.waitingOwners[owner] }),
        // What happens in other namespaces cannot matter to it, and must not keep the collector busy.
        place.key.namespace.isEmpty || place.key.namespace == dependent.key.namespace
      else { continue }
      add(.owner(place))
    }
  }

  func add(_ work: Work) {
    state.withLock { state in
      if state.queued.insert(work).inserted { state.queue.append(work) }
    }
    signal.raise()
  }

  /// Works until the task is cancelled.
  func run(on server: APIServer) async {
    let recorder = EventRecorder(
      server.client(as: .component("garbage-collector")), component: "garbage-collector-controller", logger: logger)
    events.withLock { $0 = recorder }
    async let recording: Void? = try? recorder.run()
    await work(on: server)
    await recording
  }

  private func work(on server: APIServer) async {
    signal.raise()
    while await signal.wait() {
      var failed: [Work] = []
      while !Task.isCancelled, let work = take() {
        do throws(APIStatus) {
          try await carryOut(work, on: server)
        } catch {
          logger.warning("garbage collection will be tried again", metadata: ["error": "\(error)"])
          failed.append(work)
        }
      }
      guard !failed.isEmpty else { continue }
      // Full disks and conflicts pass; until then there is no hurry.
      try? await Task.sleep(for: .seconds(1))
      for work in failed { add(work) }
    }
  }

  private func take() -> Work? {
    state.withLock { state in
      guard let work = state.queue.popFirst() else { return nil }
      state.queued.remove(work)
      return work
    }
  }

  private func carryOut(_ work: Work, on server: APIServer) async throws(APIStatus) {
    do throws(APIStatus) {
      switch work {
      case .dependent(let place): try await collect(place, on: server)
      case .claim(let place): try await collect(place, isNewClaim: true, on: server)
      case .owner(let place): try await release(place, on: server)
      }
    } catch {
      // Gone meanwhile, or made anew under the same name.
      guard error.isNotFound || error.isConflict else { throw error }
    }
  }
}
