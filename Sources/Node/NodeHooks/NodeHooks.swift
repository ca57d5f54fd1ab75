import JSONDocument
import KubernetesAPI
import LinuxSystem
public import Logging
public import NRI
public import ServiceLifecycle
import TTRPC

/// How the hooks of a node behave, and where their sockets are.
public struct NodeHooksConfiguration: Sendable {
  /// The runtime's NRI socket.
  public var runtimeSocket: String
  /// Where status and metrics are told; `nil`: nowhere.
  public var statusSocket: String?
  /// Where policies come from; `nil`: somebody else fills the source.
  public var policyFile: String?
  public var identity: NRIIdentity
  /// What becomes of containers for which a hook fails, where no policy says so.
  public var failure = FailPolicy.fail
  /// Says what would be, and changes nothing.
  public var isAudit = false
  /// Returns when what the hooks go by is here; nobody is connected before.
  public var ready: @Sendable () async throws -> Void = {}
  /// Hooks behind the standard ones.
  public var hooks: [Hook] = []
  /// The first wait before connecting anew; it doubles up to the longest.
  public var shortestWait = Duration.milliseconds(20)
  /// While nobody listens: until somebody does and we are there, containers are made without us.
  public var longestAbsence = Duration.milliseconds(250)
  /// While the runtime is there and ends connections.
  public var longestWait = Duration.seconds(5)
  /// How often the file is looked at.
  public var policyInterval = Duration.seconds(1)

  public init(runtimeSocket: String, identity: NRIIdentity) {
    self.runtimeSocket = runtimeSocket
    self.identity = identity
  }
}

/// The hooks of this node: connected with the runtime for as long as both live, again and again.
public struct NodeHooks: Service {
  public let counters: HookCounters
  public let source: PolicySource
  private let configuration: NodeHooksConfiguration
  private let handler: HookHandler
  private let table: ContainerTable
  private let watchdog: AnswerWatchdog
  private let logger: Logger

  /// - Parameters:
  ///   - source: what holds now; filled from the configuration's file, or by somebody else.
  ///   - notify: told of containers that were refused or made with less; it must not wait.
  /// - Throws: `PolicyFile.Fault` of a file that can't be used when it starts.
  public init(
    _ configuration: NodeHooksConfiguration, source: PolicySource = PolicySource(), logger: Logger,
    notify: @escaping @Sendable (HookNotice) -> Void = { _ in }
  ) throws(PolicyFile.Fault) {
    self.configuration = configuration
    self.source = source
    self.logger = logger
    (counters, table, watchdog) = (HookCounters(), ContainerTable(), AnswerWatchdog())
    if let path = configuration.policyFile { try PolicyFile(path: path).use(in: source) }
    let kernel = KernelLimits.current
    handler = HookHandler(
      decider: HookDecider(
        source, kernel: kernel, failure: configuration.failure, more: configuration.hooks,
        isAudit: configuration.isAudit),
      source: source, table: table, counters: counters, logger: logger, notify: notify, kernel: kernel,
      keepsWhole: !configuration.hooks.isEmpty, pending: PendingUpdates(),
      watchdog: watchdog)
  }

