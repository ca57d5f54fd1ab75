import Placement

/// Why a simulation stopped.
public enum SimulationError: Error, Sendable, Hashable {
  /// An event came that lies before the one before it.
  case timeWentBackwards(id: Int, from: Double, to: Double)
  /// A request arrived whose id is alive.
  case duplicateID(Int)
  /// A request names a device class that the cluster does not have, or a size below zero.
  case invalidDemand(id: Int)
  /// An event names a node that the cluster does not have.
  case unknownNode(Int)
}

/// Runs a workload against a cluster under a policy, event by event.
///
/// A request that fits nowhere at its first attempt (after repair, where that is allowed) counts as Pending and leaves;
/// its later events are skipped. An expansion that finds no room counts as failed, and the volume keeps its size.
public struct Simulator {
  /// - Parameter progress: called now and then with the number of requests so far; returning false ends the run early.
  public static func run(
    policy: any PlacementPolicy, workload: any Workload, cluster: SimulatedCluster,
    options: SimulationOptions = SimulationOptions(), progress: ((Int) -> Bool)? = nil
  ) throws -> SimulationResult {
    var run = SimulationRun(policy: policy, cluster: cluster, options: options)
    run.largeBytes = try options.largeBytes ?? WorkloadProfile(workload, seed: options.seed).quantile(0.99)
    var events = try workload.events(seed: options.seed)
    while let event = try events.next() {
      if case .arrive = event.change {
        if run.requests >= options.maximumRequests { break }
        if run.requests % 8192 == 0, let progress, !progress(run.requests) { break }
      }
      try run.handle(event)
      if run.mayStop { break }
    }
    return run.finish()
  }
}
