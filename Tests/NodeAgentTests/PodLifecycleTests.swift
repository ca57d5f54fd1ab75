import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

@Suite(.serialized) struct PodLifecycleTests {
  @Test func aPodRunsBecomesReadyAnswersAndGoesWithoutATrace() async throws {
    try await TestNode.with { node in
      let created = try await node.create(
        "web",
        [
          "env": [
            ["name": "WHO", "value": "world"], ["name": "GREETING", "value": "hello $(WHO) $(NOBODY)"],
            ["name": "POD", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
            ["name": "IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
          ],
          "ports": [["name": "http", "containerPort": 8080]],
          "readinessProbe": ["httpGet": ["path": "/", "port": "http"]],
        ])
      let pod = try await node.wait("web", until: "ready") { $0.isReady }
      #expect(pod.status["phase"].string == "Running")
      #expect(await node.get(pod, "/env/GREETING") == "hello world $(NOBODY)")
      #expect(await node.get(pod, "/env/POD") == "web")
      #expect(await node.get(pod, "/env/IP") == pod.status["podIP"].string)
      #expect(await node.get(pod, "/file/etc/hosts")?.contains("web") == true)
      #expect(pod.containerStatus["containerID"].string?.hasPrefix("containerd://") == true)
      #expect(pod.containerStatus["imageID"].string?.contains("sha256:") == true)
      #expect(pod.status["qosClass"].string == "BestEffort")
      let after = try await node.wait("web", until: "still runs its first container") { $0.isReady }
      #expect(after.containerStatus["restartCount"].int == 0, "\(after.containerStatus)")

      try await node.delete("web")
      let left = TestEngine.mounts().filter { $0.hasPrefix(node.engine.directory) && !$0.hasSuffix("/netns") }
      #expect(left == [])
      #expect(Directory.namesIfReadable(in: "\(node.directory)/pods") == [])
      #expect(Directory.namesIfReadable(in: "\(node.directory)/logs") == [])
      #expect(!TestEngine.processes().contains { $0.contains(created.uid) })
      #expect(!TestEngine.processes().contains { $0.contains(node.engine.layout.socket) && $0.contains("shim") })
    }
  }

  @Test func configMapsAndSecretsReachTheContainerAsFilesAndVariables() async throws {
    try await TestNode.with { node in
      var map = KubernetesObject(.configMaps, namespace: "default", name: "settings")
      map["data"] = ["COLOUR": "green", "app.conf": "level=3"]
      try await node.client.create(map, as: .configMaps)
      var secret = KubernetesObject(.secrets, namespace: "default", name: "keys")
      secret["data"] = ["token": "czNjcjN0"]
      try await node.client.create(secret, as: .secrets)
      try await node.create(
        "configured",
        [
          "envFrom": [["configMapRef": ["name": "settings"]]],
          "env": [["name": "TOKEN", "valueFrom": ["secretKeyRef": ["name": "keys", "key": "token"]]]],
          "volumeMounts": [
            ["name": "settings", "mountPath": "/settings"], ["name": "keys", "mountPath": "/keys"],
            ["name": "scratch", "mountPath": "/scratch"], ["name": "scratch", "mountPath": "/part", "subPath": "a/b"],
            ["name": "settings", "mountPath": "/one.conf", "subPath": "app.conf"],
            ["name": "memory", "mountPath": "/memory"], ["name": "info", "mountPath": "/info"],
          ],
        ],
        spec: [
          "volumes": [
            ["name": "settings", "configMap": ["name": "settings"]],
            ["name": "keys", "secret": ["secretName": "keys"]],
            ["name": "scratch", "emptyDir": [:]], ["name": "memory", "emptyDir": ["medium": "Memory"]],
            [
              "name": "info",
              "downwardAPI": ["items": [["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]]]],
            ],
          ]
        ])
      let pod = try await node.wait("configured", until: "ready") { $0.isReady }
      try await eventually("it serves") { await node.get(pod, "/") == "hello" }
      #expect(await node.get(pod, "/env/COLOUR") == "green")
      #expect(await node.get(pod, "/env/TOKEN") == "s3cr3t")
      #expect(await node.get(pod, "/file/settings/app.conf") == "level=3")
      #expect(await node.get(pod, "/file/one.conf") == "level=3")
      #expect(await node.get(pod, "/file/keys/token") == "s3cr3t")
      #expect(await node.get(pod, "/file/info/labels") == "app=\"configured\"")
      #expect(await node.get(pod, "/write/part/file") == "")
      #expect(await node.get(pod, "/file/scratch/a/b/file") == "ok")
      #expect(await node.get(pod, "/write/memory/file") == "")
      #expect(await node.get(pod, "/write/keys/file") == nil, "secrets are read-only")
      try await node.delete("configured")
      #expect(TestEngine.mounts().filter { $0.hasPrefix(node.directory) } == [])
    }
  }

  @Test func aMissingConfigMapIsTheReasonOfTheWait() async throws {
    try await TestNode.with { node in
      try await node.create("lost", ["envFrom": [["configMapRef": ["name": "nowhere"]]]])
      let pod = try await node.wait("lost", until: "waits with a reason") {
        $0.containerStatus["state"]["waiting"]["reason"].string == "CreateContainerConfigError"
      }
      #expect(pod.containerStatus["state"]["waiting"]["message"].string == "configmap \"nowhere\" not found")
      try await node.delete("lost")
    }
  }

  @Test(arguments: [
    ("registry.invalid/none:1", "IfNotPresent", ["ImagePullBackOff"]),
    ("nagaya.test/absent:1", "Never", ["ErrImageNeverPull"]), ("No Such Name", "Always", ["InvalidImageName"]),
  ])
  func anImageThatCannotBeHadIsTheReasonOfTheWait(image: String, policy: String, reasons: [String]) async throws {
    try await TestNode.with { node in
      try await node.create("imageless", ["image": .string(image), "imagePullPolicy": .string(policy)])
      for reason in reasons {
        try await node.wait("imageless", until: reason) {
          $0.containerStatus["state"]["waiting"]["reason"].string == reason
            && $0.containerStatus["state"]["waiting"]["message"].string?.isEmpty == false
        }
      }
      #expect(try await node.pod("imageless").status["phase"].string == "Pending")
      try await node.delete("imageless")
    }
  }

  @Test func anImageOfTheLocalDomainIsNotLookedForElsewhereAndStartsOnceItIsLoaded() async throws {
    try await TestNode.with { node in
      let image = "\(ImagePuller.localDomain)/later:latest"
      try await node.create("unloaded", ["image": .string(image), "imagePullPolicy": "Always"])
      let waiting = try await node.wait("unloaded", until: "waits with a reason") {
        $0.containerStatus["state"]["waiting"]["message"].string != nil
      }.containerStatus["state"]["waiting"]
      #expect(waiting["reason"].string == "ImageNotFound", "not ErrImagePull first: \(waiting)")
      #expect(waiting["message"].string?.contains("nagaya image load") == true)
      let layout = node.engine.layout
      try await Command.run(
        layout.program("ctr"), ["-a", layout.socket, "-n", "k8s.io", "images", "tag", TestEngine.image, image])
      try await node.wait("unloaded", until: "runs") { $0.isReady }
      try await node.delete("unloaded")
    }
  }

  @Test func aPrivateRegistryIsAskedWithThePodsPullSecret() async throws {
    try await TestNode.with { node in
      try await PrivateRegistry.serving(archive: try await TestImage.shared.archive()) { registry in
        try await node.create("stranger", ["image": .string(registry.image)])
        let refused = try await node.wait("stranger", until: "is refused") {
          $0.containerStatus["state"]["waiting"]["reason"].string == "ErrImagePull"
        }
        #expect(
          refused.containerStatus["state"]["waiting"]["message"].string?.contains("auth") == true,
          "\(refused.containerStatus)")
        try await node.delete("stranger")
        var secret = KubernetesObject(.secrets, namespace: "default", name: "registry")
        secret["type"] = "kubernetes.io/dockerconfigjson"
        secret["data"][".dockerconfigjson"] = .string(registry.dockerConfiguration)
        try await node.client.create(secret, as: .secrets)
        try await node.create(
          "member", ["image": .string(registry.image)], spec: ["imagePullSecrets": [["name": "registry"]]])
        try await node.wait("member", until: "runs") { $0.isReady }
        try await eventually("the pull is told") {
          let events = try? await node.client.list(.events, namespace: "default").items
          let reasons = events?.filter { $0["involvedObject"]["name"].string == "member" }.map { $0["reason"].string }
          return Set(reasons ?? []).isSuperset(of: ["Pulling", "Pulled", "Started"])
        }
        try await node.delete("member")
      }
    }
  }

  @Test func aFailedContainersLogIsItsLastMessageIfItsPolicySaysSo() async throws {
    try await TestNode.with { node in
      try await node.create(
        "talkative", ["args": ["exit", "4"], "terminationMessagePolicy": "FallbackToLogsOnError"],
        spec: ["restartPolicy": "Never"])
      let pod = try await node.wait("talkative", until: "failed") { $0.status["phase"].string == "Failed" }
      #expect(pod.containerStatus["state"]["terminated"]["message"].string == "exiting with 4\n")
      try await node.delete("talkative")
    }
  }

  @Test func aContainerThatFailsIsRestartedWithGrowingDelays() async throws {
    try await TestNode.with { node in
      try await node.create("failing", ["args": ["exit", "3"]])
      let pod = try await node.wait("failing", until: "backs off after two restarts") {
        $0.containerStatus["state"]["waiting"]["reason"].string == "CrashLoopBackOff"
          && ($0.containerStatus["restartCount"].int ?? 0) >= 2
      }
      #expect(pod.containerStatus["lastState"]["terminated"]["exitCode"].int == 3)
      #expect(pod.status["phase"].string == "Running")
      #expect(try await node.log(pod, PodLogOptions(previous: true)) == "exiting with 3\n")
      try await node.delete("failing")
    }
  }

  @Test(arguments: [(0, "Succeeded", "Completed"), (4, "Failed", "Error")])
  func aPodThatRunsOnceEndsInItsPhase(code: Int, phase: String, reason: String) async throws {
    try await TestNode.with { node in
      try await node.create("once", ["args": ["exit", .string("\(code)")]], spec: ["restartPolicy": "Never"])
      let pod = try await node.wait("once", until: phase) { $0.status["phase"].string == phase }
      #expect(pod.containerStatus["state"]["terminated"]["exitCode"].int == code)
      #expect(pod.containerStatus["state"]["terminated"]["reason"].string == reason)
      #expect(try await node.log(pod) == "exiting with \(code)\n")
      try await node.delete("once")
    }
  }

  @Test func initContainersRunInOrderBeforeTheContainers() async throws {
    try await TestNode.with { node in
      let mount: JSONValue = [["name": "shared", "mountPath": "/shared"]]
      try await node.create(
        "prepared",
        ["args": ["serve"], "volumeMounts": mount],
        spec: [
          "volumes": [["name": "shared", "emptyDir": [:]]],
          "initContainers": [
            [
              "name": "first", "image": .string(TestEngine.image), "args": ["touch", "/shared/a"],
              "volumeMounts": mount,
            ],
            [
              "name": "second", "image": .string(TestEngine.image), "command": ["/box", "exit", "0"],
              "volumeMounts": mount,
            ],
          ],
        ])
      let pod = try await node.wait("prepared", until: "ready") { $0.isReady }
      let finished = pod.status["initContainerStatuses"].elements.map { $0["state"]["terminated"]["reason"].string }
      #expect(finished == ["Completed", "Completed"])
      try await eventually("the file of the first is there") { await node.get(pod, "/file/shared/a") == "" }
      try await node.delete("prepared")
    }
  }

  @Test func aContainerThatFailsItsLivenessProbeIsRestarted() async throws {
    try await TestNode.with { node in
      try await node.create(
        "stuck",
        [
          "args": ["pause"],
          "livenessProbe": [
            "exec": ["command": ["/box", "exit", "1"]], "periodSeconds": 1, "failureThreshold": 2,
          ],
        ], spec: ["terminationGracePeriodSeconds": 1])
      try await node.wait("stuck", until: "was restarted") { ($0.containerStatus["restartCount"].int ?? 0) >= 1 }
      try await node.delete("stuck")
    }
  }

  @Test(arguments: [("serve", 900), ("stubborn", 2)])
  func aDeletedPodGetsTheSignalAndThenTheKill(mode: String, grace: Int) async throws {
    try await TestNode.with { node in
      try await node.create(
        "ending", ["args": [.string(mode)]], spec: ["terminationGracePeriodSeconds": .integer(Int64(grace))])
      try await node.wait("ending", until: "runs") { $0.isReady }
      let lines = Task { try await node.log(try await node.pod("ending"), PodLogOptions(follow: true)) }
      let began = ContinuousClock.now
      try await node.delete("ending")
      let took = ContinuousClock.now - began
      #expect(mode == "stubborn" ? took > .seconds(1.5) : took < .seconds(600), "took \(took)")
      _ = await lines.result
    }
  }

  @Test func aRestartedAgentAdoptsRunningPodsAndTakesDownDeletedOnes() async throws {
    try await TestNode.withoutAgent { node in
      let ids = Mutexed<[String: String]>([:])
      try await node.withAgent { _ in
        for name in ["kept", "dropped"] {
          try await node.create(name, ["args": ["serve"], "readinessProbe": ["httpGet": ["path": "/", "port": 8080]]])
          let pod = try await node.wait(name, until: "ready") { $0.isReady }
          ids.set(name, pod.containerStatus["containerID"].string ?? "")
        }
      }
      #expect(await node.get(try await node.pod("kept"), "/") == "hello", "the pod outlives its agent")
      // Deleted without waiting for the node, so nothing but the runtime knows of it.
      try await node.client.delete(.pods, namespace: "default", name: "dropped", gracePeriodSeconds: 0)
      let dropped = try #require(ids.get("dropped")).dropFirst("containerd://".count)
      try await node.withAgent { _ in
        try await eventually("the dropped pod's container is gone") {
          let list = try? await Command.run(
            node.engine.layout.program("ctr"),
            ["-a", node.engine.layout.socket, "-n", "k8s.io", "containers", "list", "-q"])
          return list?.contains(dropped) == false
        }
        let pod = try await node.wait("kept", until: "is ready") { $0.isReady }
        #expect(pod.containerStatus["containerID"].string == ids.get("kept"))
        #expect(pod.containerStatus["restartCount"].int == 0)
        try await eventually("nothing of the dropped pod is left") {
          Directory.namesIfReadable(in: "\(node.directory)/pods") == [pod.uid]
        }
        try await node.delete("kept")
      }
    }
  }

  @Test func drainingTakesPodsDownAndKeepsTheirObjects() async throws {
    try await TestNode.withoutAgent { node in
      try await node.withAgent { agent in
        try await node.create("drained", ["args": ["serve"]])
        let pod = try await node.wait("drained", until: "ready") { $0.isReady }
        await agent.drainForShutdown()
        #expect(await node.get(pod, "/") == nil)
        #expect(Directory.namesIfReadable(in: "\(node.directory)/pods") == [])
      }
      #expect(try await node.pod("drained").isBeingDeleted == false)
      try await node.withAgent { _ in
        try await eventually("it runs again") {
          guard let pod = try? await node.pod("drained") else { return false }
          return await node.get(pod, "/") == "hello"
        }
        try await node.delete("drained")
      }
    }
  }

  @Test func theNodeIsRegisteredWithItsLeaseAndTurnsReady() async throws {
    try await TestNode.with { node in
      try await eventually("the node is ready") {
        let object = try? await node.client.getIfPresent(.nodes, name: node.name)
        return object?.isReady == true
      }
      let object = try await node.client.get(.nodes, name: node.name)
      #expect(object.labels["topology.local.nagaya.dev/node"] == node.name)
      #expect(object.status["nodeInfo"]["containerRuntimeVersion"].string?.hasPrefix("containerd://") == true)
      #expect((object.status["allocatable"]["cpu"].quantity?.value ?? 0) >= 1)
      try await eventually("there is a lease") {
        (try? await node.client.get(.leases, namespace: "kube-node-lease", name: node.name)) != nil
      }
    }
  }
}
