import JSONDocument
import KubernetesAPI
import LinuxSystem
import Logging

/// Looks at what pods have on the node's disk so often that none has much more than it may, and evicts from a disk or a memory
/// that is really full.
///
/// How much the whole disk took since the last look costs nothing to ask, and no pod can have taken more: only when that is much,
/// or a pod was growing, are the pods measured themselves. What one pod takes while another gives back is found at the regular
/// look; then the node has lost nothing.
struct DiskWatch: Sendable {
  let configuration: NodeConfiguration
  let logger: Logger
  /// The pods of this node.
  let workers: @Sendable () async -> [PodWorker]

  /// How often the disk is asked.
  static let pause = Duration.milliseconds(100)
  /// Growth of the disk that makes all pods be measured.
  static let growthBytes: Int64 = 64 << 20
  /// All pods are measured this often, and those that grew at the last look.
  static let regularPause = Duration.seconds(10)
  static let growingPause = Duration.milliseconds(500)
  static let memoryPause = Duration.seconds(1)

  /// Space that stays free: far more than what is written between two looks.
  static func reservedBytes(of diskBytes: Int64) -> Int64 { min(max(diskBytes / 20, 1 << 30), 5 << 30, diskBytes / 10) }
  /// Memory that stays free below what all pods may have together.
  static let reservedMemoryBytes: Int64 = 64 << 20

  private struct State {
    var lowestUsed: Int64 = .max
    var measuredAt: ContinuousClock.Instant?
    var memoryReadAt = ContinuousClock.now
    var usage: [ObjectIdentifier: Int64] = [:]
    var growing: Set<ObjectIdentifier> = []
    var growingMeasuredAt = ContinuousClock.now
    /// The pod that was evicted last from a full node, and when: what it had comes back when it is down.
    var evicted: (worker: PodWorker, at: ContinuousClock.Instant)?
  }

  /// Whether the last eviction has had its effect, or will not have it.
  private func isSettled(_ state: inout State) async -> Bool {
    guard let evicted = state.evicted else { return true }
    guard await evicted.worker.isDown || ContinuousClock.now - evicted.at > .seconds(30) else { return false }
    state.evicted = nil
    return true
  }

  /// Until the task is cancelled.
  func run() async {
    var state = State()
    while !Task.isCancelled {
      do { try await Task.sleep(for: Self.pause) } catch { return }
      guard let disk = try? FileSystemUsage(of: configuration.directory) else { continue }
      let now = ContinuousClock.now
      state.lowestUsed = min(state.lowestUsed, disk.usedBytes)
      let isFull = disk.availableBytes < Self.reservedBytes(of: disk.totalBytes) || Self.lacksInodes(disk)
      let isDue = state.measuredAt.map { now - $0 > Self.regularPause } ?? true
      let mayEvict = await isSettled(&state)
      if isDue || (isFull && mayEvict) || disk.usedBytes - state.lowestUsed > Self.growthBytes {
        state.lowestUsed = disk.usedBytes
        let measured = await measure(await workers(), &state)
        state.measuredAt = .now
        if isFull, mayEvict {
          state.evicted = await evictForDisk(measured, byInodes: Self.lacksInodes(disk)).map { ($0, .now) }
        }
      } else if !state.growing.isEmpty, now - state.growingMeasuredAt > Self.growingPause {
        state.growingMeasuredAt = now
        _ = await measure(await workers().filter { state.growing.contains(ObjectIdentifier($0)) }, &state)
      }
      if now - state.memoryReadAt > Self.memoryPause {
        state.memoryReadAt = now
        if mayEvict, lacksMemory { state.evicted = await evictForMemory().map { ($0, .now) } }
      }
    }
  }

  private static func lacksInodes(_ disk: FileSystemUsage) -> Bool {
    disk.totalInodes > 0 && disk.freeInodes < disk.totalInodes / 50
  }

  /// Those that grew last come first: they are the likeliest to be above their limits.
  private func measure(_ workers: [PodWorker], _ state: inout State) async -> [(PodWorker, PodDiskUsage)] {
    let growing = state.growing
    let (first, rest) = (
      workers.filter { growing.contains(ObjectIdentifier($0)) },
      workers.filter { !growing.contains(ObjectIdentifier($0)) }
    )
    var measured: [(PodWorker, PodDiskUsage)] = []
    for worker in first + rest {
      let id = ObjectIdentifier(worker)
      guard let usage = await worker.checkDisk() else {
        state.growing.remove(id)
        state.usage[id] = nil
        continue
      }
      if let before = state.usage[id], usage.bytes > before + (1 << 20) {
        state.growing.insert(id)
      } else {
        state.growing.remove(id)
      }
      state.usage[id] = usage.bytes
      measured.append((worker, usage))
    }
    return measured
  }

  // MARK: Eviction from a full node

  /// Ends the pod that has most above its request; a later look tells whether that was enough.
  /// - Returns: the pod.
  private func evictForDisk(_ measured: [(PodWorker, PodDiskUsage)], byInodes: Bool) async -> PodWorker? {
    var worst: (ranking: EvictionRanking, worker: PodWorker)?
    for (worker, usage) in measured {
      let used = byInodes ? Int64(usage.inodes) << 12 : usage.bytes
      let ranking = await worker.ranking(usedBytes: used, resource: "ephemeral-storage")
      if used >= EvictionRanking.leastUseful, worst.map({ $0.ranking < ranking }) ?? true { worst = (ranking, worker) }
    }
    let what = byInodes ? "inodes" : "ephemeral-storage"
    guard let worst else {
      logger.warning("the disk is full, and no pod has much on it", metadata: ["resource": .string(what)])
      return nil
    }
    await worst.worker.evict("The node was low on resource: \(what). Pod was using \(worst.ranking.usedBytes >> 10)Ki.")
    return worst.worker
  }

  /// All pods together have nearly what they may: the kernel will kill, but what is in memory-backed volumes stays.
  private var lacksMemory: Bool {
    let most = MachineFacts.memoryBytes
    guard most > 0, let used = PodControlGroup.all(configuration.limits).workingSetBytes else { return false }
    return used > most - PodControlGroup.reservedMemory(of: most) - Self.reservedMemoryBytes
  }

  private func evictForMemory() async -> PodWorker? {
    var worst: (ranking: EvictionRanking, worker: PodWorker)?
    for worker in await workers() {
      guard let used = await worker.memoryBytes, used >= EvictionRanking.leastUseful else { continue }
      let ranking = await worker.ranking(usedBytes: used, resource: "memory")
      if worst.map({ $0.ranking < ranking }) ?? true { worst = (ranking, worker) }
    }
    guard let worst else { return nil }
    await worst.worker.evict("The node was low on resource: memory. Pod was using \(worst.ranking.usedBytes >> 10)Ki.")
    return worst.worker
  }
}

extension PodWorker {
  /// Its containers have ended, and what it had is given back.
  var isDown: Bool { stage == .finished || stage == .gone }

  func ranking(usedBytes: Int64, resource: String) -> EvictionRanking {
    let requested = PodResources.total(.requests, of: pod.spec)[resource] ?? 0
    return EvictionRanking(
      priority: pod.spec["priority"].int ?? 0, usedBytes: usedBytes, requestedBytes: Int64(clamping: requested / 1000))
  }

  var memoryBytes: Int64? { PodControlGroup(pod: pod, node: context.node).group.workingSetBytes }
}
