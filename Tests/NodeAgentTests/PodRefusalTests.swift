import CRI
import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

/// What the node agent does not do for a pod, or ever less often.
@Suite(.serialized) struct PodRefusalTests {
  @Test func aProgramThatIsMissingIsNamedAndTriedEverLessOften() async throws {
    try await TestNode.with { node in
      let client = try RuntimeClient(socket: node.engine.layout.socket)
      try await withThrowingTaskGroup(of: Duration?.self) { group in
        group.addTask {
          try? await client.run()
          return nil
        }
        // The time between the first and the third container that is made: 1 and 2 seconds of back-off lie between.
        group.addTask {
          try await client.runtime.getContainerEvents(Runtime_V1_GetEventsRequest()) { response in
            var first: ContinuousClock.Instant?
            var made: Set<String> = []
            for try await event in response.messages
            where event.containerEventType == .containerCreatedEvent
              && event.containerID != event.podSandboxStatus.id && made.insert(event.containerID).inserted
            {
              if first == nil { first = .now }
              if made.count == 3, let first { return .now - first }
            }
            return nil
          }
        }
        try await node.create("nosuch", ["command": ["/nosuch"]])
        try await node.wait("nosuch", until: "the program is named") {
          let waiting = $0.containerStatus["state"]["waiting"]
          return waiting["reason"].string == "RunContainerError"
            && waiting["message"].string == "the program /nosuch is not in the image"
        }
        let spread = try #require(try await group.next() ?? nil)
        #expect(spread > .milliseconds(2500))
        group.cancelAll()
        while await group.nextResult() != nil {}
      }
      try await node.delete("nosuch")
    }
  }

  @Test func aContainerThatMustNotBeRootIsNotStartedAsRoot() async throws {
    try await TestNode.with { node in
      try await node.create("rooted", ["securityContext": ["runAsNonRoot": true]])
      let pod = try await node.wait("rooted", until: "it is refused") {
        $0.containerStatus["state"]["waiting"]["reason"].string == "CreateContainerConfigError"
      }
      #expect(pod.containerStatus["state"]["waiting"]["message"].string?.contains("the image runs as root") == true)
      try await node.create(
        "user", ["args": ["whoami"], "securityContext": ["runAsNonRoot": true, "runAsUser": 1234]],
        spec: ["restartPolicy": "Never"])
      let user = try await node.wait("user", until: "ended") { $0.status["phase"].string == "Succeeded" }
      #expect(try await node.log(user).contains("uid 1234"))
      try await node.delete("rooted")
      try await node.delete("user")
    }
  }

  @Test(
    arguments: [
      (JSONValue.null, 0, "", true), (.null, 1234, "", false), (.null, nil, "", true), (.null, nil, "app", true),
      (JSONValue(7), nil, "app", false), (JSONValue(0), 1234, "", true),
    ] as [(JSONValue, Int64?, String, Bool)])
  func nobodyIsRootWhoMustNotBe(runAsUser: JSONValue, imageUser: Int64?, name: String, isRefused: Bool) throws {
    var pod = KubernetesObject(.pods, namespace: "n", name: "p")
    pod.spec["securityContext"] = ["runAsNonRoot": true]
    if !runAsUser.isNull { pod.spec["securityContext"]["runAsUser"] = runAsUser }
    let demand = try #require(NonRootDemand(container: ["name": "c"], pod: pod))
    var refusal: PodProblem?
    do { try demand.check(imageUser: imageUser, imageUserName: name) } catch { refusal = error }
    #expect((refusal != nil) == isRefused, "\(refusal?.message ?? "accepted")")
    #expect(NonRootDemand(container: ["securityContext": ["runAsNonRoot": false]], pod: pod) == nil)
  }

  @Test(arguments: [
    (
      #"failed to create shim task: OCI runtime create failed: exec: "/a b": stat /a b: no such file or directory"#,
      "the program /a b is not in the image"
    ),
    (#"runc: exec: "x": executable file not found in $PATH: unknown"#, "the program x is not in the image"),
    (
      #"exec: "/etc": is a directory"#,
      "the program /etc may not be run: the image has no executable file of this name"
    ),
    ("no space left on device", "no space left on device"), (#"exec: "cut"#, #"exec: "cut"#),
  ])
  func whatTheRuntimeSaysIsMadeReadable(message: String, text: String) {
    #expect(StartRefusal.readable(message) == text)
  }

  @Test func onlyClaimedVolumesBecomeDevices() async throws {
    var pod = KubernetesObject(.pods, namespace: "n", name: "p")
    pod.spec["volumes"] = [
      ["name": "disk", "hostPath": ["path": "/dev/null"]],
      ["name": "claimed", "persistentVolumeClaim": ["claimName": "c"]],
    ]
    let configurations = PodConfigurations(
      pod: pod, node: NodeFacts(name: "n", address: "", memoryBytes: 1, cpuMilli: 1, directory: "/tmp"))
    let environment = try await ContainerEnvironment(
      container: [:], fields: FieldReference(pod: pod, podIP: "", hostIP: "", allocatable: (1, 1)),
      lookup: { _, _ in nil })
    func devices(_ name: String) throws -> [Runtime_V1_Device] {
      try configurations.container(
        ["name": "c", "volumeDevices": [["name": .string(name), "devicePath": "/dev/x"]]], attempt: 0, imageID: "i",
        environment: environment, hostPaths: ["disk": "/dev/null", "claimed": "/dev/null"]
      ).devices
    }
    #expect(try devices("claimed").map(\.containerPath) == ["/dev/x"])
    let refusal = #expect(throws: PodProblem.self) { try devices("disk") }
    #expect(refusal?.message.contains("claims only") == true)
  }

  @Test func aPodThatTakesMoreScratchSpaceThanItMayIsEvicted() async throws {
    try await TestNode.with { node in
      try await node.create(
        "greedy", ["args": ["serve"], "volumeMounts": [["name": "scratch", "mountPath": "/scratch"]]],
        spec: ["volumes": [["name": "scratch", "emptyDir": ["sizeLimit": "1Ki"]]]])
      let pod = try await node.wait("greedy", until: "ready") { $0.isReady }
      try await eventually("it serves") { await node.get(pod, "/") == "hello" }
      #expect(await node.get(pod, "/write/scratch/block") == "")
      let evicted = try await node.wait("greedy", until: "evicted") { $0.status["phase"].string == "Failed" }
      #expect(evicted.status["reason"].string == "Evicted")
      #expect(evicted.status["message"].string == "Usage of EmptyDir volume \"scratch\" exceeds the limit \"1Ki\".")
      let scratch = "\(node.directory)/pods/\(pod.uid)/volumes/empty"
      try await eventually("its scratch space is given back") { !FileStatus.exists(scratch) }
      try await eventually("it does not serve") { await node.get(pod, "/") == nil }
      try await node.delete("greedy")
    }
  }
}
