import KubernetesAPI
import Logging
import NRI

/// Something about a container that its owner should hear.
public struct HookNotice: Sendable, Hashable {
  public enum Kind: String, Sendable {
    /// The container was not made.
    case refused = "HookRefused"
    /// It was made without what a hook wanted.
    case ignored = "HookIgnored"
    /// It was made while no hook could be asked.
    case unadjusted = "HookMissed"
  }

  public let kind: Kind
  public let namespace: String
  public let pod: String
  public let podUID: String
  public let container: String
  public let message: String
}

/// Answers a runtime from what is in memory: no file, no network, no lock that anybody holds for long.
struct HookHandler: NRIHandling {
  let decider: HookDecider
  let source: PolicySource
  let table: ContainerTable
  let counters: HookCounters
  let logger: Logger
  let notify: @Sendable (HookNotice) -> Void

  let kernel: KernelLimits
  /// Whether all of pods is kept, for hooks beside the standard ones.
  let keepsWhole: Bool
  let pending: PendingUpdates
  let watchdog: AnswerWatchdog

  /// Devices beyond the first are limited when the container runs.
  var events: NRIEvents {
    kernel.limitsDevices
      ? [.createContainer, .postStartContainer, .removeContainer] : [.createContainer, .removeContainer]
  }

  func configure(_ request: NRIConfigureRequest) async {
    logger.info(
      "connected",
      metadata: ["runtime": "\(request.runtimeName) \(request.runtimeVersion)", "nri": "\(request.nriVersion)"])
  }

