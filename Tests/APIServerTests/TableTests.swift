import APIServer
import JSONDocument
import KubernetesAPI
import Testing

@Suite("Tables")
struct TableTests {
  static func cells(_ resource: Resource, _ text: String) throws -> [String: JSONValue] {
    let definition = try KindsTests.definition(resource)
    let object = KubernetesObject(json: try #require(try YAML.parseAll(text).first))
    return Dictionary(definition.columns.map { ($0.name, $0.value(object)) }, uniquingKeysWith: { first, _ in first })
  }

  @Test(
    "say about pods what kubectl says",
    arguments: [
      ("{phase: Pending}", "0/2", "Pending", "0"),
      (
        "{phase: Running, containerStatuses: [{name: a, ready: true, restartCount: 0, state: {running: {}}}, {name: b, ready: true, restartCount: 1, state: {running: {}}}]}",
        "2/2", "Running", "1"
      ),
      (
        "{phase: Running, containerStatuses: [{name: a, ready: false, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}}]}",
        "0/2", "CrashLoopBackOff", "3"
      ),
      (
        "{phase: Succeeded, containerStatuses: [{name: a, state: {terminated: {reason: Completed, exitCode: 0}}}]}",
        "0/2", "Completed", "0"
      ),
      ("{phase: Failed, containerStatuses: [{name: a, state: {terminated: {exitCode: 3}}}]}", "0/2", "ExitCode:3", "0"),
      (
        "{phase: Pending, initContainerStatuses: [{name: i, state: {waiting: {reason: PodInitializing}}}]}", "0/2",
        "Init:0/1", "0"
      ),
      (
        "{phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {reason: Error, exitCode: 1}}}]}",
        "0/2", "Init:Error", "0"
      ),
      ("{phase: Failed, reason: Evicted}", "0/2", "Evicted", "0"),
    ])
  func pods(_ status: String, _ ready: String, _ state: String, _ restarts: String) throws {
    let cells = try Self.cells(
      .pods,
      "{metadata: {name: p}, spec: {initContainers: [{name: i}], containers: [{name: a}, {name: b}]}, status: \(status)}"
    )
    #expect(cells["Ready"]?.string == ready)
    #expect(cells["Status"]?.string == state)
    #expect(cells["Restarts"]?.string == restarts)
    #expect(cells["Node"]?.string == "<none>")
  }

  @Test(
    "have the columns that users know",
    arguments: [
      (Resource.pods, ["Name", "Ready", "Status", "Restarts", "Age"]),
      (.deployments, ["Name", "Ready", "Up-to-date", "Available", "Age"]),
      (.nodes, ["Name", "Status", "Roles", "Age", "Version"]),
      (.applications, ["Name", "Endpoint", "Ready", "Reason", "Age"]),
      (.tenants, ["Name", "Environments", "Ready", "Reason", "Age"]),
      (.nodePolicies, ["Name", "Order", "Mode", "Tenants", "OnError", "Age"]),
      (.volumePools, ["Name", "Node", "Pool", "Capacity", "Free", "Volumes", "Age"]),
      (.secrets, ["Name", "Type", "Data", "Age"]),
      (.events, ["Last Seen", "Type", "Reason", "Object", "Message"]),
      (.services, ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"]),
    ])
  func columns(_ resource: Resource, _ names: [String]) throws {
    #expect(try KindsTests.definition(resource).columns.filter { $0.priority == 0 }.map(\.name) == names)
  }

  @Test("show pools and classes in a readable way")
  func cells() throws {
    let pool = try Self.cells(
      .volumePools,
      "{metadata: {name: n-p}, spec: {nodeName: n, pool: p}, status: {capacityBytes: 10737418240, freeBytes: 1610612736, volumes: 2}}"
    )
    #expect(pool["Capacity"] == "10Gi" && pool["Free"] == "1.5Gi" && pool["Volumes"] == 2)
    let storage = try Self.cells(
      .storageClasses,
      "{metadata: {name: c, annotations: {storageclass.kubernetes.io/is-default-class: \"true\"}}, provisioner: x}")
    #expect(storage["Name"] == "c (default)")
  }

  @Test(
    "are whole documents, piece by piece",
    arguments: [
      (TableRenderer.IncludedObject.none, JSONValue.null), (.metadata, "PartialObjectMetadata"), (.object, "ConfigMap"),
    ])
  func documents(_ included: TableRenderer.IncludedObject, _ kind: JSONValue) throws {
    let renderer = TableRenderer(try KindsTests.definition(.configMaps))
    let bytes = Array(
      #"{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"name":"c","resourceVersion":"7"}}"#.utf8)
    let table = try JSONValue(parsing: try renderer.document(of: bytes, including: included))
    #expect(table["kind"] == "Table" && table["metadata"]["resourceVersion"] == "7")
    #expect(table["columnDefinitions"].elements.count == table["rows"][0]["cells"].elements.count)
    #expect(table["rows"][0]["object"]["kind"] == kind)
    let list =
      renderer.prefix + [UInt8(ascii: "]")].dropLast() + renderer.suffix(resourceVersion: "9", next: "t", remaining: 3)
    let empty = try JSONValue(parsing: list)
    #expect(empty["metadata"] == ["resourceVersion": "9", "continue": "t", "remainingItemCount": 3])
  }

  @Test(
    "and other forms are asked for by Accept",
    arguments: [
      (nil, false, nil), ("application/json", false, nil), ("*/*", false, nil), ("application/yaml", true, nil),
      ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", false, "Table"),
      ("application/json;as=Table;v=v9;g=meta.k8s.io, application/json", false, nil),
      ("application/vnd.kubernetes.protobuf,application/json;q=0.5", false, nil),
      ("application/json;q=0.1,application/yaml;q=0.9", true, nil),
    ] as [(String?, Bool, String?)])
  func accept(_ header: String?, _ isYAML: Bool, _ form: String?) throws {
    let answer = try #require(AcceptHeader(header).json(forms: ["meta.k8s.io/v1/Table"]))
    #expect(answer.isYAML == isYAML && answer.form == form)
  }

  @Test(
    "but not in forms that nobody has",
    arguments: [
      "application/vnd.kubernetes.protobuf", "text/html", "application/json;q=0",
      "application/json;as=Chart;v=v1;g=meta.k8s.io",
    ])
  func notAcceptable(_ header: String) {
    #expect(AcceptHeader(header).json(forms: ["meta.k8s.io/v1/Table"]) == nil)
  }
}
