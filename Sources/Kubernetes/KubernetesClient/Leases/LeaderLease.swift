import BoundedNumbers
import JSONDocument
import KubernetesAPI
import Locking
import Logging

/// Makes sure that one of several replicas works at a time, by a Lease (coordination.k8s.io/v1).
///
/// The holder renews it every `duration / 5`; another replica takes it over once it has not seen it change for a whole
/// `duration` by its own clock, so that clocks need not agree. A holder that cannot renew stops its work after two thirds.
public struct LeaderLease: Sendable {
  public let namespace: String
  public let name: String
  /// Who this replica is: unique among replicas.
  public let identity: String
  public let duration: Duration
  private let client: KubernetesClient
  private let logger: Logger

  public init(
    _ client: KubernetesClient, namespace: String, name: String, identity: String,
    duration: Duration = .seconds(15), logger: Logger
  ) {
    self.client = client
    self.namespace = namespace
    self.name = name
    self.identity = identity
    self.duration = duration
    self.logger = logger
  }

  /// What a replica saw of the lease, and since when it has looked like that.
  struct Observation: Sendable {
    var resourceVersion = ""
    var since = ContinuousClock.now
  }

  /// Waits until this replica leads, then runs `work` and gives the lease back when it ends.
  /// - Throws: what `work` throws; `APIStatus` with reason `conflict` if the lease was lost (`work` is cancelled then).
  public func whileLeading(_ work: @escaping @Sendable () async throws -> Void) async throws {
    let renewed = Renewal(try await waitUntilHeld())
    logger.info("leads", metadata: ["lease": "\(namespace)/\(name)", "identity": "\(identity)"])
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await work() }
        group.addTask { try await keepRenewing(renewed) }
        // Apart from the renewing: a request that hangs must not hold up the end.
        group.addTask { try await watch(renewed) }
        try await group.next()
        group.cancelAll()
      }
    } catch {
      await release()
      throw error
    }
    await release()
  }

  /// A server that is away is asked again. A lease that was got so late that half of it is over is renewed before anybody works by
  /// it.
  /// - Returns: when the write that got it began.
  func waitUntilHeld() async throws -> ContinuousClock.Instant {
    var observation = Observation()
    while true {
      do {
        if let asked = try await tryToHold(&observation) {
          if asked.duration(to: .now) < duration / 2 { return asked }
          do { try Task.checkCancellation() } catch {
            await release()
            throw error
          }
          continue
        }
      } catch let status as APIStatus where status.mayPass {}
      try await Task.sleep(for: duration / 5)
    }
  }

  /// When the lease was renewed last, by this replica's clock.
  private final class Renewal: Sendable {
    private let time: Mutex<ContinuousClock.Instant>
    init(_ instant: ContinuousClock.Instant) { time = Mutex(instant) }
    var last: ContinuousClock.Instant { time.withLock { $0 } }
    func note(_ instant: ContinuousClock.Instant) { time.withLock { $0 = instant } }
  }

  private func keepRenewing(_ renewed: Renewal) async throws {
    var observation = Observation()
    while !Task.isCancelled {
      try await Task.sleep(for: duration / 5)
      do {
        guard let asked = try await tryToHold(&observation) else { throw lost() }
        renewed.note(asked)
      } catch let status as APIStatus where !status.isConflict {}
    }
  }

  /// - Throws: once two thirds of the lease are over since the last renewal, whatever the renewing waits for.
  private func watch(_ renewed: Renewal) async throws {
    while true {
      let end = renewed.last + duration * 2 / 3
      if ContinuousClock.now >= end { throw lost() }
      try await Task.sleep(until: end, clock: .continuous)
    }
  }

  private func lost() -> APIStatus {
    .conflict(.leases, name, "the lease was lost to another replica; this one stops its work")
  }

  /// Takes the lease if it is free, renews it if it is ours.
  /// - Returns: when the write began, which what the server wrote may be as old as; `nil` if somebody else holds it.
  func tryToHold(_ observation: inout Observation) async throws -> ContinuousClock.Instant? {
    guard var lease = try await client.getIfPresent(.leases, namespace: namespace, name: name) else {
      var lease = KubernetesObject(.leases, namespace: namespace, name: name)
      let (now, asked) = (Timestamp.now.microTime, ContinuousClock.now)
      lease["spec"] = spec(now: now, acquired: now, transitions: 0)
      do { try await client.create(lease, as: .leases) } catch let status as APIStatus where status.isAlreadyExists {
        return nil
      }
      return asked
    }
    let (now, asked) = (Timestamp.now.microTime, ContinuousClock.now)
    if lease.resourceVersion != observation.resourceVersion {
      observation = Observation(resourceVersion: lease.resourceVersion)
    }
    let holder = lease.spec["holderIdentity"].string ?? ""
    let transitions = lease.spec["leaseTransitions"].count ?? 0
    if holder == identity {
      lease["spec"] = spec(now: now, acquired: lease.spec["acquireTime"].string ?? now, transitions: transitions)
    } else {
      let term = lease.spec["leaseDurationSeconds"].count.map { Duration.seconds(clamping: $0) } ?? duration
      guard holder.isEmpty || observation.since.duration(to: .now) > term else { return nil }
      lease["spec"] = spec(now: now, acquired: now, transitions: min(transitions + 1, Int(Int32.max)))
    }
    do { try await client.update(lease, as: .leases) } catch let status as APIStatus where status.isConflict {
      return nil
    }
    return asked
  }

  /// Gives the lease back, also when the work was cancelled; a server that hangs is not waited for longer than the lease lasts.
  private func release() async {
    let giving = Task {
      guard var lease = try? await client.get(.leases, namespace: namespace, name: name),
        lease.spec["holderIdentity"].string == identity
      else { return }
      lease.spec["holderIdentity"] = ""
      _ = try? await client.update(lease, as: .leases)
    }
    let limit = Task {
      try await Task.sleep(for: duration / 3)
      giving.cancel()
    }
    await giving.value
    limit.cancel()
  }

  private func spec(now: String, acquired: String, transitions: Int) -> JSONValue {
    [
      "holderIdentity": .string(identity), "leaseDurationSeconds": JSONValue(Int(duration.components.seconds)),
      "acquireTime": .string(acquired), "renewTime": .string(now), "leaseTransitions": JSONValue(transitions),
    ]
  }
}
