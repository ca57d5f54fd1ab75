import Glibc
import LinuxSystem
import Locking
import Logging
import OCI

/// What stands between a killed process and readers that see zeros.
struct Protection {
  var keeper: HelperConnection?
  var guardian: HelperConnection?
  /// Whether the guard is asked after us.
  var isGuardInOrder = false
  /// Whether the guard was set up, or could not be: mounts wait for that.
  var isSettled = false
  var waiting: [CheckedContinuation<Void, Never>] = []
}

extension LayerStore {
  /// Whether readers are safe if this process is killed now.
  public var isProtected: Bool {
    if case .files = path { return protection.keeper != nil }
    return protection.keeper != nil && protection.isGuardInOrder
  }

  /// The keeper, started if it is not there.
  static func openKeeper(_ configuration: Configuration) async throws -> HelperConnection? {
    guard let command = configuration.keeper else { return nil }
    return try await HelperConnection.open(
      LayerKeeper.name, subcommand: LayerKeeper.command, command: command, runDirectory: configuration.runDirectory)
  }

  /// The writer of a data file that was marked before: opened now, it would ask ourselves.
  func heldWriter(_ key: LayerKey) async -> SharedDescriptor? {
    for helper in [protection.keeper, protection.guardian] {
      if let file = try? await helper?.file(key.blob.hex) { return file }
    }
    return configuration.descriptorStore?.file(key.blob.hex)
  }

  /// The service manager, if it keeps what it is given.
  private var outside: DescriptorStore? { fill.isHeldOutside ? configuration.descriptorStore : nil }

  /// Gives what the next process needs to those who hold it for that one. Not before everything that an earlier process left
  /// is in order: who finds it there relies on that.
  func handOver() async throws {
    for (name, file) in path.shared {
      try await protection.keeper?.tell("put \(name)", files: [file])
      // One of this name: what an earlier process left is the same, or of no use.
      guard let outside else { continue }
      let isNew = !isTakeover
      try await onDisk("the service manager") {
        if isNew { try outside.remove(name) }
        try outside.put(name, file)
      }
    }
  }

  /// The same with a layer's data file.
  func keep(_ key: LayerKey, _ file: SharedDescriptor) async {
    // A keeper that is gone is replaced by `keepProtected`, which hands over all layers that are open then.
    try? await protection.keeper?.tell("put \(key.blob.hex)", files: [file])
    // FUSE needs no writer of an earlier process.
    guard case .events = path, let outside else { return }
    try? await onDisk("the service manager") { try outside.put(key.blob.hex, file) }
  }

  /// Gives the writer to keeper and guard, before the file is marked.
  func protect(_ key: LayerKey, _ fill: LayerFill) async throws {
    guard configuration.keeper != nil else { return }
    if case .files = path {
      // There is nothing to guard, so nobody to wait for.
      await keep(key, fill.writer)
      return configuration.onStep(.held)
    }
    if !protection.isSettled {
      await CallRegister.waiting(.machine, "keeper and guard to be set up") {
        while !protection.isSettled { await withCheckedContinuation { protection.waiting.append($0) } }
      }
    }
    await keep(key, fill.writer)
    configuration.onStep(.held)
    try? await protection.guardian?.post(key, fill)
    configuration.onStep(.guarded)
  }

  func unprotect(_ key: LayerKey) async {
    try? await protection.guardian?.tell("remove \(key.blob.hex)")
    try? await protection.keeper?.tell("drop \(key.blob.hex)")
    guard case .events = path, let outside else { return }
    try? await onDisk("the service manager") { try outside.remove(key.blob.hex) }
  }

  /// Watches keeper and guard, and replaces them when they are gone.
  func keepProtected(_ events: EventThread?) async {
    guard configuration.keeper != nil else { return }
    let (signals, signal) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    signal.yield()
    var watched: Set<ObjectIdentifier> = []
    for await _ in signals {
      do {
        try await replaceKeeper()
        if case .events(let desk) = path { try await replaceGuard(desk) }
        logger.info("layers are protected against a crash")
      } catch {
        logger.error("layers would not survive a crash", metadata: ["reason": "\(error)"])
        settleProtection()
        if Task.isCancelled { break }
        try? await Task.sleep(for: .seconds(1))
        signal.yield()
      }
      settleProtection()
      for helper in [protection.keeper, protection.guardian].compactMap({ $0 })
      where watched.insert(ObjectIdentifier(helper)).inserted {
        events?.watch(helper.socket.descriptor) { signal.yield() }
        threads?.watch(helper.socket.descriptor) { signal.yield() }
      }
    }
    settleProtection()
  }

