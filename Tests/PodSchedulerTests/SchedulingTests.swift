import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Logging
import TestSupport
import Testing

@testable import PodScheduler

/// The scheduler against a real API server.
@Suite(.timeLimit(.minutes(15)))
struct SchedulingTests {
  /// - Parameters:
  ///   - again: runs with another scheduler, as after a restart.
  private func run(
    ranking: any VolumeNodeRanking = MostFreeStorageRanking(),
    nextRanking: any VolumeNodeRanking = MostFreeStorageRanking(),
    _ body: @escaping @Sendable (KubernetesClient) async throws -> Void,
    again: (@Sendable (KubernetesClient) async throws -> Void)? = nil
  ) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .error
    let quiet = logger
    try await APIServer.withInMemory(registry: .standard, logger: quiet) { server in
      let client = server.client()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await PodScheduler(client, ranking: ranking, logger: quiet).run() }
        try await body(client)
        group.cancelAll()
      }
      guard let again else { return }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await PodScheduler(client, ranking: nextRanking, logger: quiet).run() }
        try await again(client)
        group.cancelAll()
      }
    }
  }

  private static func node(of pod: String, _ client: KubernetesClient) async throws -> String? {
    try await client.get(.pods, namespace: "default", name: pod).spec["nodeName"].string
  }

  private static func selectedNode(of claim: String, _ client: KubernetesClient) async throws -> String? {
    try await client.get(.persistentVolumeClaims, namespace: "default", name: claim)
      .annotations[ClaimAnnotations.selectedNode]
  }

  private static func refusal(of pod: String, _ client: KubernetesClient) async throws -> String {
    let pod = try await client.get(.pods, namespace: "default", name: pod)
    guard let condition = pod.condition("PodScheduled"), condition["status"].string == "False" else { return "" }
    return condition["message"].string ?? ""
  }

  @Test func podsSpreadOverNodesUntilTheyAreFull() async throws {
    try await run { client in
      try await SchedulerFixture.addNode("a", to: client, cpu: "2")
      try await SchedulerFixture.addNode("b", to: client, cpu: "2")
      for index in 0..<5 { try await SchedulerFixture.addPod("p\(index)", to: client) }
      try await eventually("four have their nodes") {
        let onA = try await client.list(.pods, fields: "spec.nodeName=a").items
        let onB = try await client.list(.pods, fields: "spec.nodeName=b").items
        return onA.count == 2 && onB.count == 2
      }
      let left = try await client.list(.pods, fields: "spec.nodeName=").items
      let waiting = try #require(left.first)
      #expect(left.count == 1)
      try await eventually("the fifth is told why") {
        try await Self.refusal(of: waiting.name, client) == "0/2 nodes are available: 2 Insufficient cpu."
      }
      try await eventually("an event says so") {
        try await client.list(.events, namespace: "default").items.contains {
          $0["reason"].string == "FailedScheduling" && $0["involvedObject"]["name"].string == waiting.name
        }
      }
      // Room is made, and the pod goes there without anybody asking.
      let done = try #require(try await client.list(.pods, fields: "spec.nodeName=b").items.first)
      try await client.delete(.pods, namespace: "default", name: done.name, gracePeriodSeconds: 0)
      try await eventually("it gets the freed place") { try await Self.node(of: waiting.name, client) == "b" }
    }
  }

  @Test func aNewNodeHelpsAWaitingPod() async throws {
    try await run { client in
      try await SchedulerFixture.addPod("p", to: client)
      try await eventually("told") {
        try await Self.refusal(of: "p", client) == "no nodes available to schedule pods"
      }
      try await SchedulerFixture.addNode("a", to: client)
      try await eventually("bound") { try await Self.node(of: "p", client) == "a" }
    }
  }

  @Test func aVolumeIsMadeOnTheChosenNodeBeforeThePodIsBound() async throws {
    try await run { client in
      for node in ["a", "b"] { try await SchedulerFixture.addNode(node, to: client) }
      try await SchedulerFixture.addStorage(free: ["a": "10Gi", "b": "50Gi"], to: client)
      try await SchedulerFixture.addClaim("data", "5Gi", to: client)
      try await SchedulerFixture.addPod("p", to: client, claims: ["data"])
      try await eventually("the roomier node is chosen") { try await Self.selectedNode(of: "data", client) == "b" }
      #expect(try await Self.node(of: "p", client) == nil)
      try await SchedulerFixture.provision("data", on: "b", with: client)
      try await eventually("bound") { try await Self.node(of: "p", client) == "b" }
    }
  }

  @Test func twoPodsNeverCountOnTheSameSpace() async throws {
    try await run { client in
      try await SchedulerFixture.addNode("a", to: client)
      try await SchedulerFixture.addStorage(free: ["a": "10Gi"], to: client)
      for name in ["x", "y"] {
        try await SchedulerFixture.addClaim(name, "6Gi", to: client)
        try await SchedulerFixture.addPod("p-\(name)", to: client, claims: [name])
      }
      try await eventually("one is refused") {
        let refusals = try await [Self.refusal(of: "p-x", client), Self.refusal(of: "p-y", client)]
        return refusals.contains(
          "0/1 nodes are available: 1 node(s) did not have enough free storage (asked 6Gi, largest free 4Gi).")
      }
      let selected = try await [Self.selectedNode(of: "x", client), Self.selectedNode(of: "y", client)]
      #expect(selected.count { $0 == "a" } == 1)
    }
  }

  @Test func anotherNodeIsTriedWhenProvisioningFails() async throws {
    try await run { client in
      for node in ["a", "b"] { try await SchedulerFixture.addNode(node, to: client) }
      try await SchedulerFixture.addStorage(free: ["a": "50Gi", "b": "10Gi"], to: client)
      try await SchedulerFixture.addClaim("data", "5Gi", to: client)
      try await SchedulerFixture.addPod("p", to: client, claims: ["data"])
      try await eventually("a is chosen") { try await Self.selectedNode(of: "data", client) == "a" }
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "data",
        ["metadata": ["annotations": [ClaimAnnotations.selectedNode: .null]]])
      try await eventually("then b") { try await Self.selectedNode(of: "data", client) == "b" }
      try await SchedulerFixture.provision("data", on: "b", with: client)
      try await eventually("bound") { try await Self.node(of: "p", client) == "b" }
    }
  }

  @Test func aClaimForOnePodServesOneAfterTheOther() async throws {
    try await run { client in
      for node in ["a", "b"] { try await SchedulerFixture.addNode(node, to: client) }
      try await SchedulerFixture.addStorage(free: ["a": "10Gi", "b": "10Gi"], to: client)
      try await SchedulerFixture.addClaim("data", "1Gi", modes: ["ReadWriteOncePod"], to: client)
      try await SchedulerFixture.addPod("first", to: client, claims: ["data"])
      var selected: String?
      try await eventually("its volume gets a node") {
        selected = try await Self.selectedNode(of: "data", client)
        return selected != nil
      }
      // The first has no node yet, and the claim is spoken for all the same.
      try await SchedulerFixture.addPod("second", to: client, claims: ["data"])
      try await eventually("the second is told why") {
        try await Self.refusal(of: "second", client)
          == "0/2 nodes are available: persistentvolumeclaim \"data\" is ReadWriteOncePod and used by pod \"first\"."
      }
      try await SchedulerFixture.provision("data", on: selected ?? "", with: client)
      try await eventually("the first has its node") { try await Self.node(of: "first", client) == selected }
      #expect(try await Self.node(of: "second", client) == nil)
      try await client.delete(.pods, namespace: "default", name: "first", gracePeriodSeconds: 0)
      try await eventually("then the second") { try await Self.node(of: "second", client) == selected }
    }
  }

  @Test func aClaimThatNobodyCanServeIsNamedAndTakesNoRoom() async throws {
    try await run { client in
      try await SchedulerFixture.addNode("a", to: client)
      try await SchedulerFixture.addStorage(free: ["a": "10Gi"], to: client)
      try await SchedulerFixture.addClaim("shared", "8Gi", modes: ["ReadWriteMany"], to: client)
      try await SchedulerFixture.addPod("first", to: client, claims: ["shared"])
      try await eventually("the pod is told why") {
        try await Self.refusal(of: "first", client).contains(
          "persistentvolumeclaim \"shared\" can't have a volume: access mode ReadWriteMany is not offered")
      }
      #expect(try await Self.selectedNode(of: "shared", client) == nil)
      try await SchedulerFixture.addClaim("own", "8Gi", to: client)
      try await SchedulerFixture.addPod("second", to: client, claims: ["own"])
      try await eventually("the room is there for others") { try await Self.selectedNode(of: "own", client) == "a" }
    }
  }

  @Test func anEphemeralVolumeIsThePodsOwnClaimOrNone() async throws {
    try await run { client in
      try await SchedulerFixture.addNode("a", to: client)
      try await SchedulerFixture.addStorage(free: ["a": "10Gi"], to: client)
      // Somebody else's claim has the name that the pod's would have.
      try await SchedulerFixture.addClaim("web-scratch", "1Gi", to: client)
      var pod = KubernetesObject(.pods, namespace: "default", name: "web")
      pod.spec = [
        "containers": [["name": "main", "image": "x"]],
        "volumes": [
          [
            "name": "scratch",
            "ephemeral": [
              "volumeClaimTemplate": [
                "spec": [
                  "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
                  "resources": ["requests": ["storage": "1Gi"]],
                ]
              ]
            ],
          ]
        ],
      ]
      let made = try await client.create(pod, as: .pods)
      try await eventually("it is not taken") {
        try await Self.refusal(of: "web", client).contains("was not created for pod \"web\" (pod is not owner)")
      }
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "web-scratch")
      let own = try #require(made.ephemeralClaims.first)
      try await client.create(own, as: .persistentVolumeClaims)
      try await eventually("its own is") { try await Self.selectedNode(of: "web-scratch", client) == "a" }
    }
  }
}