  public func run() async throws {
    try await cancelWhenGracefulShutdown {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await configuration.ready()
          // What only the start needed is half of what is resident after it.
          OwnMemory.giveBack()
          await stayConnected()
        }
        group.addTask { await giveMemoryBack() }
        group.addTask {
          await watchdog.run { count in
            counters.note { $0.late += count }
            logger.error("decisions do not come: a hook waits for something", metadata: ["late": "\(count)"])
          }
        }
        if let path = configuration.policyFile { group.addTask { await follow(path) } }
        if let socket = configuration.statusSocket {
          let status = HookStatusServer(socket: socket, hooks: self, logger: logger)
          group.addTask { try await status.run() }
        }
        defer { group.cancelAll() }
        try await group.next()
      }
    }
  }

  // MARK: The connection

  private func stayConnected() async {
    var wait = configuration.shortestWait
    while !Task.isCancelled {
      let began = ContinuousClock.now
      var longest = configuration.longestAbsence
      do {
        let connection = try await UnixSocketConnection.connect(configuration.runtimeSocket)
        longest = configuration.longestWait
        try await NRISession(configuration.identity, handler: handler).run(connection) { runtime in
          counters.note { $0.isRegistered = true }
          await update(runtime)
        }
        logger.notice("the runtime has ended the connection")
      } catch {
        if Task.isCancelled { break }
        // A runtime that is away is asked again and again; it is told of once.
        if wait == configuration.shortestWait {
          logger.notice(
            "not connected; trying again", metadata: ["socket": "\(configuration.runtimeSocket)", "error": "\(error)"])
        }
      }
      counters.note {
        $0.isRegistered = false
        $0.isConnected = false
        $0.disconnections += 1
      }
      wait = ContinuousClock.now - began > .seconds(10) ? configuration.shortestWait : wait
      guard (try? await Task.sleep(for: wait)) != nil else { return }
      wait = min(wait * 2, longest)
    }
  }

  /// Brings what runs in step with the policies, for as long as the connection lasts.
  private func update(_ runtime: NRIRuntime) async {
    var generation = source.generation
    while (try? await Task.sleep(for: .milliseconds(200))) != nil {
      var updates = handler.pending.take()
      if source.generation != generation {
        generation = source.generation
        updates += handler.renewed()
      }
      let volumes = source.takeChangedVolumes()
      if !volumes.isEmpty { updates += handler.renewed(volumes) }
      guard !updates.isEmpty else { continue }
      do {
        let failed = try await runtime.update(updates)
        counters.note {
          $0.updates += updates.count - failed.count
          $0.failedUpdates += failed.count
        }
        logger.info("changed running containers", metadata: ["changed": "\(updates.count - failed.count)"])
      } catch {
        counters.note { $0.failedUpdates += updates.count }
        logger.warning("running containers can't be changed", metadata: ["error": "\(error)"])
      }
    }
  }

  // MARK: Policies

  private func follow(_ path: String) async {
    var seen = Self.stamp(path)
    while (try? await Task.sleep(for: configuration.policyInterval)) != nil {
      let now = Self.stamp(path)
      guard now != seen else { continue }
      seen = now
      do throws(PolicyFile.Fault) {
        try PolicyFile(path: path).use(in: source)
        logger.info("read policies anew", metadata: ["policies": "\(source.policies.policies.count)"])
      } catch {
        // What held before holds on: a slip of the pen opens no wall.
        counters.note { $0.policyFaults += 1 }
        logger.error("the changed policies are not used, the earlier ones hold", metadata: ["error": "\(error)"])
      }
    }
  }

  private static func stamp(_ path: String) -> [UInt8]? { try? SmallFile.read(path, limit: PolicyFile.limit + 1) }

  /// Work comes in bursts, and what a heap had to be once it stays. Given back is after a burst; while one lasts, now and then what
  /// has become free, as that holds up answers for a moment.
  private func giveMemoryBack() async {
    var last = 0
    var given = 0
    var busy = 0
    while (try? await Task.sleep(for: .seconds(5))) != nil {
      let figures = counters.now
      let work = figures.answers.reduce(0, +) + figures.connections + source.generation
      busy = work == last ? 0 : busy + 1
      if work == last, work != given {
        OwnMemory.giveBack()
        given = work
      } else if busy >= 2 {
        OwnMemory.trimHeap()
        busy = 0
      }
      last = work
    }
  }

  // MARK: Status

  /// What was decided for the containers of a pod, or of all.
  public func decisions(namespace: String? = nil, pod: String? = nil) -> [ContainerReport] {
    table.all().compactMap { id, record in
      guard let request = record.parsed, namespace == nil || request.pod.namespace == namespace,
        pod == nil || request.pod.name == pod
      else { return nil }
      return ContainerReport(
        namespace: request.pod.namespace, pod: request.pod.name, container: request.container.name, id: id,
        isAdjusted: record.isAdjusted, lines: record.decision.split(separator: "\n").map(String.init))
    }.sorted { ($0.namespace, $0.pod, $0.container) < ($1.namespace, $1.pod, $1.container) }
  }

  /// Limits of containers that were changed while they ran, since a version that an earlier answer named.
  func limits(after version: String) -> JSONValue {
    let changes = table.changes(after: version)
    return [
      "version": .string(changes.version),
      "containers": .array(
        changes.containers.compactMap { id, record in
          guard let request = record.parsed else { return nil }
          return [
            "id": .string(id), "podUID": .string(request.pod.uid),
            "limits": .array(record.limitLines.map { .string($0) }),
          ]
        }),
    ]
  }

  var known: (containers: Int, unadjusted: Int) { (table.count, table.unadjusted) }
}

/// What was decided for a container that there is.
public struct ContainerReport: Sendable, Hashable {
  public let namespace: String
  public let pod: String
  public let container: String
  public let id: String
  /// Whether it was made with what was decided.
  public let isAdjusted: Bool
  /// A line for each change.
  public let lines: [String]
}
