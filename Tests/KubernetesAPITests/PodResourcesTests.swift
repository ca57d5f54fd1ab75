import JSONDocument
import KubernetesAPI
import Testing

@Suite("What a pod takes together")
struct PodResourcesTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let what: String
    let spec: String
    /// Thousandths of a core.
    let requests: Int128
    var limits: Int128 = 0
    var testDescription: String { what }
  }

  private static func container(_ request: String, _ more: String = "") -> String {
    #"{"resources": {"requests": {"cpu": "\#(request)"}}\#(more)}"#
  }
  private static let sidecar = #", "restartPolicy": "Always""#

  static let cases: [Case] = [
    Case(what: "containers add up", spec: #"{"containers": [\#(container("1")), \#(container("2"))]}"#, requests: 3000),
    Case(
      what: "init containers run one after another",
      spec: #"{"initContainers": [\#(container("3")), \#(container("2"))], "containers": [\#(container("1"))]}"#,
      requests: 3000),
    Case(
      what: "sidecars run beside the containers",
      spec:
        #"{"initContainers": [\#(container("3", sidecar)), \#(container("2", sidecar))], "containers": [\#(container("1"))]}"#,
      requests: 6000),
    Case(
      what: "an init container runs beside the sidecars before it",
      spec:
        #"{"initContainers": [\#(container("3", sidecar)), \#(container("5")), \#(container("1", sidecar))], "containers": [\#(container("1"))]}"#,
      requests: 8000),
    Case(
      what: "overhead comes on top", spec: #"{"overhead": {"cpu": "250m"}, "containers": [\#(container("1"))]}"#,
      requests: 1250),
    Case(
      what: "nothing is negative",
      spec: #"{"overhead": {"cpu": "-9"}, "containers": [\#(container("1")), \#(container("-7"))]}"#, requests: 1000),
    Case(
      what: "a pod that says less than its containers takes what they take",
      spec: #"{"resources": {"requests": {"cpu": "1m"}}, "containers": [\#(container("1"))]}"#, requests: 1000),
    Case(
      what: "a pod may say more",
      spec: #"{"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "4"}}, "containers": [\#(container("1"))]}"#,
      requests: 2000, limits: 4000),
    Case(
      what: "a limit stands for the request", spec: #"{"containers": [{"resources": {"limits": {"cpu": "2"}}}]}"#,
      requests: 2000, limits: 2000),
    Case(
      what: "the largest numbers add up",
      spec: #"{"containers": [\#(container("9223372036854775807")), \#(container("9223372036854775807"))]}"#,
      requests: 2 * 9_223_372_036_854_775_807_000),
  ]

  @Test("is the sum that upstream makes", arguments: cases)
  func total(row: Case) throws {
    let spec = try JSONValue(parsing: Array(row.spec.utf8))
    #expect(PodResources.total(.requests, of: spec)["cpu"] ?? 0 == row.requests)
    #expect(PodResources.total(.limits, of: spec)["cpu"] ?? 0 == row.limits)
  }
}
