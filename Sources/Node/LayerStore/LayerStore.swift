import Glibc
import LinuxSystem
public import Logging
import OCI
public import ServiceLifecycle

/// Layers on this machine's disk, mounted before their bytes are there and filled while they are read.
///
/// A layer is a directory with a metadata image (complete from the start), a sparse data file, the table of what goes
/// where, and what of it is present. `run` answers the kernel's questions; a mount waits for it when something is missing.
public actor LayerStore: Service {
  /// A layer of the store.
  struct Entry {
    var record: LayerRecord
    /// As of the last time its tables were open.
    var presentBytes: Int64
    let counters = LayerCounters()
    /// While it is mounted and incomplete, or being filled.
    var fill: LayerFill?
    /// Whether the data file is marked.
    var isMarked = false
    /// Whether it is mounted with a data file in FUSE, complete or not.
    var isServed = false
    var isMounted = false
    /// The kernel's name of the file system: it may be in use after it was unmounted here.
    var fileSystem: String?
    /// Earlier ones that somebody still has, who cannot go on with them.
    var lost: [LostMount] = []
    /// How often its data file was not trusted any more.
    var distrusts = 0
    /// Somebody changes the layer; the others wait here.
    var isLocked = false
    var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]

    /// Whether an overlay, here or elsewhere, still reads it.
    var isInUse: Bool {
      isMounted || fileSystem.map(FileBackedMount.exists) ?? false
        || lost.contains { $0.reason == .stale && $0.isInUse }
    }
  }

  /// What `run` is asked to do.
  enum Work: Sendable {
    case answer(WaitingRead)
    case finish(LayerKey)
    case prefetch(LayerFill, [Int])
  }

  let configuration: Configuration
  let files: LayerFiles
  let logger: Logger
  let sources: any BlobSources
  let bootID = LayerFiles.bootID()
  let demand = DemandCount()
  let tools: FillTools
  let pace: BackgroundPace
  /// How missing bytes are asked for, and why so.
  public nonisolated let fill: FillDecision
  let path: FillDesk
  /// While the path is FUSE.
  let threads: FUSEThreads?
  let work: AsyncStream<Work>
  let workInput: AsyncStream<Work>.Continuation
  let wakeBackground: AsyncStream<Void>.Continuation
  let backgroundWakes: AsyncStream<Void>
  private let lock: FileLock
  /// Whether an earlier process' questions are in the group.
  let isTakeover: Bool
  var protection = Protection()
  private var prefetches = 0
  /// Waits for a turn so far, which numbers them.
  private var turns = 0
  var entries: [LayerKey: Entry] = [:]
  /// Layers that were found out to be something, by `prove`; for one reader.
  public nonisolated let identified: AsyncStream<LayerKey>
  let identifiedInput: AsyncStream<LayerKey>.Continuation

  init(
    _ configuration: Configuration, sources: any BlobSources, keeper: HelperConnection?, start: FillStart,
    lock: consuming FileLock, logger: Logger
  )
    throws
  {
    self.configuration = configuration
    self.sources = sources
    self.logger = logger
    self.lock = lock
    isTakeover = start.isTakeover
    fill = start.decision
    protection.guardian = HelperConnection.existing(LayerGuard.name, configuration.runDirectory)
    files = LayerFiles(directory: configuration.directory, runDirectory: configuration.runDirectory)
    (work, workInput) = AsyncStream.makeStream()
    (identified, identifiedInput) = AsyncStream.makeStream()
    (backgroundWakes, wakeBackground) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    tools = FillTools(
      budget: FillBudget(limitBytes: configuration.memoryBytes), windowBytes: configuration.windowBytes,
      completed: { [workInput] in workInput.yield(.finish($0)) }, logger: logger,
      onStep: configuration.onStep)
    pace = BackgroundPace(
      bytesPerSecond: configuration.backgroundBytesPerSecond, quiet: configuration.backgroundQuiet, demand: demand)
    let input = workInput
    switch start.found {
    case .group(let group):
      path = .events(
        EventDesk(
          group, journal: try EventJournal(files.journal), routes: EventRoutes(), onStep: configuration.onStep))
      threads = nil
    case .connection(let connection, let finding):
      let desk = FUSEDesk(connection, onStep: configuration.onStep) {
        logger.error("the layers' FUSE connection was aborted: reads fail until this program is started again")
      }
      path = .files(desk, finding)
      threads = try FUSEThreads(desk) { input.yield(.answer($0)) }
    }
    protection.keeper = keeper
  }

  /// Opens a store: tries out on the directory that this machine can do it, finds the layers that are there, takes the
  /// place of a process that ended.
  /// - Throws: `.unsupported` with the reason, `.inUse`, `.system`.
  public static func open(_ configuration: Configuration, sources: any BlobSources, logger: Logger)
    async throws(LayerStoreError) -> LayerStore
  {
    do {
      for name in ["present", "mounts", "systems", "lost"] {
        try Directory.make("\(configuration.runDirectory)/\(name)", permissions: 0o700)
      }
      try Directory.make(configuration.directory, permissions: 0o700)
      let lock = try await lock(configuration)
      let way = try await FillStart.choose(configuration)
      // Every reader that waits holds a descriptor.
      try OpenFileLimit.raise()
      let keeper = try await openKeeper(configuration)
      let start = try await FillStart(way, configuration, keeper)
      let store = try LayerStore(
        configuration, sources: sources, keeper: keeper, start: start, lock: lock, logger: logger)
      try await store.recover()
      try await store.handOver()
      return store
    } catch let error as LayerStoreError {
      throw error
    } catch let error as SystemError {
      throw .system(error)
    } catch {
      throw .unsupported(why: "\(error)")
    }
  }

  /// Waits a moment for a process that is just being taken apart.
  private static func lock(_ configuration: Configuration) async throws -> FileLock {
    let end = ContinuousClock.now + .seconds(2)
    while true {
      if let lock = try FileLock(LayerFiles(directory: "", runDirectory: configuration.runDirectory).lock) {
        return lock
      }
      guard .now < end else { throw LayerStoreError.inUse(directory: configuration.directory) }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  // MARK: Looking

  /// What of a layer is there; `nil` if the store does not know it.
  public func state(of key: LayerKey) -> LayerState? {
    entries[key].map { entry in
      entry.record.isComplete
        ? .complete
        : .filling(present: entry.fill?.presence.presentBytes ?? entry.presentBytes, of: entry.record.deviceBytes)
    }
  }

  /// All layers, by key.
  public func layers() async -> [LayerStatus] {
    let (files, keys) = (files, Array(entries.keys))
    let times = try? await BlockingWork.run {
      Dictionary(
        uniqueKeysWithValues: keys.map { key in
          var status = stat()
          return (key, stat(files.record(key), &status) == 0 ? Int64(status.st_mtim.tv_sec) : 0)
        })
    }
    return entries.sorted { $0.key.blob.hex < $1.key.blob.hex }.map { key, entry in
      let lastUsed = times?[key] ?? 0
      return LayerStatus(
        key: key, origin: entry.record.origin, state: state(of: key) ?? .complete,
        deviceBytes: entry.record.deviceBytes, blobBytes: entry.record.blobBytes, inodes: entry.record.inodes,
        isMounted: entry.isMounted, isServed: entry.isServed, lost: entry.lost.filter(\.isInUse), lastUsed: lastUsed,
        figures: entry.counters.figures)
    }
  }

  /// What is taken of its queues.
  public var gauges: StoreGauges {
    get async {
      let memory = await tools.budget.usage
      return StoreGauges(
        waitingReads: demand.count, prefetches: prefetches, memoryWaits: memory.waiting, memoryBytes: memory.bytes,
        memoryLimitBytes: memory.limit)
    }
  }

  /// Takes an order of what will be read; what is more than the limit is left out, since it is fetched when it is read.
  func order(_ fill: LayerFill, _ pieces: [Int]) {
    guard !pieces.isEmpty, prefetches < StoreGauges.prefetchLimit else { return }
    prefetches += 1
    workInput.yield(.prefetch(fill, pieces))
  }

  func endOrder() { prefetches -= 1 }

  /// Changes when anything was fetched, added, mounted, unmounted or completed; for telling whether the store rests.
  public var workDone: Int {
    entries.values.reduce(0) { sum, entry in
      let fetches = entry.counters.figures.fetches.values.reduce(0, +)
      return sum + 4 * fetches + 1 + (entry.isMounted ? 1 : 0) + (entry.record.isComplete ? 2 : 0)
        + (entry.record.identity == nil ? 0 : 3)
    }
  }

  /// Space that a layer takes on the disk.
  /// - Returns: bytes allocated, and the number of files in the layer.
  public func usage(of key: LayerKey) async throws -> (bytes: Int64, inodes: Int) {
    guard let entry = entries[key] else { throw LayerStoreError.unknownLayer(key) }
    let directory = files.layer(key)
    let bytes = try await onDisk("the space of layer \(key)") {
      try Directory.names(in: directory).reduce(Int64(0)) {
        $0 + (try FileStatus(of: "\(directory)/\($1)")?.allocatedBytes ?? 0)
      }
    }
    return (bytes, entry.record.inodes)
  }

  /// Runs what waits for the disk or for the kernel: never in an actor, where everybody would wait with it.
  nonisolated func onDisk<Result: Sendable>(_ what: String, _ body: @escaping @Sendable () throws -> Result)
    async throws
    -> Result
  {
    try await CallRegister.waiting(.machine, what) { try await BlockingWork.run(body) }
  }

  /// Ranges of the device in the order in which they were first read since the layer was mounted, while it was incomplete
  /// (a complete layer is read without anybody noticing).
  public func recordedReads(of key: LayerKey) -> [Range<Int64>] { entries[key]?.counters.reads ?? [] }

  /// Begins a new record.
  public func forgetReads(of key: LayerKey) { entries[key]?.counters.forgetReads() }

  // MARK: One at a time

  /// Runs `body` while nobody else changes the layer.
  func exclusively<Result>(_ key: LayerKey, _ body: () async throws -> Result) async throws -> Result {
    if entries[key]?.isLocked == true {
      try await CallRegister.waiting(.turn, "its turn at layer \(key)") {
        while entries[key]?.isLocked == true { try await waitForTurn(key) }
      }
    }
    guard entries[key] != nil else { throw LayerStoreError.unknownLayer(key) }
    entries[key]?.isLocked = true
    defer { unlock(key) }
    return try await body()
  }

  private func waitForTurn(_ key: LayerKey) async throws {
    turns += 1
    let turn = turns
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        if Task.isCancelled || entries[key] == nil {
          continuation.resume(throwing: CancellationError())
        } else {
          entries[key]?.waiting[turn] = continuation
        }
      }
    } onCancel: {
      Task { await self.giveUpTurn(key, turn) }
    }
  }

  private func giveUpTurn(_ key: LayerKey, _ turn: Int) {
    entries[key]?.waiting.removeValue(forKey: turn)?.resume(throwing: CancellationError())
  }

  private func unlock(_ key: LayerKey) {
    entries[key]?.isLocked = false
    let waiting = entries[key]?.waiting ?? [:]
    entries[key]?.waiting = [:]
    for continuation in waiting.values { continuation.resume() }
  }

  /// Forgets a layer that is gone; whoever waits for it learns that.
  func forget(_ key: LayerKey) {
    let waiting = entries.removeValue(forKey: key)?.waiting ?? [:]
    for continuation in waiting.values { continuation.resume() }
  }
}