extension SchedulingTests {
  /// Prefers nodes in the order of their names, and keeps what it is told.
  private final class Listener: VolumeNodeRanking {
    let learned = Mutex<[VolumeObservation]>([])

    func rank(_ demand: VolumeDemand, among nodes: [NodeStorage]) -> [RankedNode] {
      nodes.filter(\.isCandidate).map(\.node).sorted().map { RankedNode(node: $0, reason: "keeps the alphabet") }
    }

    func learn(_ observation: VolumeObservation) { learned.withLock { $0.append(observation) } }
  }

  private static func scheduled(_ pod: String, _ client: KubernetesClient) async throws -> [String] {
    try await client.list(.events, namespace: "default").items
      .filter { $0["reason"].string == "Scheduled" && $0["involvedObject"]["name"].string == pod }
      .compactMap { $0["message"].string }
  }

  @Test func theScheduledEventSaysWhyTheVolumesGotTheirNode() async throws {
    try await run(ranking: Listener()) { client in
      try await SchedulerFixture.addNode("a", to: client)
      try await SchedulerFixture.addStorage(free: ["a": "50Gi"], to: client)
      try await SchedulerFixture.addClaim("data", "5Gi", to: client)
      try await SchedulerFixture.addPod("p", to: client, claims: ["data"])
      try await eventually("a is chosen") { try await Self.selectedNode(of: "data", client) == "a" }
      try await SchedulerFixture.provision("data", on: "a", with: client)
      try await eventually("told") {
        try await Self.scheduled("p", client) == ["Successfully assigned default/p to a: keeps the alphabet"]
      }
      // Where no volume was made, there is nothing to say of volumes.
      try await SchedulerFixture.addPod("q", to: client, claims: ["data"])
      try await eventually("told") {
        try await Self.scheduled("q", client) == ["Successfully assigned default/q to a"]
      }
    }
  }

