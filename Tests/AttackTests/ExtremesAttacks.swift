import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import TestSupport
import Testing

/// An editor's numbers against the platform's start: what is stored is read again at every start.
@Suite("Attacks by numbers that are stored")
struct ExtremesAttacks {
  struct Case: Sendable, CustomTestStringConvertible {
    let way: String
    let resource: Resource
    let body: String
    /// The field that must be named in the refusal; `nil`: the value is allowed, and must do no harm.
    let refused: String?

    init(_ way: String, _ resource: Resource, _ body: String, refused: String?) {
      (self.way, self.resource, self.body, self.refused) = (way, resource, body, refused)
    }
    var testDescription: String { way }
  }

  static func deployment(_ spec: String, pod: String = "", container: String = "") -> String {
    let template =
      #"{"metadata":{"labels":{"a":"b"}},"spec":{\#(pod)"containers":[{\#(container)"name":"c","image":"a/b:1"}]}}"#
    return #"{"metadata":{"name":"x"},"spec":{\#(spec)"selector":{"matchLabels":{"a":"b"}},"template":\#(template)}}"#
  }

  static func pod(_ spec: String = "", container: String = "") -> String {
    #"{"metadata":{"name":"x"},"spec":{\#(spec)"containers":[{\#(container)"name":"c","image":"a/b:1"}]}}"#
  }

