import LinuxSystem
import Logging
import OCI

/// Brings the missing bytes of one layer into its data file: fetched once however many ask, verified before they are
/// written, noted as present after.
actor LayerFill {
  nonisolated let key: LayerKey
  nonisolated let map: ContentMap
  nonisolated let presence: PresenceMap
  /// Opened before the file was marked: what is written through it raises no events.
  nonisolated let writer: SharedDescriptor
  nonisolated let counters: LayerCounters
  private nonisolated let source: any BlobFetching
  private nonisolated let tools: FillTools
  private var flights: [Int: Flight] = [:]
  /// Where the last run on demand ended, and how much was asked for.
  private var trail: (end: Int64, window: Int64)
  private var isClosed = false

  init(
    key: LayerKey, map: ContentMap, presence: PresenceMap, writer: SharedDescriptor, counters: LayerCounters,
    source: any BlobFetching, tools: FillTools
  ) {
    self.key = key
    self.map = map
    self.presence = presence
    self.writer = writer
    self.counters = counters
    self.source = source
    self.tools = tools
    trail = (-1, tools.windowBytes.lowerBound)
  }

  /// Makes a range of the device readable.
  /// - Parameter readable: called once, as soon as it is; what is fetched along may come later.
  /// - Throws: what fetching, decoding or writing throws; bytes that are not the layer's are never written.
  func fill(_ range: Range<Int64>, _ cause: FillCause, readable: @escaping @Sendable () -> Void = {}) async throws {
    let goal = FillGoal(isReached: { [presence] in presence.contains(range) }, reached: readable)
    // A second turn finds what somebody else's fetch brought, or did not.
    while !presence.contains(range) {
      let wanted = presence.missingPieces(range)
      if wanted.isEmpty {
        presence.settle(range)
        break
      }
      let companions = cause == .demand ? FileCompanions(map: map).items(for: map.items(touching: range)) : []
      try await fill(pieces: Set(wanted + companions.compactMap { map.piece(ofItem: $0) }).sorted(), cause, goal)
    }
    goal.check()
  }

  /// Makes pieces present.
  func fill(pieces: [Int], _ cause: FillCause, _ goal: FillGoal? = nil) async throws {
    if isClosed { throw LayerStoreError.removed(key) }
    var joined: [ObjectIdentifier: Flight] = [:]
    var free: [Int] = []
    for piece in pieces where !presence.isPresent(piece: piece) {
      if let flight = flights[piece] { joined[ObjectIdentifier(flight)] = flight } else { free.append(piece) }
    }
    var plan = RunPlan(limitBytes: tools.windowBytes.upperBound)
    if cause == .prefetch { plan.gapBytes = RunPlan.prefetchGapBytes }
    var windows: [DemandWindow] = []
    let runs = plan.runs(free, of: map) { run in
      guard cause == .demand else { return nil }
      windows.append(window(around: run))
      return windows.last
    } isFree: {
      flights[$0] == nil && !presence.isPresent(piece: $0)
    }
    if let run = runs.last, let window = windows.last {
      trail = (map.blobRange(ofPieces: run).upperBound, window.bytes)
    }
    let started = runs.map { ($0, claim($0)) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (run, flight) in started {
        group.addTask { try await self.execute(run, flight, cause, cost: self.cost(of: run), goal) }
      }
      for flight in joined.values {
        group.addTask {
          try await CallRegister.waiting(.transfer, "bytes of layer \(self.key) that somebody else fetches") {
            try await flight.wait { goal?.isReached() ?? false }
          }
          goal?.check()
        }
      }
      var failure: (any Error)?
      // One failed run does not stop the others: somebody may have joined them.
      while let result = await group.nextResult() {
        if case .failure(let error) = result { failure = failure ?? error }
      }
      if let failure { throw failure }
    }
  }

  /// The next missing pieces in the order of the blob that nobody is fetching, as one request.
  /// - Returns: the compressed bytes of it; `nil` if there are none.
  func fillNext(_ cause: FillCause, within range: Range<Int>? = nil) async throws -> Int64? {
    if isClosed { throw LayerStoreError.removed(key) }
    let range = range ?? map.pieces.indices
    // Room is made before pieces are claimed: a reader that needs one of them never waits for room given to others.
    let room = 2 * tools.windowBytes.upperBound
    try await tools.budget.acquire(room, cause)
    do {
      let bytes = try await fillNextInRoom(cause, within: range)
      await tools.budget.release(room)
      return bytes
    } catch {
      await tools.budget.release(room)
      throw error
    }
  }

  private func fillNextInRoom(_ cause: FillCause, within range: Range<Int>) async throws -> Int64? {
    guard let first = range.first(where: { flights[$0] == nil && !presence.isPresent(piece: $0) }) else { return nil }
    let plan = RunPlan(limitBytes: tools.windowBytes.upperBound)
    var run = first..<first + 1
    let start = map.pieces[first].blob.lowerBound
    while run.upperBound < range.upperBound, flights[run.upperBound] == nil, !presence.isPresent(piece: run.upperBound),
      map.pieces[run.upperBound].blob.lowerBound - map.pieces[run.upperBound - 1].blob.upperBound <= plan.gapBytes,
      map.pieces[run.upperBound].blob.upperBound - start <= plan.limitBytes
    { run = run.lowerBound..<run.upperBound + 1 }
    try await execute(run, claim(run), cause, cost: 0)
    return Int64(map.blobRange(ofPieces: run).count)
  }

  /// Takes an item that was verified elsewhere.
  nonisolated func take(_ item: Int, _ content: ArraySlice<UInt8>) throws {
    if presence.items[item] { return }
    try map.forEachWrite(item, content) { try writer.write($0, at: $1) }
    presence.insert(item)
    if presence.isComplete { tools.completed(key) }
  }

  /// Waits until no fetch is under way.
  func settle() async {
    while let flight = flights.values.first { try? await flight.wait() }
  }

  /// Nothing is fetched any more; what is under way fails.
  func close() { isClosed = true }

  private func window(around run: Range<Int>) -> DemandWindow {
    let offset = map.pieces[run.lowerBound].blob.lowerBound
    let goesOn = offset >= trail.end - 1 && offset - trail.end <= 256 << 10
    return DemandWindow(
      tools.windowBytes, largest: run.map { Int64(map.pieces[$0].blob.count) }.max() ?? 0,
      after: goesOn ? trail.window : nil)
  }

  private func claim(_ run: Range<Int>) -> Flight {
    let flight = Flight()
    for piece in run { flights[piece] = flight }
    return flight
  }

  private func land(_ run: Range<Int>, _ flight: Flight, _ result: Result<Void, any Error>) {
    for piece in run where flights[piece] === flight { flights[piece] = nil }
    flight.end(result)
    if case .success = result, presence.isComplete { tools.completed(key) }
  }

  /// Bytes in memory while a run is transferred: it comes in pieces, and each is unpacked when it is whole.
  private nonisolated func cost(of run: Range<Int>) -> Int64 {
    run.map { 2 * Int64(map.pieces[$0].blob.count) + map.contentBytes(ofPiece: $0) }.max() ?? 0
  }

  private nonisolated func execute(
    _ run: Range<Int>, _ flight: Flight, _ cause: FillCause, cost: Int64, _ goal: FillGoal? = nil
  ) async throws {
    let range = map.blobRange(ofPieces: run)
    do {
      if cost > 0 {
        try await CallRegister.waiting(.turn, "room in memory for \(cost) bytes of layer \(key)") {
          try await tools.budget.acquire(cost, cause)
        }
      }
      do {
        try await CallRegister.waiting(.transfer, "bytes \(range) of layer \(key)") {
          try await LayerStore.filling {
            try await transfer(run, range, cause) {
              goal?.check()
              flight.advance()
            }
          }
        }
      } catch {
        if cost > 0 { await tools.budget.release(cost) }
        throw error
      }
      if cost > 0 { await tools.budget.release(cost) }
    } catch {
      await land(run, flight, .failure(error))
      throw error
    }
    await land(run, flight, .success(()))
  }

  /// Fetches a run and takes its pieces as they come.
  /// - Parameter advanced: called when one or more are there.
  private nonisolated func transfer(
    _ run: Range<Int>, _ range: Range<Int64>, _ cause: FillCause, advanced: () -> Void
  ) async throws {
    counters.update { $0.fetches[cause, default: 0] += 1 }
    let began = ContinuousClock.now
    var next = run.lowerBound
    // What has come of the blob and belongs to pieces that are not whole yet.
    var rest: [UInt8] = []
    var position = range.lowerBound
    try await source.fetch(range, urgency: cause) { part in
      rest += part
      position += Int64(part.count)
      var end = next
      while end < run.upperBound, map.pieces[end].blob.upperBound <= position { end += 1 }
      guard end > next else { return }
      tools.onStep(.fetched)
      let start = position - Int64(rest.count)
      let whole = map.blobRange(ofPieces: next..<end)
      try take(next..<end, rest[Int(whole.lowerBound - start)..<Int(whole.upperBound - start)])
      next = end
      // The next piece may begin in a byte in which the last one ends.
      if next < run.upperBound {
        rest.removeFirst(Int(min(position, map.pieces[next].blob.lowerBound) - start))
      }
      advanced()
    }
    guard position == range.upperBound, next == run.upperBound else {
      throw ShortBody(wanted: range.count, got: Int(position - range.lowerBound))
    }
    counters.update { $0.fetchedBytes[cause, default: 0] += Int64(range.count) }
    tools.logger.debug(
      "fetched",
      metadata: [
        "layer": "\(key)", "cause": "\(cause)", "range": "\(range)", "pieces": "\(run.count)",
        "seconds": "\(ContinuousClock.now - began)",
      ])
  }

  /// Decodes, verifies and writes pieces.
  private nonisolated func take(_ pieces: Range<Int>, _ bytes: ArraySlice<UInt8>) throws {
    do {
      try map.decode(pieces, from: bytes) { item, content in
        if presence.items[item] { return }
        try map.forEachWrite(item, content) { try writer.write($0, at: $1) }
        tools.onStep(.written)
        presence.insert(item)
        tools.onStep(.noted)
      }
    } catch let error as SystemError {
      throw error
    } catch {
      counters.update { $0.refusals += 1 }
      throw RefusedBytes(key: key, why: "\(error)")
    }
  }
}

/// What all fills share.
struct FillTools: Sendable {
  var budget: FillBudget
  /// Compressed bytes of a request: the least that is asked for on demand, and the most.
  var windowBytes: ClosedRange<Int64>
  /// Told when the last item of a layer became present.
  var completed: @Sendable (LayerKey) -> Void
  var logger: Logger
  var onStep: @Sendable (LayerStoreStep) -> Void
}

/// Instants at which tests end the process.
package enum LayerStoreStep: String, Sendable, CaseIterable {
  case staged, added, removing
  case opened, held, guarded, marked, mounted, unmounted
  case eventRead, fetched, written, noted, answered
  case synced, saved, completed, unmarked
}

/// Fetched bytes that are not what the layer's table or index says.
struct RefusedBytes: Error, CustomStringConvertible {
  let key: LayerKey
  let why: String
  var description: String { "layer \(key): refused what was fetched: \(why)" }
}

/// A source that gave another number of bytes than was asked for.
struct ShortBody: Error, CustomStringConvertible {
  let wanted: Int
  let got: Int
  var description: String { "\(got) bytes came where \(wanted) were asked for" }
}
