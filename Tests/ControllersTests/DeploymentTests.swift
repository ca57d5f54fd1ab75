import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import Controllers

@Suite(.timeLimit(.minutes(10)))
struct DeploymentTests {
  @Test func aDeploymentBecomesAReplicaSetAndReadyPods() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 3, image: "v1"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      let pods = try await cluster.pods(app: "web")
      let sets = try await cluster.replicaSets(app: "web")
      #expect(pods.count == 3)
      #expect(sets.count == 1)
      #expect(pods.allSatisfy { $0.controller?.name == sets.first?.name })
      let hash = try #require(sets.first?.labels["pod-template-hash"])
      #expect(pods.allSatisfy { $0.labels["pod-template-hash"] == hash })
      #expect(sets.first?.annotations[DeploymentAnnotations.revision] == "1")
      let deployment = try await cluster.client.get(.deployments, namespace: "demo", name: "web")
      #expect(deployment.annotations[DeploymentAnnotations.revision] == "1")
      #expect(deployment.isConditionTrue("Available"))
      #expect(deployment.status["readyReplicas"].int == 3)
    }
  }

  @Test func everyScalingIsToldAndNothingElse() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("idle", replicas: 0, image: "v1"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("idle") }
      try await cluster.client.patch(.deployments, namespace: "demo", name: "idle", ["spec": ["replicas": 2]])
      try await eventually("scaled up") { try await cluster.isRolledOut("idle") }
      try await cluster.client.patch(.deployments, namespace: "demo", name: "idle", ["spec": ["replicas": 1]])
      try await eventually("scaled down") { try await cluster.isRolledOut("idle") }
      let name = try #require(try await cluster.replicaSets(app: "idle").first?.name)
      let wanted = ["Scaled up replica set \(name) from 0 to 2", "Scaled down replica set \(name) from 2 to 1"]
      try await eventually("told") {
        let events = try await cluster.client.list(.events, namespace: "demo").items
        let messages = events.filter { $0["reason"].string == "ScalingReplicaSet" }.compactMap { $0["message"].string }
        return messages.sorted() == wanted.sorted()
      }
    }
  }

  @Test func aSettledClusterWritesNothing() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 2, image: "v1"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      try await settle(cluster)
      let before = try await cluster.client.list(.namespaces).resourceVersion
      // A change that asks for nothing makes every controller look again.
      for resource in [Resource.deployments, .replicaSets] {
        for object in try await cluster.client.list(resource, namespace: "demo").items {
          try await cluster.client.patch(
            resource, namespace: "demo", name: object.name, ["metadata": ["annotations": ["looked": "yes"]]])
        }
      }
      try await settle(cluster)
      let after = try await cluster.client.list(.namespaces).resourceVersion
      // Two patches of ours, and the annotation that the set takes over from its Deployment is there already.
      #expect((Int(after) ?? 0) - (Int(before) ?? 0) == 2)
    }
  }

  @Test func aTemplateThatLostItsEmptyMembersIsTheSame() async throws {
    try await TestCluster.run { cluster in
      var deployment = try TestCluster.deployment("web", replicas: 1, image: "a")
      deployment.spec["template"]["spec"]["volumes"] = []
      deployment.spec["template"]["spec"]["containers"] = [
        ["name": "main", "image": "a", "volumeMounts": [], "env": [["name": "EMPTY", "value": ""]]]
      ]
      try await cluster.client.create(deployment, as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      let first = try #require(try await cluster.replicaSets(app: "web").first)
      // As a client in Go writes it back, for `kubectl rollout undo`.
      var read = try await cluster.client.get(.deployments, namespace: "demo", name: "web")
      read.spec["template"]["spec"].remove("volumes")
      read.spec["template"]["spec"]["containers"] = [["name": "main", "image": "a", "env": [["name": "EMPTY"]]]]
      let written = try await cluster.client.update(read, as: .deployments)
      try await eventually("seen") {
        try await cluster.client.get(.deployments, namespace: "demo", name: "web").status["observedGeneration"].int
          == written.generation
      }
      #expect(try await cluster.replicaSets(app: "web").map(\.uid) == [first.uid])
    }
  }

  @Test func aSetThatMayNotHavePodsSaysSoOnceAndTriesMoreAndMoreRarely() async throws {
    try await TestCluster.run { cluster in
      var quota = KubernetesObject(.resourceQuotas, namespace: "demo", name: "none")
      quota.spec = ["hard": ["pods": "0"]]
      try await cluster.client.create(quota, as: .resourceQuotas)
      try await cluster.client.create(TestCluster.deployment("web", replicas: 1, image: "a"), as: .deployments)
      func told() async throws -> [KubernetesObject] {
        try await cluster.client.list(.events, namespace: "demo").items.filter { $0["reason"].string == "FailedCreate" }
      }
      try await eventually("refused") {
        try await cluster.replicaSets(app: "web").first?.isConditionTrue("ReplicaFailure") == true
      }
      try await settle(cluster)
      let before = try #require(try await cluster.replicaSets(app: "web").first)
      let message = try #require(before.condition("ReplicaFailure")?["message"].string)
      #expect(message.hasPrefix("pods \"\(before.name)-\" is forbidden: exceeded quota"), "\(message)")
      let tries = try await told().map { $0["count"].int ?? 1 }.reduce(0, +)
      try await eventually("tried again") { try await told().map { $0["count"].int ?? 1 }.reduce(0, +) > tries }
      // One refusal, one event that counts, and no write of the set.
      #expect(try await told().count == 1)
      #expect(try await cluster.replicaSets(app: "web").first?.resourceVersion == before.resourceVersion)
    }
  }

  @Test func aRolloutReplacesAllPodsAndARollbackBringsTheOldSetBack() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 3, image: "a"), as: .deployments)
      try await eventually("a rolled out") { try await cluster.isRolledOut("web") }
      let first = try #require(try await cluster.replicaSets(app: "web").first)
      try await cluster.setImage(of: "web", to: "b")
      try await eventually("b rolled out") { try await cluster.isRolledOut("web") }
      var pods = try await cluster.pods(app: "web").filter { !$0.isBeingDeleted }
      #expect(pods.allSatisfy { $0.spec["containers"][0]["image"].string == "b" })
      try await cluster.setImage(of: "web", to: "a")
      try await eventually("a rolled out again") { try await cluster.isRolledOut("web") }
      pods = try await cluster.pods(app: "web").filter { !$0.isBeingDeleted }
      #expect(pods.count == 3)
      #expect(pods.allSatisfy { $0.controller?.uid == first.uid })
      let sets = try await cluster.replicaSets(app: "web")
      #expect(sets.count == 2)
      let again = try #require(sets.first { $0.uid == first.uid })
      #expect(again.annotations[DeploymentAnnotations.revision] == "3")
      #expect(again.annotations[DeploymentAnnotations.revisionHistory] == "1")
    }
  }

  @Test func aBrokenRolloutKeepsTheOldPodsServing() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 4, image: "a"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      try await cluster.setImage(of: "web", to: "broken")
      try await eventually("the new set has grown as far as it may") {
        try await cluster.pods(app: "web").filter { !$0.isBeingDeleted }.count == 5
      }
      try await settle(cluster)
      let ready = try await cluster.pods(app: "web").filter { $0.isReadyPod && !$0.isBeingDeleted }
      #expect(ready.count == 3)
      #expect(ready.allSatisfy { $0.spec["containers"][0]["image"].string == "a" })
    }
  }

  @Test func scalingUpAndDownFollowsTheReplicas() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 1, image: "a"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      for replicas in [7, 2, 0] {
        try await cluster.client.patch(
          .deployments, namespace: "demo", name: "web", ["spec": ["replicas": JSONValue(replicas)]])
        try await eventually("\(replicas) replicas") {
          let isRolledOut = try await cluster.isRolledOut("web")
          let pods = try await cluster.pods(app: "web")
          return isRolledOut && pods.count == replicas
        }
      }
      #expect(try await cluster.replicaSets(app: "web").count == 1)
    }
  }

  @Test func recreateNeverMixesTemplates() async throws {
    try await TestCluster.run { cluster in
      var deployment = try TestCluster.deployment("web", replicas: 2, image: "a")
      deployment.spec["strategy"] = ["type": "Recreate"]
      try await cluster.client.create(deployment, as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      try await cluster.setImage(of: "web", to: "b")
      try await eventually("rolled out again") {
        let images = Set(try await cluster.pods(app: "web").map { $0.spec["containers"][0]["image"].string })
        #expect(images.count <= 1)
        return try await cluster.isRolledOut("web")
      }
    }
  }

  @Test func aPausedDeploymentDoesNotRollOutUntilResumed() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 1, image: "a"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      try await cluster.client.patch(.deployments, namespace: "demo", name: "web", ["spec": ["paused": true]])
      try await cluster.setImage(of: "web", to: "b")
      try await eventually("seen") {
        let deployment = try await cluster.client.get(.deployments, namespace: "demo", name: "web")
        return deployment.status["observedGeneration"].int == deployment.generation
      }
      try await settle(cluster)
      #expect(try await cluster.replicaSets(app: "web").count == 1)
      try await cluster.client.patch(.deployments, namespace: "demo", name: "web", ["spec": ["paused": false]])
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      #expect(try await cluster.replicaSets(app: "web").count == 2)
    }
  }

  @Test func oldRevisionsBeyondTheLimitAreDeleted() async throws {
    try await TestCluster.run { cluster in
      var deployment = try TestCluster.deployment("web", replicas: 1, image: "v0")
      deployment.spec["revisionHistoryLimit"] = 2
      try await cluster.client.create(deployment, as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      for version in 1...4 {
        try await cluster.setImage(of: "web", to: "v\(version)")
        try await eventually("v\(version) rolled out") { try await cluster.isRolledOut("web") }
      }
      try await eventually("three sets left") { try await cluster.replicaSets(app: "web").count == 3 }
      let revisions = try await cluster.replicaSets(app: "web").map(DeploymentReconciler.revision).sorted()
      #expect(revisions == [3, 4, 5])
    }
  }

  @Test func aDeletedPodIsReplacedAndAMatchingOrphanIsAdopted() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 2, image: "a"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      let victim = try #require(try await cluster.pods(app: "web").first)
      try await cluster.client.delete(.pods, namespace: "demo", name: victim.name)
      try await eventually("replaced") {
        let pods = try await cluster.pods(app: "web")
        return pods.count == 2 && pods.allSatisfy { $0.uid != victim.uid && $0.isReadyPod }
      }
      // Let go by its labels: another takes its place, and it lives on alone.
      let freed = try #require(try await cluster.pods(app: "web").first)
      try await cluster.client.patch(
        .pods, namespace: "demo", name: freed.name, ["metadata": ["labels": ["app": "other"]]])
      try await eventually("released and replaced") {
        let pod = try await cluster.client.get(.pods, namespace: "demo", name: freed.name)
        let pods = try await cluster.pods(app: "web")
        return pod.controller == nil && pods.count == 2
      }
      // Back again: adopted, and one too many, so one goes.
      try await cluster.client.patch(
        .pods, namespace: "demo", name: freed.name, ["metadata": ["labels": ["app": "web"]]])
      try await eventually("adopted, back to two") {
        let pods = try await cluster.pods(app: "web")
        return pods.count == 2 && pods.allSatisfy { $0.controller != nil }
      }
    }
  }
}

/// Waits until no commit has been made for a while of 40 looks.
func settle(_ cluster: TestCluster) async throws {
  var last = -1
  var quiet = 0
  try await eventually("quiet") {
    let commits = cluster.server.counters.writes
    quiet = commits == last ? quiet + 1 : 0
    last = commits
    return quiet >= 40
  }
}
