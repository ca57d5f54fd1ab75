import Glibc
import LinuxSystem
import Placement
import PlacementSimulator
import PlacementTraces

/// Readers of histories and workloads, as `nagaya simulate` opens them: by a file. What is accepted must run through the
/// simulator and give figures that add up.
extension FuzzTarget {
  static var histories: [FuzzTarget] {
    [
      FuzzTarget(name: "history of changes", corpus: [changes, quoted]) { try feed($0, named: "csv") },
      FuzzTarget(name: "history of volumes", corpus: [volumes, dated]) { try feed($0, named: "csv") },
      FuzzTarget(name: "claims", corpus: [claims]) { try feed($0, named: "json") },
      FuzzTarget(name: "workload", corpus: [workload]) { try feed($0, named: "yaml") },
    ]
  }

  private static func feed(_ input: [UInt8], named suffix: String) throws -> Bool {
    // In memory: a file for each of millions of inputs would be the benchmark of a disk.
    let path = "/dev/shm/nagaya-fuzz-\(getpid()).\(suffix)"
    let file = try OpenFile(path, .truncate)
    defer { try? Directory.removeFile(path) }
    try file.write(input)
    var accepted = false
    for isLenient in [false, true] {
      guard let source = try? SimulationInput.open([path], .init(isLenient: isLenient)) else { continue }
      accepted = true
      switch source {
      case .history(let trace):
        guard trace.summary.requests > 0, trace.summary.peakBytes >= 0 else {
          throw BrokenPromise(description: "a history of nothing was accepted")
        }
        let classes = max(1, trace.summary.deviceClasses.count)
        let pool = PoolDescription(deviceClasses: Array(0..<classes), capacityBytes: 1 << 42)
        let nodes = (1...3).map {
          NodeDescription(name: "node-\($0)", pools: [pool], milliCPU: 64_000, memoryBytes: 1 << 38)
        }
        try run(
          trace.workload, SimulatedCluster(deviceClasses: Array(repeating: "c", count: classes), nodes: nodes),
          requests: trace.summary.requests)
      case .workload(let file):
        guard file.cluster.nodes.count <= 1000 else { continue }
        var workload = file.workload
        workload.requests = min(workload.requests, 200)
        try run(workload, file.cluster, requests: workload.requests)
      }
    }
    return accepted
  }

  private static func run(_ workload: any Workload, _ cluster: SimulatedCluster, requests: Int) throws {
    let result: SimulationResult
    do {
      result = try Simulator.run(
        policy: StandardPolicy.standard.make(classCount: cluster.deviceClasses.count), workload: workload,
        cluster: cluster)
    } catch { throw BrokenPromise(description: "what was accepted cannot be run: \(error)") }
    let counts = result.counts
    guard counts.requests == requests, counts.pending <= counts.requests,
      counts.failedExpansions <= counts.expansions,
      result.nodesAtEnd.allSatisfy({ $0.freeBytes >= 0 && $0.freeBytes <= $0.capacityBytes })
    else { throw BrokenPromise(description: "the figures of a history do not add up") }
  }

  private static let changes = Array(
    "time,event,volume,size,class,cpu,memory\n0,arrive,a,10Gi,ssd,2,4Gi\n5,arrive,b,1e9,hdd,,\n6,grow,a,20Gi,,,\n7,delete,a,,,,\n"
      .utf8)
  private static let quoted = Array(
    "\"time\",\"event\",\"volume\",\"size\"\r\n2026-11-22T10:00:00Z,arrive,\"x\"\"y\",1Gi\r\n2026-11-22T10:00:01Z,delete,\"x\"\"y\",\r\n"
      .utf8)
  private static let volumes = Array("volume,created,deleted,size\na,,100,680Gi\nb,50,,1Gi\nc,60,70,2e9\n".utf8)
  private static let dated = Array(
    "volume,created,deleted,size\na,2026-11-22T10:00:30Z,2026-11-22T10:01:00Z,1Gi\nb,2026-11-22T10:00:00Z,,1Gi\n".utf8)
  private static let claims = Array(
    """
    {"apiVersion":"v1","kind":"List","items":[{"metadata":{"uid":"1","name":"a","namespace":"n",
    "creationTimestamp":"2026-11-22T10:00:00Z","annotations":{"volume.kubernetes.io/selected-node":"node-1"}},
    "spec":{"resources":{"requests":{"storage":"1Gi"}},"storageClassName":"x"},"status":{"phase":"Bound",
    "capacity":{"storage":"2Gi"}}},{"metadata":{"uid":"2","creationTimestamp":"2026-11-22T11:00:00Z"},
    "spec":{"resources":{"requests":{"storage":5}}}}]}
    """.utf8)
  private static let workload = Array(
    """
    nodes: [{count: 3, size: 100Gi}, {name: big, pools: [{class: default, size: 1Ti}, {class: hdd, size: 4Ti}], cpu: 8}]
    sizes: [{size: 1Gi, weight: 9}, {volumes: [{size: 10Gi}, {size: 1Ti, class: hdd}], cpu: 0.5, memory: 1Gi}]
    lifetimes: [{mean: 12h}, {mean: 3d, weight: 2}]
    growth: {probability: 0.3, factor: 2}
    load: 0.7
    requests: 200
    apps: {replicas: 2}
    bursts: {factor: 3, share: 0.1, length: 1h}
    events: [{at: 1d, lose: node-1}, {at: 2d, return: node-1}, {at: 3d, drain: big}]
    """.utf8)
}
