import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@testable import nagaya

/// The API server with the roles and rules that `nagaya up` gives it.
@Suite("The guard of tenants")
struct TenantGuardTests {
  static let robot = UserInfo.serviceAccount(namespace: "demo-dev", name: "robot")

  /// `demo-dev` is a tenant's, `system` is not; the robot is an admin of both.
  static func withServer(_ body: @Sendable (APIServer) async throws -> Void) async throws {
    let gate = Gate()
    let server = try await APIServer.inMemory(
      authorizer: { gate.authorizer(over: $0) }, admission: { [TenantGuard(objects: $0)] })
    let client = server.client(as: .component("tenancy"))
    for object in DefaultRoles.objects {
      try await client.create(object, as: object.kind == "ClusterRole" ? .clusterRoles : .clusterRoleBindings)
    }
    try await client.create(
      KubernetesObject(.namespaces, name: "demo-dev", labels: ["nagaya.dev/tenant": "demo"]), as: .namespaces)
    try await client.create(KubernetesObject(.namespaces, name: "system"), as: .namespaces)
    for namespace in ["demo-dev", "system"] {
      var binding = KubernetesObject(.roleBindings, namespace: namespace, name: "robot")
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"]
      binding["subjects"] = [["kind": "ServiceAccount", "namespace": "demo-dev", "name": "robot"]]
      try await client.create(binding, as: .roleBindings)
    }
    try await body(server)
  }

  static func pod(_ spec: String, in namespace: String = "demo-dev") throws -> KubernetesObject {
    let text = spec.contains("containers:") ? spec : "\(spec)containers: [{name: a, image: i}]"
    var pod = KubernetesObject(.pods, namespace: namespace, name: "p")
    pod.spec = try #require(try YAML.parseAll("{\(text)}").first)
    return pod
  }

  static func workload(_ resource: Resource, _ pod: KubernetesObject) -> KubernetesObject {
    var workload = KubernetesObject(resource, namespace: pod.namespace, name: "w")
    workload.spec = [
      "selector": ["matchLabels": ["a": "b"]],
      "template": ["metadata": ["labels": ["a": "b"]], "spec": pod.spec],
    ]
    return workload
  }

  static let refused: [(spec: String, field: String)] = [
    ("hostNetwork: true, ", "hostNetwork"), ("hostPID: true, ", "hostPID"), ("hostIPC: true, ", "hostIPC"),
    ("volumes: [{name: root, hostPath: {path: /}}], ", "volumes[0].hostPath"),
    ("nodeName: n, ", "nodeName"), ("priorityClassName: system-node-critical, ", "priorityClassName"),
    ("priority: 2000001000, ", "priority"),
    ("securityContext: {sysctls: [{name: kernel.msgmax, value: \"1\"}]}, ", "securityContext.sysctls[0].name"),
    ("securityContext: {seccompProfile: {type: Unconfined}}, ", "securityContext.seccompProfile.type"),
    (
      "containers: [{name: a, image: i, securityContext: {privileged: true}}]",
      "containers[0].securityContext.privileged"
    ),
    (
      "initContainers: [{name: b, image: i, securityContext: {privileged: true}}], containers: [{name: a, image: i}]",
      "initContainers[0].securityContext.privileged"
    ),
    (
      "containers: [{name: a, image: i, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]",
      "containers[0].securityContext.capabilities.add[0]"
    ),
    (
      "containers: [{name: a, image: i, securityContext: {procMount: Unmasked}}]",
      "containers[0].securityContext.procMount"
    ),
    (
      "containers: [{name: a, image: i, ports: [{containerPort: 80, hostPort: 80}]}]", "containers[0].ports[0].hostPort"
    ),
    (
      "containers: [{name: a, image: i, livenessProbe: {httpGet: {port: 80, host: 127.0.0.1}}}]",
      "containers[0].livenessProbe.httpGet.host"
    ),
    (
      "ephemeralContainers: [{name: b, image: i}], containers: [{name: a, image: i}]", "ephemeralContainers"
    ),
    (
      "volumes: [{name: v, emptyDir: {}}], containers: [{name: a, image: i, volumeDevices: [{name: v, devicePath: /dev/x}]}]",
      "containers[0].volumeDevices[0].name"
    ),
  ]

  @Test("refuses a tenant's admin the node, in pods and in templates of pods", arguments: refused)
  func refusals(spec: String, field: String) async throws {
    try await Self.withServer { server in
      let client = server.client(as: Self.robot)
      let pod = try Self.pod(spec)
      for (object, resource, place) in [
        (pod, Resource.pods, "spec"), (Self.workload(.deployments, pod), .deployments, "spec.template.spec"),
        (Self.workload(.replicaSets, pod), .replicaSets, "spec.template.spec"),
      ] {
        let refusal = await #expect(throws: APIStatus.self) { try await client.create(object, as: resource) }
        #expect(refusal?.causes.map(\.field) == ["\(place).\(field)"], "\(refusal?.message ?? "")")
        #expect(try await client.list(resource, namespace: "demo-dev").items.isEmpty)
      }
    }
  }

  @Test("refuses a controller what a user could not do, and lets administrators and other namespaces be")
  func identities() async throws {
    try await Self.withServer { server in
      let bad = try Self.pod("hostPID: true, ")
      await #expect(throws: APIStatus.self) {
        try await server.client(as: .component("controllers")).create(bad, as: .pods)
      }
      try await server.client(as: Self.robot).create(Self.pod("hostPID: true, ", in: "system"), as: .pods)
      let root = UserInfo(name: "root", groups: [UserInfo.mastersGroup])
      try await server.client(as: root).create(bad, as: .pods)
      // What an administrator made keeps its node and its status, but nobody else may say what it runs.
      let robot = server.client(as: Self.robot)
      try await robot.patch(.pods, namespace: "demo-dev", name: "p", ["metadata": ["labels": ["x": "y"]]])
      await #expect(throws: APIStatus.self) {
        try await robot.patch(
          .pods, namespace: "demo-dev", name: "p", ["spec": ["activeDeadlineSeconds": 5, "nodeName": "n"]])
      }
      await #expect(throws: APIStatus.self) {
        try await robot.patch(
          .pods, namespace: "demo-dev", name: "p", ["spec": ["containers": [["name": "a", "image": "mine"]]]])
      }
    }
  }

  @Test("lets a tenant's admin run what needs nothing of the node")
  func plain() async throws {
    try await Self.withServer { server in
      let client = server.client(as: Self.robot)
      let pod = try Self.pod("securityContext: {runAsUser: 0}, volumes: [{name: v, emptyDir: {}}], ")
      try await client.create(pod, as: .pods)
      try await client.create(Self.workload(.deployments, pod), as: .deployments)
      // A patch is judged as the whole that it makes.
      let refusal = await #expect(throws: APIStatus.self) {
        try await client.patch(
          .deployments, namespace: "demo-dev", name: "w", ["spec": ["template": ["spec": ["hostPID": true]]]])
      }
      #expect(refusal?.reason == .forbidden)
      #expect(refusal?.message.contains("spec.template.spec.hostPID: Forbidden: must be left out") == true)
    }
  }
}
