import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import Controllers

@Suite(.timeLimit(.minutes(10)))
struct ClusterControllersTests {
  @Test func aDeletedNamespaceTakesEverythingWithIt() async throws {
    try await TestCluster.run { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 2, image: "a"), as: .deployments)
      var map = KubernetesObject(.configMaps, namespace: "demo", name: "settings")
      map["data"] = ["a": "b"]
      try await cluster.client.create(map, as: .configMaps)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      try await cluster.client.delete(.namespaces, name: "demo")
      try await eventually("gone") {
        try await cluster.client.getIfPresent(.namespaces, name: "demo") == nil
      }
      for resource in [Resource.pods, .replicaSets, .deployments, .configMaps, .serviceAccounts] {
        #expect(try await cluster.client.list(resource, namespace: "demo").items.isEmpty)
      }
    }
  }

  @Test func aServiceGetsTheAddressesOfItsReadyPods() async throws {
    try await TestCluster.run { cluster in
      var service = KubernetesObject(.services, namespace: "demo", name: "web")
      service.spec = ["selector": ["app": "web"], "ports": [["name": "http", "port": 80, "targetPort": "http"]]]
      try await cluster.client.create(service, as: .services)
      try await cluster.client.create(TestCluster.deployment("web", replicas: 2, image: "a"), as: .deployments)
      try await eventually("two ready endpoints") {
        let slices = try await cluster.client.list(
          .endpointSlices, namespace: "demo", labels: LabelSelector(matchLabels: ["kubernetes.io/service-name": "web"])
        ).items
        return slices.count == 1
          && slices[0]["endpoints"].elements.count { $0["conditions"]["ready"].bool == true } == 2
      }
      let slice = try #require(try await cluster.client.list(.endpointSlices, namespace: "demo").items.first)
      #expect(slice["ports"][0]["port"].int == 8080)
      #expect(slice["endpoints"][0]["nodeName"].string == "a")
      #expect(slice.controller?.kind == "Service")
      try await cluster.client.patch(.deployments, namespace: "demo", name: "web", ["spec": ["replicas": 0]])
      try await eventually("no endpoints") {
        let left = try await cluster.client.list(.endpointSlices, namespace: "demo").items
        return left.count == 1 && left[0]["endpoints"].elements.isEmpty
      }
      try await cluster.client.delete(.services, namespace: "demo", name: "web")
      try await eventually("no slice") {
        try await cluster.client.list(.endpointSlices, namespace: "demo").items.isEmpty
      }
    }
  }

  @Test func everyNamespaceHasItsAccountAndTheCA() async throws {
    try await TestCluster.run(caCertificate: "PEM") { cluster in
      try await eventually("the account") {
        try await cluster.client.get(.serviceAccounts, namespace: "demo", name: "default").name == "default"
      }
      try await eventually("the CA") {
        try await cluster.client.get(.configMaps, namespace: "demo", name: "kube-root-ca.crt")["data"]["ca.crt"]
          == "PEM"
      }
      try await cluster.client.delete(.serviceAccounts, namespace: "demo", name: "default")
      try await eventually("it comes back") {
        try await cluster.client.get(.serviceAccounts, namespace: "demo", name: "default").name == "default"
      }
    }
  }

  @Test func aTokenSecretIsFilledAndGoesWithItsAccount() async throws {
    try await TestCluster.run(caCertificate: "PEM") { cluster in
      try await cluster.client.create(
        KubernetesObject(.serviceAccounts, namespace: "demo", name: "robot"), as: .serviceAccounts)
      var secret = KubernetesObject(.secrets, namespace: "demo", name: "robot-token")
      secret["type"] = .string(ServiceAccountTokenController.secretType)
      secret.annotations = [ServiceAccountTokenController.nameAnnotation: "robot"]
      // Whoever writes the Secret has no say in the token.
      secret["stringData"]["token"] = "password"
      try await cluster.client.create(secret, as: .secrets)
      try await eventually("filled") {
        let filled = try await cluster.client.get(.secrets, namespace: "demo", name: "robot-token")
        let uid = try await cluster.client.get(.serviceAccounts, namespace: "demo", name: "robot").uid
        return filled["data"]["token"].string == Base64.encode("robot-token of robot \(uid)".utf8)
      }
      let filled = try await cluster.client.get(.secrets, namespace: "demo", name: "robot-token")
      #expect(filled["data"]["ca.crt"].string == Base64.encode("PEM".utf8))
      try await cluster.client.delete(.serviceAccounts, namespace: "demo", name: "robot")
      try await eventually("gone with the account") {
        try await cluster.client.getIfPresent(.secrets, namespace: "demo", name: "robot-token") == nil
      }
    }
  }

  @Test func `what could not be heard while the API was away does not count against a node`() async throws {
    let heartbeats = Heartbeats()
    let node = KubernetesObject(.nodes, name: "a")
    #expect(heartbeats.silence(of: node, lease: nil) < .seconds(60))
    let back = ContinuousClock.now
    heartbeats.excuse()
    #expect(heartbeats.silence(of: node, lease: nil) <= back.duration(to: .now))
  }

  @Test func aSilentNodeIsTaintedAndItsPodsAreNotReady() async throws {
    try await TestCluster.run(nodeGracePeriod: .seconds(2)) { cluster in
      try await cluster.client.create(TestCluster.deployment("web", replicas: 1, image: "broken"), as: .deployments)
      try await eventually("unknown") {
        let node = try await cluster.client.get(.nodes, name: "a")
        return node.condition("Ready")?["status"].string == "Unknown"
          && node.spec["taints"].elements.contains { $0["key"].string == NodeLifecycleController.unreachableTaint }
      }
      // It is silent again soon: on a busy machine somebody has to look while it is not.
      try await eventually("back") {
        var node = try await cluster.client.get(.nodes, name: "a")
        if node.condition("Ready")?["status"].string != "True" {
          node.setCondition(Condition("Ready", .yes, reason: "KubeletReady"))
          // The controller may have been faster.
          _ = try? await cluster.client.updateStatus(node, as: .nodes)
        }
        return try await cluster.client.get(.nodes, name: "a").spec["taints"].elements.isEmpty
      }
    }
  }

  @Test func podsOfAGoneNodeAreRemovedAndReplaced() async throws {
    try await TestCluster.run { cluster in
      var pod = KubernetesObject(.pods, namespace: "demo", name: "lost")
      pod.spec = ["nodeName": "ghost", "containers": [["name": "main", "image": "broken"]]]
      try await cluster.client.create(pod, as: .pods)
      try await eventually("removed") {
        try await cluster.client.getIfPresent(.pods, namespace: "demo", name: "lost") == nil
      }
    }
  }

  @Test func aCreateThatTheCacheDoesNotShowYetIsNotRepeated() {
    let expectations = Expectations()
    let owner = ObjectKey(namespace: "n", name: "set")
    #expect(expectations.areMet(for: owner))
    expectations.expectCreation(of: "a", by: owner)
    expectations.expectDeletion(of: "uid", by: owner)
    #expect(!expectations.areMet(for: owner))
    expectations.created("a", by: owner)
    #expect(!expectations.areMet(for: owner))
    expectations.deleted("uid", by: owner)
    #expect(expectations.areMet(for: owner))
  }

  @Test(arguments: [
    ("2026-11-22T10:00:00Z", true), ("2026-11-22T10:00:01Z", false), ("2026-11-22T12:00:00Z", false),
  ])
  func eventsExpireAnHourAfterTheirLastOccurrence(last: String, isExpired: Bool) throws {
    var event = KubernetesObject(.events, namespace: "n", name: "e")
    event["lastTimestamp"] = .string(last)
    let now = try #require(Timestamp("2026-11-22T11:00:00Z"))
    #expect(EventExpiry.isExpired(event, lifetimeSeconds: 3600, now: now) == isExpired)
  }

  @Test func theLeastUsefulPodsGoFirst() {
    func pod(_ name: String, node: String = "a", phase: String = "Running", ready: Bool = true, cost: String? = nil)
      -> KubernetesObject
    {
      var pod = KubernetesObject(.pods, namespace: "n", name: name)
      pod.spec["nodeName"] = .string(node)
      pod.status["phase"] = .string(phase)
      if ready { pod.setCondition(Condition("Ready", .yes, reason: "r"), now: Timestamp(seconds: 100)) }
      if let cost { pod.annotations = ["controller.kubernetes.io/pod-deletion-cost": cost] }
      return pod
    }
    let pods = [
      pod("cheap", cost: "-5"), pod("ready"), pod("unready", ready: false),
      pod("pending", phase: "Pending", ready: false), pod("unassigned", node: "", phase: "Pending", ready: false),
    ]
    #expect(
      ReplicaSetPlan.victims(pods).map(\.name) == ["unassigned", "pending", "unready", "cheap", "ready"])
  }

  private static func podWithScratch(_ name: String) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: "demo", name: name)
    pod.spec = [
      "containers": [["name": "main", "image": "a"]],
      "volumes": [
        [
          "name": "scratch",
          "ephemeral": [
            "volumeClaimTemplate": [
              "metadata": ["labels": ["kind": "scratch"], "annotations": ["note": "x"]],
              "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
            ]
          ],
        ]
      ],
    ]
    return pod
  }

  @Test func anEphemeralVolumeIsMadeForItsPodAndGoesWithIt() async throws {
    try await TestCluster.run { cluster in
      let pod = try await cluster.client.create(Self.podWithScratch("web"), as: .pods)
      try await eventually("its claim") {
        try await cluster.client.get(.persistentVolumeClaims, namespace: "demo", name: "web-scratch").name != ""
      }
      let claim = try await cluster.client.get(.persistentVolumeClaims, namespace: "demo", name: "web-scratch")
      #expect(pod.owns(ephemeralClaim: claim) && claim.labels == ["kind": "scratch"])
      #expect(claim.annotations["note"] == "x" && claim.spec["resources"]["requests"]["storage"] == "1Gi")
      // Somebody deletes it: the pod gets another one.
      try await cluster.client.delete(.persistentVolumeClaims, namespace: "demo", name: "web-scratch")
      try await eventually("another one") {
        try await cluster.client.get(.persistentVolumeClaims, namespace: "demo", name: "web-scratch").uid != claim.uid
      }
      try await cluster.client.delete(.pods, namespace: "demo", name: "web", gracePeriodSeconds: 0)
      try await eventually("none") {
        try await cluster.client.getIfPresent(.persistentVolumeClaims, namespace: "demo", name: "web-scratch") == nil
      }
    }
  }

  @Test func aClaimInTheWayOfAnEphemeralVolumeStaysSomebodyElses() async throws {
    try await TestCluster.run { cluster in
      var theirs = KubernetesObject(.persistentVolumeClaims, namespace: "demo", name: "web-scratch")
      theirs.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "2Gi"]]]
      try await cluster.client.create(theirs, as: .persistentVolumeClaims)
      let pod = try await cluster.client.create(Self.podWithScratch("web"), as: .pods)
      try await eventually("the pod is told") {
        try await cluster.client.list(.events, namespace: "demo").items.contains {
          $0["reason"] == "FailedBinding" && $0["involvedObject"]["uid"].string == pod.uid
            && $0["message"].string?.contains("pod is not owner") == true
        }
      }
      let claim = try await cluster.client.get(.persistentVolumeClaims, namespace: "demo", name: "web-scratch")
      #expect(claim.ownerReferences.isEmpty && claim.spec["resources"]["requests"]["storage"] == "2Gi")
      try await cluster.client.delete(.persistentVolumeClaims, namespace: "demo", name: "web-scratch")
      try await eventually("it is told apart, and the pod gets its own") {
        let own = try await cluster.client.get(.persistentVolumeClaims, namespace: "demo", name: "web-scratch")
        return pod.owns(ephemeralClaim: own)
      }
    }
  }
}
