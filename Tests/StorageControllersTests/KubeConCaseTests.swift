import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import Placement
import PodScheduler
import StorageControllers
import TestSupport
import Testing

/// The question that was left open when KEP-4049 was presented, on a real API server with the real scheduler: forty
/// small volumes on ten nodes of 2,000 GiB, then one of 1.5 TiB. There is always room for it in all.
@Suite("Forty small volumes, then a large one", .timeLimit(.minutes(15)))
struct KubeConCaseTests {
  private static let nodes = (0..<10).map { "node-\($0)" }
  private static let nodeGiB: Int64 = 2000
  private static let largeGiB: Int64 = 1536

  private static func smallSizes(seed: UInt64) -> [Int64] {
    var random = SeededRandom(seed: seed)
    return (0..<40).map { _ in Int64.random(in: 100...300, using: &random) }
  }

  private func run(
    _ policy: SnapshotPolicy, seed: UInt64,
    _ body: @escaping @Sendable (KubernetesClient, FakeCluster) async throws -> Void
  ) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .error
    let quiet = logger
    try await APIServer.withInMemory(
      registry: .standard, logger: quiet, namespaces: ["default", "kube-system"]
    ) { server in
      let client = server.client()
      let cluster = FakeCluster(client, seed: seed)
      try await cluster.addDriver()
      for node in Self.nodes { try await cluster.addNode(node, freeGiB: Self.nodeGiB) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await PodScheduler(client, ranking: PlacementRanking(policy), logger: quiet).run()
        }
        group.addTask { try await cluster.provision() }
        defer { group.cancelAll() }
        try await body(client, cluster)
      }
    }
  }

  private static func node(of pod: String, _ client: KubernetesClient) async throws -> String? {
    try await client.get(.pods, namespace: "default", name: pod).spec["nodeName"].string
  }

  /// The messages of a pod's events with a reason.
  private static func messages(_ reason: String, of pod: String, _ client: KubernetesClient) async throws -> [String] {
    try await client.list(.events, namespace: "default").items
      .filter { $0["reason"].string == reason && $0["involvedObject"]["name"].string == pod }
      .compactMap { $0["message"].string }
  }

  private static func placeSmall(
    _ client: KubernetesClient, _ cluster: FakeCluster, seed: UInt64, oneByOne: Bool
  ) async throws {
    for (index, size) in smallSizes(seed: seed).enumerated() {
      try await cluster.addPod("small-\(index)", giB: size)
      if oneByOne {
        try await eventually("small-\(index) is bound") { try await node(of: "small-\(index)", client) != nil }
      }
    }
    try await eventually("all small pods are bound") {
      try await client.list(.pods, namespace: "default").items.allSatisfy { $0.spec["nodeName"].string != nil }
    }
    try await cluster.publish()
    #expect(await cluster.overcommitted.isEmpty)
  }

  /// Adds a pod with a volume, and waits until it is bound.
  /// - Returns: what its event says.
  private static func place(
    _ pod: String, giB: Int64, _ client: KubernetesClient, _ cluster: FakeCluster
  ) async throws -> String {
    try await cluster.addPod(pod, giB: giB)
    var message = ""
    try await eventually("\(pod) is bound, and told why") {
      message = try await messages("Scheduled", of: pod, client).first ?? ""
      return !message.isEmpty
    }
    try await cluster.publish()
    let node = try await node(of: pod, client) ?? ""
    #expect(message.hasPrefix("Successfully assigned default/\(pod) to \(node): keeps "), "\(message)")
    return message
  }

  @Test(
    "the default keeps a hole for it and says so; pods all at once never get the same bytes",
    arguments: [(1, true), (2, false), (3, false)] as [(UInt64, Bool)])
  func keepsHoles(seed: UInt64, oneByOne: Bool) async throws {
    try await run(.expectedLoss, seed: seed) { client, cluster in
      try await Self.placeSmall(client, cluster, seed: seed, oneByOne: oneByOne)
      // Nobody has asked for anything large yet; the whole nodes are kept all the same, and the event says so.
      let next = try await Self.place("next", giB: 100, client, cluster)
      #expect(next.contains(": keeps "), "\(next)")
      // Where pods that come all at once went, and so whether another node would lose more, is not the same in each run.
      let named = Self.nodes.first { next.contains("; \($0) would lose") }
      #expect(named != nil || !oneByOne, "\(next)")
      if let named {
        // A cordoned node is no alternative: it is named no more.
        try await client.patch(.nodes, name: named, ["spec": ["unschedulable": true]])
        let other = try await Self.place("other", giB: 100, client, cluster)
        #expect(!other.contains(named) && (other.contains("; node-") || !oneByOne), "\(other)")
      }
      let large = try await Self.place("large", giB: Self.largeGiB, client, cluster)
      if let named { #expect(!large.contains(named), "\(large)") }
      // Now that something large was asked for, small ones are told how many more of it there can be.
      let last = try await Self.place("last", giB: 100, client, cluster)
      #expect(last.contains(": keeps ") && last.contains(" slots of 1.5 TiB"), "\(last)")
      #expect(await cluster.overcommitted.isEmpty)
    }
  }

  @Test(
    "most-free breaks every hole: the large pod stays Pending, and is told that the sum would suffice",
    arguments: [(1, true), (2, false)] as [(UInt64, Bool)])
  func mostFreeBreaksThem(seed: UInt64, oneByOne: Bool) async throws {
    try await run(.mostFree, seed: seed) { client, cluster in
      try await Self.placeSmall(client, cluster, seed: seed, oneByOne: oneByOne)
      try await cluster.addPod("large", giB: Self.largeGiB)
      try await eventually("the event says how much, the largest hole and the sum") {
        try await Self.messages("FailedScheduling", of: "large", client).contains {
          $0.hasPrefix(
            "0/10 nodes are available: 10 node(s) did not have enough free storage (asked 1.5Ti, largest free ")
            && $0.hasSuffix(" free on 10 nodes together would suffice).")
        }
      }
      let pod = try await client.get(.pods, namespace: "default", name: "large")
      #expect(pod.spec["nodeName"].isNull && pod.status["phase"].string == "Pending")
      #expect(await cluster.overcommitted.isEmpty)
    }
  }
}
