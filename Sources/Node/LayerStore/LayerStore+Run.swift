import LinuxSystem
import Logging
import OCI
import ServiceLifecycle

import struct Synchronization.Atomic

extension LayerStore {
  /// Answers readers, completes mounted layers in the background and notes what is there, until it is cancelled.
  ///
  /// At the end readers that wait go on waiting if a keeper holds the kernel's questions for the next process; without one
  /// their reads fail.
  public func run() async throws {
    let input = workInput
    var events: EventThread?
    if case .events(let desk) = path {
      try await takeOver(desk)
      events = try EventThread(desk) { input.yield(.answer($0)) }
      try events?.start()
    }
    await withDiscardingTaskGroup { group in
      group.addTask { await self.completeInBackground() }
      group.addTask { await self.saveNowAndThen() }
      group.addTask { [events] in await self.keepProtected(events) }
      for await item in work.cancelOnGracefulShutdown() {
        group.addTask { await self.perform(item) }
      }
      group.cancelAll()
    }
    events?.stop()
    threads?.stop()
    for (key, entry) in entries {
      if let fill = entry.fill, !entry.record.isComplete { try? await save(key, fill) }
    }
    await letGo()
  }

  private nonisolated func perform(_ work: Work) async {
    switch work {
    case .answer(let event):
      await configuration.calls.track("a read of layer \(event.fill.key), \(event.range)") { await answer(event) }
    case .prefetch(let fill, let pieces):
      await configuration.calls.track("fetching ahead of layer \(fill.key)") { await prefetch(fill, pieces) }
      await endOrder()
    case .finish(let key):
      do { try await configuration.calls.track("completing layer \(key)") { try await finish(key) } } catch {
        logger.error("layer could not be completed", metadata: ["layer": "\(key)", "reason": "\(error)"])
      }
    }
  }

  private nonisolated func prefetch(_ fill: LayerFill, _ pieces: [Int]) async {
    // In the order in which they will be read, two requests at once: a reader never waits behind what comes later.
    var rest = pieces[...]
    while !rest.isEmpty, !Task.isCancelled {
      var bytes: Int64 = 0
      let some = rest.prefix { piece in
        defer { bytes += Int64(fill.map.pieces[piece].blob.count) }
        return bytes < 2 * configuration.windowBytes.upperBound
      }
      rest = rest.dropFirst(some.count)
      do { try await fill.fill(pieces: some.sorted(), .prefetch) } catch {
        logger.debug("prefetch stopped", metadata: ["layer": "\(fill.key)", "reason": "\(error)"])
        return
      }
    }
  }

  /// Brings what a reader waits for, and lets it go on.
  nonisolated func answer(_ event: WaitingRead) async {
    let desk = path.desk
    demand.enter()
    defer { demand.leave() }
    let counters = event.fill.counters
    let isAnswered = Atomic(false)
    let allow: @Sendable () -> Void = { [desk, logger] in
      guard !isAnswered.exchange(true, ordering: .acquiringAndReleasing) else { return }
      let stall = ContinuousClock.now - event.since
      counters.update { $0.addStall(stall) }
      logger.debug(
        "a reader waited", metadata: ["layer": "\(event.fill.key)", "range": "\(event.range)", "seconds": "\(stall)"])
      desk.allow(event)
    }
    var refusals = 0
    var pause = Duration.milliseconds(100)
    while true {
      let reason: any Error
      do {
        try await fill(event, readable: allow)
        return allow()
      } catch { reason = error }
      // The reader has what it asked for; what would have come along is asked for when it is read.
      if isAnswered.load(ordering: .acquiring) { return }
      if Task.isCancelled {
        // With a keeper the reader waits for the next process.
        if configuration.keeper == nil { desk.deny(event) }
        return
      }
      if reason is RefusedBytes { refusals += 1 }
      let left = configuration.demandDeadline.map { $0 - (.now - event.since) }
      var isOver = refusals >= Self.refusalLimit || (left ?? pause) <= .zero
      if case .removed = reason as? LayerStoreError { isOver = true }
      // A full disk is no outage that passes by itself: the next read finds out whether there is room again.
      if (reason as? SystemError)?.isOutOfSpace == true { isOver = true }
      if isOver {
        counters.update {
          $0.addStall(.now - event.since)
          $0.failedReads += 1
        }
        logger.error(
          "read of a layer failed",
          metadata: ["layer": "\(event.fill.key)", "range": "\(event.range)", "reason": "\(reason)"])
        return desk.deny(event)
      }
      // Cancelled while it waits: the next turn sees it.
      try? await Task.sleep(for: min(pause, left ?? pause))
      pause = min(pause * 2, .seconds(5))
    }
  }

