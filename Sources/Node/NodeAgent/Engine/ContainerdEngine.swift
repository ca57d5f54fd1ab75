import CRI
import GRPCCore
import GRPCSockets
import LinuxSystem
import Logging
public import ServiceLifecycle

#if canImport(Glibc)
  import Glibc
#endif

/// Supervises a private containerd.
///
/// containerd leads its own session, so it (and the containers below its shims) outlives this process, however that
/// ends; the next start adopts it. If containerd itself dies it is started again, and finds its containers running.
public actor ContainerdEngine: Service {
  public nonisolated let layout: ContainerdLayout
  public nonisolated let sandboxImage: String
  public nonisolated let snapshotter: SnapshotterPlugin
  private var configuration: ContainerdConfiguration
  private let groups: EngineControlGroups
  private let logger: Logger
  private var process: DetachedProcess?
  /// The start under way.
  private var starting: Task<Void, any Error>?

  /// Time a start may take until the socket answers.
  static let startLimit = Duration.seconds(60)
  /// A container that is being started waits in runc for a few milliseconds; after this long nobody will start it.
  static let longestWait = Duration.seconds(1)

  public init(
    layout: ContainerdLayout, network: PodNetwork, sandboxImage: String = "nagaya.local/pause:1",
    snapshotter: SnapshotterPlugin = .overlayfs, limits: NodeLimits = NodeLimits(), logger: Logger
  ) {
    self.layout = layout
    self.sandboxImage = sandboxImage
    self.logger = logger
    self.snapshotter = snapshotter
    groups = EngineControlGroups(below: limits.controlGroup)
    configuration = ContainerdConfiguration(
      layout: layout, network: network, sandboxImage: sandboxImage, snapshotter: snapshotter)
  }

  /// Starts containerd or adopts the one that runs, then watches over it until cancelled or shut down.
  /// containerd goes on running afterwards; `stop()` ends it.
  public func run() async throws {
    try await start()
    try await endContainersOfEarlierProcess()
    try? await cancelWhenGracefulShutdown { try await self.supervise() }
  }

  private func supervise() async throws {
    var backOff = BackOff(initial: .seconds(1), maximum: .seconds(30))
    var startedAt = ContinuousClock.now
    var sweptAt = ContinuousClock.now
    var waiting: Set<pid_t> = []
    while !Task.isCancelled {
      try await Task.sleep(for: .milliseconds(500))
      if ContinuousClock.now - sweptAt > .seconds(3) {
        sweptAt = .now
        rotateLog()
        for shim in shims { shim.raiseOutOfMemoryScore(to: OutOfMemoryScores.current.shim) }
        waiting = try await endStrandedContainers(seenBefore: waiting)
      }
      if let process, process.isRunning { continue }
      if ContinuousClock.now - startedAt > .seconds(60) { backOff.reset() }
      logger.error("containerd ended; starting it again", metadata: ["log": .string(layout.logFile)])
      do {
        try await start()
        startedAt = ContinuousClock.now
      } catch {
        let delay = backOff.next()
        logger.error("containerd can't be started", metadata: ["error": "\(error)", "retry_in": "\(delay)"])
        try await Task.sleep(for: delay)
      }
    }
  }

  /// Makes containerd run and answer: adopts it if it runs with this configuration, starts it otherwise. Idempotent; who calls
  /// it while it is being started waits for that start.
  public func start() async throws {
    if let starting { return try await starting.value }
    let start = Task { try await self.startAlone() }
    starting = start
    defer { starting = nil }
    try await start.value
  }

  private func startAlone() async throws {
    let isChanged = try await prepare()
    if let running = DetachedProcess.find(program: layout.program("containerd"), arguments: arguments) {
      if !isChanged, await answers(within: .seconds(10)) {
        if process != running { logger.info("adopted the running containerd", metadata: ["pid": "\(running.id)"]) }
        process = running
        try record(running)
        bound(running)
        return
      }
      // Containers live on below their shims while containerd restarts with what is new.
      logger.info("restarting containerd", metadata: ["reason": isChanged ? "configuration changed" : "no answer"])
      await end(running)
    }
    unlink(layout.socket)
    rotateLog()
    let started: DetachedProcess
    do throws(SystemError) {
      started = try DetachedProcess.start(
        layout.program("containerd"), arguments,
        environment: ["PATH": layout.searchPath, "HOME": "/root"], output: layout.logFile)
    } catch { throw EngineError.cannotPrepare(error) }
    process = started
    bound(started)
    try record(started)
    let began = ContinuousClock.now
    while ContinuousClock.now - began < Self.startLimit {
      guard started.isRunning else {
        throw EngineError.didNotStart(
          exit: "process ended", logTail: SmallFile.tail(of: layout.logFile, bytes: 2000), logFile: layout.logFile)
      }
      if FileStatus.exists(layout.socket), await answers(within: .seconds(5)) {
        chmod(layout.socket, 0o600)
        logger.info(
          "containerd answers", metadata: ["pid": "\(started.id)", "after": "\(ContinuousClock.now - began)"])
        return
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw EngineError.notAnswering(
      socket: layout.socket, after: Self.startLimit, logTail: SmallFile.tail(of: layout.logFile, bytes: 2000))
  }

  /// Ends containerd and its shims' parent; call after the node's pods were stopped.
  public func stop() async {
    guard let running = process ?? DetachedProcess.find(program: layout.program("containerd"), arguments: arguments)
    else { return }
    // Shims of sandboxes that were removed a moment ago are still about to end; without containerd they would stay.
    let deadline = ContinuousClock.now + .seconds(3)
    while !shims.isEmpty, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(50)) }
    await end(running)
    for shim in shims {
      logger.warning("a shim outlived containerd", metadata: ["pid": "\(shim.id)"])
      shim.signal(SIGKILL)
    }
    for id in StrandedContainers(stateDirectory: layout.state).waiting().keys { kill(id, SIGKILL) }
    process = nil
    unlink(layout.processFile)
    unlink(layout.socket)
    logger.info("containerd stopped")
  }

  /// Whether a containerd with this configuration file runs.
  public nonisolated var isRunning: Bool { Self.isRunning(in: layout) }
  public static func isRunning(in layout: ContainerdLayout) -> Bool {
    DetachedProcess.find(program: layout.program("containerd"), arguments: arguments(layout)) != nil
  }

  // MARK: Steps

  /// The shims that report to this containerd, each the parent of a sandbox's containers.
  private nonisolated var shims: [DetachedProcess] {
    DetachedProcess.all(withArgument: layout.socket).filter { $0.isNamed("containerd-shim") }
  }

  private nonisolated var arguments: [String] { Self.arguments(layout) }
  private static func arguments(_ layout: ContainerdLayout) -> [String] { ["--config", layout.configurationFile] }

  /// Ends at once what a process before this one was starting when it was killed: nobody waits for it any more.
  private func endContainersOfEarlierProcess() async throws {
    let waiting = StrandedContainers(stateDirectory: layout.state).waiting()
    guard !waiting.isEmpty else { return }
    try await Task.sleep(for: Self.longestWait)
    _ = try await endStrandedContainers(seenBefore: Set(waiting.keys))
  }

  /// Kills what waits since the last look, and restarts containerd, which else takes those containers for starting ones
  /// for ever. Containers that run go on below their shims.
  /// - Returns: what waits now.
  private func endStrandedContainers(seenBefore: Set<pid_t>) async throws -> Set<pid_t> {
    let waiting = StrandedContainers(stateDirectory: layout.state).waiting()
    let stranded = waiting.filter { seenBefore.contains($0.key) }
    guard !stranded.isEmpty else { return Set(waiting.keys) }
    logger.info(
      "ending containers that were cut off before they began; restarting containerd",
      metadata: ["containers": "\(stranded.values.sorted().joined(separator: " "))"])
    for id in stranded.keys { kill(id, SIGKILL) }
    if let running = process { await end(running) }
    try await start()
    return []
  }

  private func end(_ process: DetachedProcess) async {
    process.signal(SIGTERM)
    if await process.waitForExit(within: .seconds(10)) { return }
    process.signal(SIGKILL)
    _ = await process.waitForExit(within: .seconds(5))
  }

  /// Checks the programs and writes directories and files.
  /// - Returns: whether the configuration differs from the one on disk.
  private func prepare() async throws -> Bool {
    for name in ["containerd", "containerd-shim-runc-v2", "runc", "ctr"]
    where !SmallFile.isExecutable(layout.program(name)) {
      throw EngineError.programMissing(name: name, directory: layout.programs)
    }
    for name in ["ptp", "host-local"] where !SmallFile.isExecutable("\(layout.networkPlugins)/\(name)") {
      throw EngineError.programMissing(name: name, directory: layout.networkPlugins)
    }
    guard Self.systemDirectories.contains(where: { SmallFile.isExecutable("\($0)/nft") }) else {
      throw EngineError.nftMissing
    }
    do throws(SystemError) {
      try Directory.make(layout.root, permissions: 0o700)
      try Directory.make(layout.state, permissions: 0o700)
      try Directory.make(layout.networkConfigurations)
      try Directory.make(layout.networkLeases)
      try writeIfChanged(
        Array(configuration.networkList.encodedForReading()),
        to: "\(layout.networkConfigurations)/10-nagaya.conflist")
    } catch { throw EngineError.cannotPrepare(error) }
    SharedKernelLimits.raise(logger: logger)
    configuration.shimControlGroup = groups.make(logger: logger) ? groups.shims.path : nil
    let isSpecificationNew = try await RuntimeSpecification(layout: layout).write()
    do throws(SystemError) {
      let isConfigurationNew = try writeIfChanged(Array(configuration.toml.utf8), to: layout.configurationFile)
      return isSpecificationNew || isConfigurationNew
    } catch { throw EngineError.cannotPrepare(error) }
  }

  /// Gives containerd a bound of memory of its own: what it takes must not be taken from the platform.
  private func bound(_ process: DetachedProcess) {
    guard configuration.shimControlGroup != nil else { return }
    do throws(SystemError) { try groups.engine.add(process.id) } catch {
      logger.warning("containerd can't be bounded", metadata: ["error": "\(error)"])
    }
  }

  private static let systemDirectories = ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

  @discardableResult
  private func writeIfChanged(_ bytes: [UInt8], to path: String) throws(SystemError) -> Bool {
    if let present = try? SmallFile.read(path), present == bytes { return false }
    try DurableFile.write(bytes, to: path, permissions: 0o600)
    return true
  }

  private func record(_ process: DetachedProcess) throws(EngineError) {
    do { try DurableFile.write(Array("\(process.id)\n".utf8), to: layout.processFile, permissions: 0o644) } catch {
      throw .cannotPrepare(error)
    }
  }

  static let logBytes: Int64 = 10 << 20

  /// Keeps one old log. containerd holds its log open and appends to it, so it is copied and emptied; a line that is
  /// written between the two is lost.
  private func rotateLog() {
    do throws(SystemError) {
      guard let status = try FileStatus(of: layout.logFile), status.size > Self.logBytes else { return }
      try SmallFile.write(try SmallFile.read(layout.logFile), to: layout.logFile + ".1", permissions: 0o600)
      try SmallFile.write([], to: layout.logFile, permissions: 0o600)
    } catch {
      logger.warning("containerd's log can't be rotated", metadata: ["error": "\(error)"])
    }
  }

  /// Whether the CRI answers on the socket.
  private nonisolated func answers(within limit: Duration) async -> Bool {
    do {
      return try await withGRPCClient(transport: try LocalTransport.client(socket: layout.socket)) { client in
        let runtime = Runtime_V1_RuntimeService.Client(wrapping: client)
        var options = CallOptions.defaults
        options.timeout = limit
        options.waitForReady = true
        let answer = try await runtime.version(Runtime_V1_VersionRequest(), options: options)
        return answer.runtimeName == "containerd"
      }
    } catch { return false }
  }
}
