import JSONDocument
import KubernetesAPI
import TestSupport
import Testing

@testable import Controllers

struct RolloutTests {
  private static func spec(
    replicas: Int, surge: JSONValue = .null, unavailable: JSONValue = .null, type: String = "RollingUpdate"
  ) -> DeploymentSpec {
    var deployment = KubernetesObject(.deployments, namespace: "n", name: "d")
    deployment.spec = ["replicas": JSONValue(replicas), "strategy": ["type": .string(type)]]
    deployment.spec["strategy"]["rollingUpdate"] = ["maxSurge": surge, "maxUnavailable": unavailable]
    return DeploymentSpec(deployment)
  }

  @Test(arguments: [
    (10, "25%", "25%", 3, 2), (1, "25%", "25%", 1, 0), (4, "0%", "0%", 0, 1), (4, "0", "100%", 0, 4),
    (0, "25%", "25%", 0, 1),
  ])
  func sharesRoundSurgeUpAndUnavailableDown(
    replicas: Int, surge: String, unavailable: String, expectedSurge: Int, expectedUnavailable: Int
  ) {
    let spec = Self.spec(replicas: replicas, surge: .string(surge), unavailable: .string(unavailable))
    #expect(spec.maxSurge == expectedSurge)
    #expect(spec.maxUnavailable == expectedUnavailable)
  }

  @Test func recreateWaitsForTheLastOldPod() {
    let spec = Self.spec(replicas: 3, type: "Recreate")
    let new = Rollout.Generation(name: "new", size: 0, available: 0)
    let old = Rollout.Generation(name: "old", size: 3, available: 3)
    #expect(Rollout.step(spec: spec, new: new, old: [old], oldPodsRemain: true) == ["old": 0])
    var gone = old
    gone.size = 0
    #expect(Rollout.step(spec: spec, new: new, old: [gone], oldPodsRemain: true) == [:])
    #expect(Rollout.step(spec: spec, new: new, old: [gone], oldPodsRemain: false) == ["new": 3])
  }

  @Test func aRolloutThatCannotStartKeepsTheOldPodsItMust() {
    let spec = Self.spec(replicas: 4, surge: 1, unavailable: 1)
    var new = Rollout.Generation(name: "new", size: 0, available: 0)
    var old = Rollout.Generation(name: "old", size: 4, available: 4)
    for _ in 0..<10 {
      let sizes = Rollout.step(spec: spec, new: new, old: [old], oldPodsRemain: true)
      new.size = sizes["new"] ?? new.size
      old.size = sizes["old"] ?? old.size
      old.available = old.size
    }
    #expect(old.size == 3)
    #expect(new.size == 2)
  }

  /// Any rollout, with pods that become available in any order, keeps within its limits and ends.
  @Test(arguments: 0..<200)
  func everyRolloutKeepsItsLimitsAndEnds(seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed + 1))
    let replicas = Int.random(in: 1...20, using: &generator)
    let spec = Self.spec(
      replicas: replicas, surge: JSONValue(Int.random(in: 0...5, using: &generator)),
      unavailable: JSONValue(Int.random(in: 0...5, using: &generator)))
    var new = Rollout.Generation(name: "new", size: 0, available: 0)
    var old = [Rollout.Generation(name: "a", size: replicas, available: replicas)]
    var steps = 0
    while new.available < replicas || old.contains(where: { $0.size > 0 }) {
      steps += 1
      guard steps < 1000 else {
        Issue.record("does not end: \(spec) \(new) \(old)")
        return
      }
      let sizes = Rollout.step(spec: spec, new: new, old: old, oldPodsRemain: true)
      new.size = sizes["new"] ?? new.size
      for index in old.indices {
        old[index].size = sizes[old[index].name] ?? old[index].size
        old[index].available = min(old[index].available, old[index].size)
      }
      let total = new.size + old.reduce(0) { $0 + $1.size }
      let available = new.available + old.reduce(0) { $0 + $1.available }
      #expect(total <= replicas + spec.maxSurge)
      #expect(available >= replicas - spec.maxUnavailable)
      if new.available < new.size { new.available += Int.random(in: 0...(new.size - new.available), using: &generator) }
    }
    #expect(new.size == replicas)
  }

  @Test func scalingInTheMiddleOfARolloutKeepsShares() {
    let spec = Self.spec(replicas: 20, surge: 0, unavailable: 1)
    let sizes = Rollout.rescale(
      spec: spec, new: .init(name: "new", size: 4, available: 4), old: [.init(name: "old", size: 6, available: 6)])
    #expect(sizes == ["new": 8, "old": 12])
    let down = Rollout.rescale(
      spec: Self.spec(replicas: 5, surge: 0, unavailable: 1), new: .init(name: "new", size: 4, available: 4),
      old: [.init(name: "old", size: 6, available: 6)])
    #expect(down.values.reduce(0, +) == 5)
    #expect(
      Rollout.rescale(
        spec: Self.spec(replicas: 0, surge: 2, unavailable: 1), new: .init(name: "new", size: 4, available: 4),
        old: [.init(name: "old", size: 6, available: 6)]) == ["new": 0, "old": 0])
  }
}