  static let largest = "9223372036854775807"
  static let cases: [Case] = [
    Case(
      "maxSurge of 2^63 - 1", .deployments,
      deployment(#""strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":\#(largest)}},"#),
      refused: "spec.strategy.rollingUpdate.maxSurge"),
    Case(
      "maxUnavailable of 2^63 - 1", .deployments,
      deployment(#""strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":\#(largest)}},"#),
      refused: "spec.strategy.rollingUpdate.maxUnavailable"),
    Case(
      "maxSurge of 2^63 - 1 percent", .deployments,
      deployment(#""strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"\#(largest)%"}},"#), refused: nil),
    Case("replicas of 2^63 - 1", .deployments, deployment(#""replicas":\#(largest),"#), refused: "spec.replicas"),
    Case("replicas of -1", .deployments, deployment(#""replicas":-1,"#), refused: "spec.replicas"),
    Case(
      "minReadySeconds of -1", .deployments, deployment(#""minReadySeconds":-1,"#), refused: "spec.minReadySeconds"),
    Case(
      "revisionHistoryLimit of -2^31", .deployments, deployment(#""revisionHistoryLimit":-2147483648,"#),
      refused: "spec.revisionHistoryLimit"),
    Case(
      "progressDeadlineSeconds of 1e15", .deployments, deployment(#""progressDeadlineSeconds":1e15,"#),
      refused: "spec.progressDeadlineSeconds"),
    Case(
      "defaultMode of -1", .pods, pod(#""volumes":[{"name":"v","secret":{"secretName":"s","defaultMode":-1}}],"#),
      refused: "spec.volumes[0].secret.defaultMode"),
    Case(
      "mode of 0o7777", .pods,
      pod(#""volumes":[{"name":"v","configMap":{"name":"s","items":[{"key":"a","path":"a","mode":4095}]}}],"#),
      refused: "spec.volumes[0].configMap.items[0].mode"),
    Case(
      "terminationGracePeriodSeconds of 2^63 - 1", .pods, pod(#""terminationGracePeriodSeconds":\#(largest),"#),
      refused: nil),
    Case(
      "terminationGracePeriodSeconds of -1", .pods, pod(#""terminationGracePeriodSeconds":-1,"#),
      refused: "spec.terminationGracePeriodSeconds"),
    Case(
      "activeDeadlineSeconds of 2^63 - 1", .pods, pod(#""activeDeadlineSeconds":\#(largest),"#),
      refused: "spec.activeDeadlineSeconds"),
    Case(
      "a postStart sleep of 2^63 - 1 s", .pods,
      pod(container: #""lifecycle":{"postStart":{"sleep":{"seconds":\#(largest)}}},"#),
      refused: "spec.containers[0].lifecycle.postStart.sleep"),
    Case(
      "a probe's periodSeconds of -2^31", .pods,
      pod(container: #""livenessProbe":{"tcpSocket":{"port":1},"periodSeconds":-2147483648},"#),
      refused: "spec.containers[0].livenessProbe.periodSeconds"),
    Case(
      "a probe's grace period of 0", .pods,
      pod(container: #""livenessProbe":{"tcpSocket":{"port":1},"terminationGracePeriodSeconds":0},"#),
      refused: "spec.containers[0].livenessProbe.terminationGracePeriodSeconds"),
    Case(
      "a cpu limit of 2^63 / 1000 beside a request of 1m", .pods,
      pod(container: #""resources":{"limits":{"cpu":"9223372036854775"},"requests":{"cpu":"1m"}},"#), refused: nil),
    Case(
      "a memory limit of -1", .pods, pod(container: #""resources":{"limits":{"memory":"-1"}},"#),
      refused: "spec.containers[0].resources.limits[memory]"),
    Case(
      "requests above limits by a thousandth", .pods,
      pod(container: #""resources":{"limits":{"cpu":"1"},"requests":{"cpu":"1001m"}},"#),
      refused: "spec.containers[0].resources.requests"),
    Case(
      "a host port of 70000", .pods, pod(container: #""ports":[{"containerPort":1,"hostPort":70000}],"#),
      refused: "spec.containers[0].ports[0].hostPort"),
    Case(
      "a user of 2^63 - 1", .pods, pod(#""securityContext":{"runAsUser":\#(largest)},"#),
      refused: "spec.securityContext.runAsUser"),
    Case(
      "a group of -1", .pods, pod(#""securityContext":{"fsGroup":-1},"#), refused: "spec.securityContext.fsGroup"),
    Case(
      "tolerationSeconds of -2^63", .pods,
      pod(
        #""tolerations":[{"operator":"Exists","effect":"NoExecute","tolerationSeconds":-9223372036854775808}],"#),
      refused: nil),
    Case(
      "an affinity's weight of 2^31 - 1", .pods,
      pod(
        #""affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":2147483647,"preference":{}}]}},"#
      ),
      refused:
        "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight"),
    Case(
      "a claim of 2^63 bytes and more", .persistentVolumeClaims,
      #"{"metadata":{"name":"x"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"99Ei"}}}}"#,
      refused: nil),
    Case(
      "a claim of -1 bytes", .persistentVolumeClaims,
      #"{"metadata":{"name":"x"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"-1"}}}}"#,
      refused: "spec.resources[storage]"),
    Case(
      "a service's port of 0", .services, #"{"metadata":{"name":"x"},"spec":{"ports":[{"port":0}]}}"#,
      refused: "spec.ports[0].port"),
    Case(
      "an app's port of 2^31 - 1", .applications,
      #"{"metadata":{"name":"x"},"spec":{"image":"a/b:1","port":2147483647}}"#, refused: "spec.port"),
    Case(
      "a volume of 1e308 bytes", .applications,
      #"{"metadata":{"name":"x"},"spec":{"image":"a/b:1","volumes":[{"name":"d","mountPath":"/d","size":1e308}]}}"#,
      refused: nil),
  ]

  @Test("a number ends no start", arguments: cases)
  func numbers(_ test: Case) async throws {
    let held = try await attempt(Attack(.editor, test.way, on: .platformStart)) {
      let store = MemoryObjectStore()
      let outcome = try await Self.answer(test, store)
      guard case .held = outcome else { return outcome }
      // What was taken is there after a start, and can be deleted.
      let again = try await APIServer(store: store, registry: .standard, logger: Logger(label: "attacks"))
      let client = again.client()
      for object in try await client.list(test.resource).items {
        try await client.delete(test.resource, namespace: object.namespace, name: object.name)
      }
      return outcome
    }
    #expect(held)
  }

  private static func answer(_ test: Case, _ store: MemoryObjectStore) async throws -> AttackOutcome {
    let server = try await APIServer(store: store, registry: .standard, logger: Logger(label: "attacks"))
    try await server.client().create(KubernetesObject(.namespaces, name: "green-dev"), as: .namespaces)
    let answer = await server.respond(
      to: APIRequest(
        .post, test.resource.path(namespace: "green-dev"), contentType: "application/json", body: Array(test.body.utf8)),
      from: .component("test"))
    let text = String(decoding: try await answer.body.collect(), as: UTF8.self)
    guard let field = test.refused else { return .check(answer.status == 201, "\(answer.status): \(text)") }
    return .check(answer.status == 422 && text.contains(field), "\(answer.status): \(text)")
  }
}
