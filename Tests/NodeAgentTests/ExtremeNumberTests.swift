import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import NodeAgent

/// Numbers of objects at the edges of their types, in all that the node agent computes from them.
@Suite struct ExtremeNumberTests {
  static let numbers: [Int] = [.min, .min + 1, -1, 0, 1, Int(Int32.max), Int(UInt32.max), .max - 1, .max]
  static let quantities = [
    "9223372036854775807", "9223372036854775", "-9223372036854775807", "8Ei", "7Ei", "1m", "0", "-1", "9e18",
  ]

  @Test(arguments: numbers)
  func probes(number: Int) async {
    let names = ["initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"]
    for kind in [ProbeSchedule.Kind.startup, .readiness, .liveness] {
      var schedule = ProbeSchedule(
        kind, .object(Dictionary(uniqueKeysWithValues: names.map { ($0, JSONValue(number)) })))
      for answer in [true, false, true] {
        let delay = schedule.nextDelay()
        #expect(delay >= .zero && delay <= .longest)
        #expect(ContinuousClock.now + delay >= .now - .seconds(60))
        _ = schedule.record(answer)
      }
      #expect(RuntimeClient.within(schedule.timeout + .seconds(5)).timeout ?? .zero <= .seconds(30 * 86_400))
    }
    let port = Prober.port(JSONValue(number), [:])
    #expect(port == ((1...65_535).contains(number) ? number : nil))
    #expect(Prober.port(.string("\(number)"), [:]) == port)
    #expect(Prober.port("web", ["ports": [["name": "web", "containerPort": JSONValue(number)]]]) == port)
  }

  @Test(arguments: numbers)
  func hooksSleepNoLongerThanThereIsTime(number: Int) async throws {
    let prober = Prober(runtime: try RuntimeClient(socket: "/nowhere"))
    let answer = await prober.ask(
      ["sleep": ["seconds": JSONValue(number)]], container: [:], containerID: "", address: "",
      timeout: .milliseconds(1))
    #expect(answer == .success)
    for action in ["httpGet", "tcpSocket", "grpc"] where !(1...65_535).contains(number) {
      let refused = await prober.ask(
        [action: ["port": JSONValue(number)]], container: [:], containerID: "", address: "127.0.0.1",
        timeout: .milliseconds(1))
      #expect(refused == .failure("no such port"))
    }
  }

  @Test(arguments: numbers)
  func graceAndModes(number: Int) async throws {
    var pod = KubernetesObject(.pods, namespace: "default", name: "p")
    pod.spec["terminationGracePeriodSeconds"] = JSONValue(number)
    #expect((0...Int(Int32.max)).contains(pod.graceSeconds) && pod.restartGraceSeconds == pod.graceSeconds)
    pod.metadata["deletionGracePeriodSeconds"] = JSONValue(number)
    #expect(ContinuousClock.now + .seconds(pod.graceSeconds) > .now - .seconds(60))
    let contents = FileVolumeContents(
      fields: FieldReference(pod: pod, podIP: "", hostIP: "", allocatable: (.max, .max)),
      lookup: { resource, name in
        var object = KubernetesObject(resource, namespace: "default", name: name)
        object["kind"] = .string(resource.kind)
        object["data"] = ["a": "YQ=="]
        return object
      },
      tokens: PodTokens(
        pod: pod, client: KubernetesClient(KubeconfigTransport(path: "/dev/null"), userAgent: "test"), now: { .now }))
    let (mode, key) = (JSONValue(number), JSONValue.string("a"))
    let items: JSONValue = [["key": key, "path": "a", "mode": mode]]
    let fields: JSONValue = [["path": "a", "mode": mode, "fieldRef": ["fieldPath": "metadata.name"]]]
    let volumes: [JSONValue] = [
      ["configMap": ["name": "m", "defaultMode": mode]], ["secret": ["secretName": "s", "defaultMode": mode]],
      ["configMap": ["name": "m", "items": items]], ["secret": ["secretName": "s", "items": items]],
      ["downwardAPI": ["defaultMode": mode, "items": fields]], ["downwardAPI": ["items": fields]],
      [
        "projected": ["defaultMode": mode, "sources": [["secret": ["name": "s"]], ["downwardAPI": ["items": fields]]]]
      ],
    ]
    for volume in volumes {
      for file in try await contents.files(of: volume, in: "/dev/null").values { #expect(file.mode <= 0o777) }
    }
  }

  @Test(arguments: quantities, quantities)
  func resources(limit: String, request: String) throws {
    let container: JSONValue = [
      "name": "main",
      "resources": [
        "limits": ["cpu": .string(limit), "memory": .string(limit)],
        "requests": ["cpu": .string(request), "memory": .string(request)],
      ],
    ]
    var pod = KubernetesObject(.pods, namespace: "default", name: "p")
    pod.spec["containers"] = .array([container])
    for memory: Int64 in [0, 1, .max] {
      let linux = ContainerResources.linux(container, pod: pod, nodeMemoryBytes: memory)
      #expect((2...262_144).contains(linux.cpuShares) && linux.cpuQuota >= 0 && linux.memoryLimitInBytes >= 0)
      #expect((-997...1000).contains(linux.oomScoreAdj))
    }
    let fields = FieldReference(pod: pod, podIP: "", hostIP: "", allocatable: (.max, .max))
    for resource in ["limits.cpu", "requests.memory"] {
      #expect(
        try !fields.resource(["resource": .string(resource), "divisor": .string(request)], container: "main").isEmpty)
    }
  }

  @Test(arguments: numbers)
  func logs(number: Int) {
    let line = Array("2026-11-20T10:00:00.000000000Z stdout F hello\n".utf8)
    for options in [
      PodLogOptions(sinceSeconds: number), PodLogOptions(limitBytes: number), PodLogOptions(tailLines: number),
    ] {
      var filter = ContainerLogFilter(options, now: .now)
      #expect(filter.take(line).count <= 6)
    }
    #expect((0...line.count).contains(ContainerLogFilter.offset(ofLast: number, in: line)))
  }

  @Test func timesAtTheEdgeCanBeWritten() {
    for microseconds: Int64 in [.min, .min + 1, -1, 0, .max] {
      let time = Timestamp(microseconds: microseconds)
      #expect(!time.description.isEmpty && time.microTime.hasSuffix("Z"))
      #expect(time.adding(seconds: .max) >= time && time.adding(seconds: .min) <= time)
    }
    #expect(Timestamp(microseconds: -1).microTime == "1969-12-31T23:59:59.999999Z")
  }
}
