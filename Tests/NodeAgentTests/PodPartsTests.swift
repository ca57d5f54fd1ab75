import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import OCI
import Testing

@testable import NodeAgent

@Suite struct PodPartsTests {
  @Test(arguments: [
    ("plain", "plain"), ("$(A)", "1"), ("a$(A)b$(B)", "a1b2"), ("$$(A)", "$(A)"), ("$(NONE)", "$(NONE)"),
    ("$(A", "$(A"),
    ("$", "$"), ("$$", "$"), ("$A", "$A"), ("", ""), ("$($(A))", "$($(A))"),
  ])
  func referencesToKnownVariablesAreReplaced(text: String, result: String) {
    #expect(VariableExpansion.expand(text, ["A": "1", "B": "2"]) == result)
  }

  @Test func laterVariablesMayUseEarlierOnesAndReplaceThem() async throws {
    let fields = FieldReference(
      pod: KubernetesObject(.pods, namespace: "n", name: "p", labels: ["app": "x"]), podIP: "10.0.0.2",
      hostIP: "10.0.0.1",
      allocatable: (cpuMilli: 2000, memoryBytes: 1 << 30))
    let environment = try await ContainerEnvironment(
      container: [
        "name": "c",
        "env": [
          ["name": "A", "value": "1"], ["name": "B", "value": "$(A)-$(C)"], ["name": "A", "value": "3"],
          ["name": "L", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['app']"]]],
          ["name": "N", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k", "optional": true]]],
        ],
      ], fields: fields, lookup: { _, _ in nil })
    #expect(environment.values == ["A": "3", "B": "1-$(C)", "L": "x"])
    #expect(environment.ordered.map(\.name) == ["B", "A", "L"])
  }

  @Test(arguments: [("a", "Always"), ("a:latest", "Always"), ("a:1", "IfNotPresent"), ("host:5000/a", "Always")])
  func thePullPolicyFollowsTheTag(name: String, policy: String) throws {
    #expect(try ImageReference(name).defaultPullPolicy == policy)
  }

  @Test(arguments: [
    ("nagaya.local/hello:1", []), ("registry.example:5000/team/app:1", ["team", "all"]),
    ("registry.example:5000/other:1", ["all"]), ("nginx", ["docker"]), ("docker.io/team/app", ["docker"]),
  ])
  func pullSecretsAreOfferedToTheirRegistryOnly(image: String, users: [String]) throws {
    var new = KubernetesObject(.secrets, namespace: "default", name: "new")
    let configuration = """
      {"auths": {"https://registry.example:5000/team/": {"username": "team", "password": "a"},
      "registry.example:5000": {"auth": "\(Base64.encode("all:b:c".utf8))"}, "broken.example": {"auth": "?"}}}
      """
    new["data"][".dockerconfigjson"] = .string(Base64.encode(configuration.utf8))
    var old = KubernetesObject(.secrets, namespace: "default", name: "old")
    old["data"][".dockercfg"] = .string(
      Base64.encode(#"{"https://index.docker.io/v1/": {"username": "docker", "password": "d"}}"#.utf8))
    let all = ImageCredentials.all(in: [new, old])
    #expect(all.count == 3)
    let reference = try ImageReference(image)
    #expect(Set(all.filter { $0.apply(to: reference) }.map(\.user)) == Set(users))
    #expect(all.first { $0.user == "all" }?.password == "b:c")
  }

  @Test func delaysDoubleUpToTheLongest() {
    var backOff = BackOff(initial: .seconds(10), maximum: .seconds(300))
    let delays = (0..<7).map { _ in backOff.next() }
    #expect(delays == [10, 20, 40, 80, 160, 300, 300].map { .seconds($0) })
    backOff.reset()
    #expect(backOff.next() == .seconds(10))
  }

  @Test func readinessIsAskedQuicklyUntilItSucceeds() {
    var schedule = ProbeSchedule(.readiness, ["periodSeconds": 1])
    let delays = (0..<7).map { _ in schedule.nextDelay() }
    #expect(delays == [0, 50, 100, 200, 400, 800, 1000].map { .milliseconds($0) })
    #expect(schedule.record(true) == true)
    #expect(schedule.nextDelay() == .seconds(1))
  }

  @Test func aResultChangesOnlyAtItsThreshold() {
    var schedule = ProbeSchedule(.liveness, ["failureThreshold": 3, "successThreshold": 1])
    #expect(
      [true, false, false, true, false, false, false, false].map { schedule.record($0) }
        == [true, nil, nil, nil, nil, nil, false, nil])
  }

  @Test(
    arguments: [
      (0, 2), (1, 2), (100, 102), (1000, 1024), (2500, 2560),
    ] as [(Int64, Int64)])
  func cpuRequestsBecomeShares(milli: Int64, shares: Int64) {
    #expect(ContainerResources.shares(milli: milli) == shares)
  }

  @Test func publishedFilesChangeTogether() throws {
    let directory = "/tmp/nagaya-files-\(UUID().uuidString)"
    defer { try? Directory.removeTree(directory) }
    func file(_ text: String) -> PublishedFiles.File { .init(bytes: Array(text.utf8), mode: 0o640) }
    try PublishedFiles.publish(["a": file("1"), "d/b": file("2")], in: directory)
    #expect(SmallFile.text("\(directory)/a") == "1")
    #expect(SmallFile.text("\(directory)/d/b") == "2")
    try PublishedFiles.publish(["a": file("3")], in: directory)
    #expect(SmallFile.text("\(directory)/a") == "3")
    #expect(Directory.namesIfReadable(in: directory) == ["..data", "..v2", "a"])
    for path in ["../x", "../\u{301}x", "/x"] {
      #expect(throws: SystemError.self, "\(path)") { try PublishedFiles.publish([path: file("")], in: directory) }
    }
  }
}

@Suite struct PodStatusTests {
  private func builder(_ records: [ContainerRecord], policy: String = "Always", ready: Set<String> = [])
    -> PodStatusBuilder
  {
    var pod = KubernetesObject(.pods, namespace: "n", name: "p")
    pod.spec = ["restartPolicy": .string(policy), "containers": [["name": "a", "image": "i:1"]]]
    return PodStatusBuilder(
      pod: pod, hostIP: "10.0.0.1", podIP: "10.0.0.2", records: records, ready: ready, started: ready,
      now: Timestamp(seconds: 1000))
  }
  private func record(_ attempt: Int, _ state: ContainerRecord.State) -> ContainerRecord {
    ContainerRecord(id: "id\(attempt)", name: "a", attempt: attempt, sandboxID: "s", state: state)
  }
  private func exit(_ code: Int32) -> ContainerRecord.State {
    .exited(
      .init(code: code, reason: "r", message: "", started: Timestamp(seconds: 1), finished: Timestamp(seconds: 2)))
  }

  @Test func thePhaseFollowsTheContainers() {
    #expect(builder([]).phase == "Pending")
    #expect(builder([record(0, .running(since: .now))]).phase == "Running")
    #expect(builder([record(0, exit(0))]).phase == "Running", "it is restarted")
    #expect(builder([record(0, exit(0))], policy: "Never").phase == "Succeeded")
    #expect(builder([record(0, exit(1))], policy: "Never").phase == "Failed")
    #expect(builder([record(0, exit(1))], policy: "OnFailure").phase == "Running")
    #expect(builder([record(0, exit(0))], policy: "OnFailure").phase == "Succeeded")
  }

  @Test func readinessNeedsARunningContainerWhoseProbeSucceeds() {
    let running = record(1, .running(since: Timestamp(seconds: 5)))
    #expect(builder([running]).status["containerStatuses"][0]["ready"].bool == false)
    let status = builder([record(0, exit(3)), running], ready: ["id1"]).status
    #expect(status["containerStatuses"][0]["ready"].bool == true)
    #expect(status["containerStatuses"][0]["restartCount"].int == 1)
    #expect(status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"].int == 3)
    #expect(status["conditions"].elements.first { $0["type"].string == "Ready" }?["status"].string == "True")
  }
}