  private func settleProtection() {
    protection.isSettled = true
    let waiting = protection.waiting
    protection.waiting = []
    for continuation in waiting { continuation.resume() }
  }

  private func replaceKeeper() async throws {
    if let keeper = protection.keeper, (try? await keeper.ask("get")) != nil { return }
    if protection.keeper != nil { logger.notice("the keeper of layers is gone; starting another") }
    protection.keeper = nil
    guard let keeper = try await Self.openKeeper(configuration) else { return }
    // What begins meanwhile is given to it by whoever begins it.
    protection.keeper = keeper
    do {
      for (name, file) in path.shared { try await keeper.tell("put \(name)", files: [file]) }
      for key in Array(entries.keys) {
        guard let entry = entries[key], entry.isMarked || entry.isServed else { continue }
        let file = try entry.fill?.writer ?? SharedDescriptor(files.data(key), .read)
        try await keeper.tell("put \(key.blob.hex)", files: [file])
      }
    } catch {
      protection.keeper = nil
      throw error
    }
  }

  private func replaceGuard(_ desk: EventDesk) async throws {
    if let guardian = protection.guardian, protection.isGuardInOrder, (try? await guardian.ask("seen")) != nil {
      return
    }
    if protection.isGuardInOrder { logger.notice("the guard of layers is gone; starting another") }
    protection.guardian = nil
    protection.isGuardInOrder = false
    guard let command = configuration.keeper else { return }
    let guardian = try await HelperConnection.open(
      LayerGuard.name, subcommand: LayerGuard.command, command: command, runDirectory: configuration.runDirectory)
    try await findOrder(guardian, desk)
    protection.guardian = guardian
    do {
      for key in Array(entries.keys) {
        if let entry = entries[key], entry.isMarked, let fill = entry.fill { try await guardian.post(key, fill) }
      }
    } catch {
      protection.guardian = nil
      throw error
    }
    protection.isGuardInOrder = true
  }

  /// Lets the guard make groups until one is asked after ours.
  private func findOrder(_ guardian: HelperConnection, _ desk: EventDesk) async throws {
    let path = "\(files.directory)/\(LayerFiles.unfinished)order-\(UInt32.random(in: 0 ... .max))"
    let file = try SharedDescriptor(path, .createNew)
    try Directory.removeFile(path)
    try file.truncate(to: 4096)
    let identity = try file.identity()
    defer { desk.routes[identity] = nil }
    for _ in 0..<Self.orderAttempts {
      let outcome = Mutex<Bool?>(nil)
      desk.routes[identity] = .probe {
        let answer = try? guardian.askAtOnce("seen").text
        outcome.withLock { $0 = answer == "no" }
      }
      try await guardian.tell("candidate", files: [file])
      try desk.group.mark(file)
      defer { try? desk.group.unmark(file) }
      try await BlockingWork.run {
        // Opened after the marks: this one asks.
        let reader = try SharedDescriptor("/proc/self/fd/\(file.number)", .read)
        try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { _ = try reader.read(into: $0, at: 0) }
      }
      if outcome.withLock({ $0 }) == true { return try await guardian.tell("adopt") }
    }
    try await guardian.tell("discard")
    throw HelperConnection.Failure(name: guardian.name, why: "none of \(Self.orderAttempts) groups is asked second")
  }

  /// Every other one is right; the kernel allows a user 128 groups.
  private static let orderAttempts = 40

  /// Ends keeper and guard if nothing is open that they would protect.
  func letGo() async {
    guard !entries.values.contains(where: { $0.isMarked || $0.isServed }) else { return }
    for helper in [protection.guardian, protection.keeper] { try? await helper?.tell("end") }
  }
}

extension HelperConnection {
  /// Lets a guard know a layer.
  fileprivate func post(_ key: LayerKey, _ fill: LayerFill, isolation: isolated (any Actor)? = #isolation) async throws
  {
    try await tell(
      "add \(key.blob.hex) \(fill.presence.blocksOffset) \(fill.presence.blocks.count)",
      files: [fill.writer, fill.presence.file])
  }
}