  func synchronize(_ pods: [NRIPodSandbox], _ containers: [NRIContainer]) async throws -> [NRIContainerUpdate] {
    let byID = Dictionary(pods.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    table.keep(Set(containers.map(\.id)))
    var updates: [NRIContainerUpdate] = []
    for container in containers where container.state != .containerStopped {
      guard let pod = byID[container.podSandboxID] else { continue }
      updates += take(pod, container)
    }
    // Registered is not enough: until now containers were made without us.
    counters.note {
      $0.updates += updates.count
      $0.connections += 1
      $0.isConnected = true
    }
    logger.info(
      "synchronized",
      metadata: [
        "containers": "\(containers.count)", "unadjusted": "\(table.unadjusted)", "updated": "\(updates.count)",
      ])
    return updates
  }

  /// Notes a container that runs already.
  /// - Returns: what is to be changed of it.
  private func take(_ pod: NRIPodSandbox, _ container: NRIContainer) -> [NRIContainerUpdate] {
    let generation = source.generation
    let known = table.record(container.id)
    let isMarked = container.annotations[Adjustment.mark] != nil
    var isAdjusted = isMarked
    var updates: [NRIContainerUpdate] = []
    // What was asked for by who was here before us, as far as it can be told.
    var resources = known?.resources ?? LiveResources(present: container).bytes
    var lines: [String]
    var decided: [String] = []
    do throws(HookRefusal) {
      let decision = try decider.decide(pod, container)
      lines = decision.lines
      decided = decision.adjustment.lines
      if !isMarked, decision.adjustment.isEmpty { isAdjusted = true }
      (updates, resources) = Self.updates(container.id, container, decision.adjustment, previous: resources)
    } catch {
      lines = ["would not be made: \(error)"]
    }
    if !isAdjusted {
      notify(
        HookNotice(
          kind: .unadjusted, namespace: pod.namespace, pod: pod.name, podUID: pod.uid, container: container.name,
          message: "container \(container.name) was made while no hook could be asked; without: "
            + lines.joined(separator: "; ") + ". Limits of processes come with its next start"))
      lines = lines.map { "missed: \($0)" }
    }
    let made =
      known?.limitLines ?? (container.annotations[HookLimits.annotation] ?? "").split(separator: "\n").map(String.init)
    table.set(
      ContainerTable.Record(
        pod, container, isWhole: keepsWhole, decision: lines, limits: HookLimits.lines(made: made, now: decided),
        resources: resources,
        isAdjusted: isAdjusted, generation: generation), for: container.id, isLive: true)
    return updates
  }

  func create(_ pod: NRIPodSandbox, _ container: NRIContainer) async throws -> NRIContainerAdjustment {
    let start = ContinuousClock.now
    let generation = source.generation
    defer { counters.answered(in: .now - start) }
    do throws(HookRefusal) {
      let decision = try await watchdog.decide { [decider] in
        Result { () throws(HookRefusal) in try decider.decide(pod, container) }
      }.get()
      note(decision, pod, container)
      var wire = decision.adjustment.wire
      let lines = decision.adjustment.lines
      let limits = HookLimits.lines(lines)
      wire.annotations[Adjustment.mark] = String(lines.joined(separator: "; ").prefix(1024))
      if !limits.isEmpty { wire.annotations[HookLimits.annotation] = limits.joined(separator: "\n") }
      table.set(
        ContainerTable.Record(
          pod, container, isWhole: keepsWhole, decision: decision.lines, limits: limits,
          resources: LiveResources(decision.adjustment).bytes, isAdjusted: true, generation: generation),
        for: container.id)
      return wire
    } catch {
      counters.note { $0.refused += 1 }
      logger.notice("refused", metadata: ["pod": "\(pod.namespace)/\(pod.name)", "why": "\(error)"])
      notify(Self.notice(.refused, pod, container, "container \(container.name) is not made: \(error)"))
      throw error
    }
  }

  private func note(_ decision: HookDecision, _ pod: NRIPodSandbox, _ container: NRIContainer) {
    counters.note {
      if !decision.adjustment.isEmpty { $0.adjusted += 1 }
      if decision.audit != nil { $0.audited += 1 }
      $0.ignored += decision.ignored.count
    }
    for refusal in decision.ignored {
      notify(Self.notice(.ignored, pod, container, "container \(container.name) is made without a hook: \(refusal)"))
    }
    if !decision.lines.isEmpty {
      logger.debug(
        "adjusted",
        metadata: [
          "pod": "\(pod.namespace)/\(pod.name)", "container": "\(container.name)",
          "changes": "\(decision.lines.joined(separator: "; "))",
        ])
    }
  }

  func happened(_ event: NRIEvent, _ pod: NRIPodSandbox, _ container: NRIContainer?) async {
    guard let container else { return }
    switch event {
    case .removeContainer: table.remove(container.id)
    case .postStartContainer: limitMoreDevices(container.id)
    default: break
    }
  }

  /// The runtime waits for this answer; what is asked of it must wait until then.
  private func limitMoreDevices(_ id: String) {
    guard let request = table.record(id)?.parsed, let decision = try? decider.decide(request.pod, request.container)
    else { return }
    pending.add(Self.updates(id, request.container, decision.adjustment, previous: []).updates.dropFirst())
  }

  // MARK: Changes while containers run

  /// Decides anew for containers whose decision is older than the policies.
  /// - Returns: changes of those that run.
  func renewed() -> [NRIContainerUpdate] { renewed(table.ids(before: source.generation)) }

  /// The same for containers that have one of these volumes.
  func renewed(_ volumes: Set<String>) -> [NRIContainerUpdate] {
    renewed(
      table.idsWithVolumes().filter { id in
        table.record(id)?.parsed.map { VolumeDevices.mayHave($0.container, anyOf: volumes) } ?? false
      })
  }

  private func renewed(_ ids: [String]) -> [NRIContainerUpdate] {
    let generation = source.generation
    var updates: [NRIContainerUpdate] = []
    for id in ids {
      guard var record = table.record(id), let request = record.parsed else { continue }
      record.generation = generation
      // What does not hold for new containers any more, is no reason to end one that runs.
      if let decision = try? decider.decide(request.pod, request.container) {
        let change = Self.updates(id, request.container, decision.adjustment, previous: record.resources)
        updates += change.updates
        record.resources = change.resources
        record.decision = decision.lines.joined(separator: "\n")
        record.limits = HookLimits.lines(made: record.limitLines, now: decision.adjustment.lines)
          .joined(separator: "\n")
      }
      table.set(record, for: id, isLive: true)
    }
    return updates
  }

  /// - Parameters:
  ///   - container: as it would be by itself.
  ///   - previous: what was asked for last.
  /// - Returns: what is to be changed, and what holds then.
  private static func updates(
    _ id: String, _ container: NRIContainer, _ adjustment: Adjustment, previous: [UInt8]
  ) -> (updates: [NRIContainerUpdate], resources: [UInt8]) {
    let wanted = LiveResources(adjustment)
    let updates = wanted.changes(from: LiveResources(bytes: previous), of: container).map { step in
      NRIContainerUpdate.with {
        $0.containerID = id
        $0.linux.resources = step
        $0.ignoreFailure = true
      }
    }
    return (updates, wanted.bytes)
  }

  private static func notice(
    _ kind: HookNotice.Kind, _ pod: NRIPodSandbox, _ container: NRIContainer, _ message: String
  ) -> HookNotice {
    HookNotice(
      kind: kind, namespace: pod.namespace, pod: pod.name, podUID: pod.uid, container: container.name,
      message: message)
  }
}