  @Test func aRestartForgetsTheReasonAndLearnsWhatIsThereOnce() async throws {
    let (first, second) = (Listener(), Listener())
    try await run(ranking: first, nextRanking: second) { client in
      try await SchedulerFixture.addNode("a", to: client)
      try await SchedulerFixture.addStorage(free: ["a": "50Gi"], to: client)
      for (name, size) in [("data", "5Gi"), ("unused", "7Gi")] {
        try await SchedulerFixture.addClaim(name, size, to: client)
      }
      try await SchedulerFixture.addPod("p", to: client, claims: ["data"])
      try await eventually("a is chosen") { try await Self.selectedNode(of: "data", client) == "a" }
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "unused",
        ["metadata": ["annotations": ["any": "change"]]])
      try await eventually("both are learned") { first.learned.withLock { $0.count } == 2 }
    } again: { client in
      try await SchedulerFixture.provision("data", on: "a", with: client)
      try await eventually("bound, without a reason that nobody remembers") {
        try await Self.scheduled("p", client) == ["Successfully assigned default/p to a"]
      }
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "unused")
      try await eventually("the end is learned") { second.learned.withLock { $0.count } == 3 }
    }
    let pool = "local.nagaya.dev"
    let requested: Set<VolumeObservation> = [
      .requested(pool: pool, bytes: 5 << 30), .requested(pool: pool, bytes: 7 << 30),
    ]
    #expect(Set(first.learned.withLock { $0 }) == requested)
    #expect(Set(second.learned.withLock { $0.prefix(2) }) == requested)
    #expect(second.learned.withLock { $0.last } == .ended(pool: pool, bytes: 7 << 30, times: 0))
  }
}

/// Waits until a condition holds; an object that is not there yet is a condition that does not hold yet.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  try await TestSupport.eventually(what) {
    do { return try await condition() } catch let status as APIStatus where status.isNotFound { return false }
  }
}