  /// Bytes that are not the layer's are asked for again (another mirror may have the right ones), but not for ever.
  private static let refusalLimit = 3

  private nonisolated func fill(_ event: WaitingRead, readable: @escaping @Sendable () -> Void) async throws {
    guard let deadline = configuration.demandDeadline else {
      return try await event.fill.fill(event.range, .demand, readable: readable)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await event.fill.fill(event.range, .demand, readable: readable) }
      group.addTask {
        try await Task.sleep(until: event.since + deadline)
        throw DeadlinePassed(after: deadline)
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  // MARK: In the background

  private func completeInBackground() async {
    guard configuration.backgroundBytesPerSecond != 0 else { return }
    var retryAt: [LayerKey: ContinuousClock.Instant] = [:]
    var proveAt: [LayerKey: ContinuousClock.Instant] = [:]
    while !Task.isCancelled {
      let now = ContinuousClock.now
      // The whole blob in order: brings what is missing on the way.
      if let key = entries.first(where: { isToBeProved($1) && proveAt[$0].map { $0 <= now } ?? true })?.key {
        do { _ = try await prove(key, .background) } catch {
          proveAt[key] = .now + Self.proofRetry
          logger.debug("a layer was not proved", metadata: ["layer": "\(key)", "reason": "\(error)"])
        }
        continue
      }
      let next = entries.first { key, entry in
        entry.isMounted && !entry.record.isComplete && entry.distrusts < Self.distrustLimit
          && entry.fill?.presence.isComplete == false
          && retryAt[key].map { $0 <= now } ?? true
      }
      guard let (key, entry) = next, let fill = entry.fill else {
        let proofs = proveAt.filter { entries[$0.key].map(isToBeProved) ?? false }.values
        await waitForBackground((Array(retryAt.values) + proofs).filter { $0 > now }.min())
        continue
      }
      do {
        try await Self.fetchAll(
          fill, .background, requests: configuration.backgroundRequests, pace: pace, room: spareRoom)
        retryAt[key] = nil
        // The layer is finished by whoever wrote its last piece.
      } catch {
        retryAt[key] = .now + .seconds(5)
        logger.debug("background stopped", metadata: ["layer": "\(key)", "reason": "\(error)"])
      }
    }
  }

  private static let proofRetry = Duration.seconds(30)

  private func isToBeProved(_ entry: Entry) -> Bool {
    configuration.provesLayers && entry.isMounted && entry.record.format != nil && entry.record.identity == nil
  }

  /// A disk or an index that never gives back what was written is not filled again and again unasked.
  private static let distrustLimit = 3

  /// Waits for a new mount, or for the time of the next try.
  private func waitForBackground(_ retry: ContinuousClock.Instant?) async {
    let wakes = backgroundWakes
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in wakes { return } }
      if let retry { group.addTask { try? await Task.sleep(until: retry) } }
      await group.next()
      group.cancelAll()
    }
  }

  private func saveNowAndThen() async {
    var saved: [LayerKey: Int64] = [:]
    while true {
      do { try await Task.sleep(for: configuration.saveInterval) } catch { return }
      for (key, entry) in entries {
        if !entry.lost.isEmpty || !entry.isMounted && (entry.fileSystem != nil || entry.isMarked) {
          try? await exclusively(key) { try await releaseIfUnused(key) }
        }
        guard let fill = entry.fill, !entry.record.isComplete,
          saved[key, default: entry.presentBytes] != fill.presence.presentBytes
        else {
          continue
        }
        let bytes = fill.presence.presentBytes
        do {
          try await save(key, fill)
          saved[key] = bytes
        } catch {
          logger.error("what is present was not saved", metadata: ["layer": "\(key)", "reason": "\(error)"])
        }
      }
    }
  }
}

/// A reader waited as long as it may.
struct DeadlinePassed: Error, CustomStringConvertible {
  let after: Duration
  var description: String { "nothing came for \(after)" }
}
