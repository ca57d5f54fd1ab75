import Applications
import JSONDocument
import KubernetesAPI
import Testing

@Suite("Why an application is not ready")
struct DiagnosisTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let reason: String
    let words: String
    var pod: JSONValue?
    var conditions: JSONValue = []
    var testDescription: String { reason }
  }

  static let now = Timestamp(seconds: 1_000_000)
  private static func waiting(_ reason: String, _ message: String) -> JSONValue {
    ["containerStatuses": [["state": ["waiting": ["reason": .string(reason), "message": .string(message)]]]]]
  }
  private static func running(secondsAgo: Int64) -> JSONValue {
    [
      "containerStatuses": [
        ["state": ["running": ["startedAt": .string(Timestamp(seconds: now.seconds - secondsAgo).description)]]]
      ]
    ]
  }

  static let cases: [Case] = [
    Case(reason: "ImageNotFound", words: "nagaya.local/hello:1", pod: waiting("ErrImagePull", "manifest unknown")),
    Case(
      reason: "ImageNotFound", words: "load it with nagaya image load FILE",
      pod: waiting("ImageNotFound", "image is not on this node: load it with nagaya image load FILE")),
    Case(reason: "ErrImagePull", words: "timeout", pod: waiting("ErrImagePull", "i/o timeout")),
    Case(reason: "ImagePullBackOff", words: "cannot be pulled", pod: waiting("ImagePullBackOff", "denied")),
    Case(
      reason: "CrashLoop", words: "exit code 1, 3 restarts: nagaya logs app web -n demo-dev",
      pod: [
        "containerStatuses": [
          [
            "restartCount": 3, "state": ["waiting": ["reason": "CrashLoopBackOff"]],
            "lastState": ["terminated": ["exitCode": 1]],
          ]
        ]
      ]),
    Case(
      reason: "CrashLoop", words: "out of memory, 1 restart",
      pod: [
        "containerStatuses": [
          ["restartCount": 1, "state": ["terminated": ["exitCode": 137, "reason": "OOMKilled"]]]
        ]
      ]),
    Case(reason: "PortNotOpen", words: "port 8080", pod: running(secondsAgo: 11)),
    Case(reason: "Progressing", words: "0 of 1", pod: running(secondsAgo: 2)),
    Case(
      reason: "Unschedulable", words: "Insufficient cpu",
      pod: [
        "conditions": [
          [
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes: Insufficient cpu",
          ]
        ]
      ]),
    Case(
      reason: "QuotaExceeded", words: "exceeded quota",
      conditions: [["type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: exceeded quota: q"]]),
  ]

  @Test("is told in a word and a sentence", arguments: cases)
  func reasons(example: Case) {
    var surroundings = ApplicationSurroundings()
    var deployment = KubernetesObject(.deployments, namespace: "demo-dev", name: "web")
    deployment.spec["replicas"] = 1
    deployment.status["conditions"] = example.conditions
    surroundings.deployment = deployment
    if let status = example.pod {
      var pod = KubernetesObject(.pods, namespace: "demo-dev", name: "web-1")
      pod.status = status
      surroundings.pods = [pod]
    }
    let diagnosis = ApplicationDiagnosis(
      Application(makeApplication()), surroundings, refusals: [], now: Self.now)
    #expect(diagnosis.problem?.reason.rawValue == example.reason)
    #expect(diagnosis.problem?.message.contains(example.words) == true, "\(diagnosis.problem?.message ?? "")")
    if example.reason == "Progressing" { #expect(diagnosis.lookAgainAfter == .seconds(8)) }
  }

  @Test("a volume that nothing can hold names what was asked and what there is")
  func tooLarge() {
    var surroundings = ApplicationSurroundings()
    surroundings.deployment = KubernetesObject(.deployments, namespace: "demo-dev", name: "web")
    var claim = KubernetesObject(
      .persistentVolumeClaims, namespace: "demo-dev", name: "web-data", labels: ["app.nagaya.dev/volume": "data"])
    claim.spec = ["storageClassName": "nagaya-local", "resources": ["requests": ["storage": "100Gi"]]]
    claim.status["phase"] = "Pending"
    surroundings.claims = [claim]
    var capacity = KubernetesObject(.csiStorageCapacities, namespace: "nagaya-system", name: "c")
    capacity["storageClassName"] = "nagaya-local"
    capacity["capacity"] = "3Gi"
    surroundings.capacities = [capacity]
    let application = Application(makeApplication())
    let problem = ApplicationDiagnosis(application, surroundings, refusals: [], now: Self.now).problem
    #expect(problem?.reason == .volumeTooLarge)
    #expect(problem?.message.contains("100Gi") == true && problem?.message.contains("3Gi") == true)
    capacity["capacity"] = "200Gi"
    surroundings.capacities = [capacity]
    #expect(
      ApplicationDiagnosis(application, surroundings, refusals: [], now: Self.now).problem?.reason == .progressing)
  }
}
