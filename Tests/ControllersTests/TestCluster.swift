import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import Controllers

/// A real API server in memory with the built-in controllers, for one test.
struct TestCluster: Sendable {
  let server: APIServer
  let client: KubernetesClient
  let controllers: BuiltInControllers

  /// - Parameters:
  ///   - nodes: pods are put on this node and become ready, as a node agent would do; `nil`: they stay pending.
  static func run(
    node: String? = "a", caCertificate: String? = nil, nodeGracePeriod: Duration = .seconds(40),
    _ body: @escaping @Sendable (TestCluster) async throws -> Void
  ) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .error
    let quiet = logger
    try await APIServer.withInMemory(registry: .standard, logger: quiet, namespaces: ["default", "demo"]) { server in
      let client = server.client()
      if let node { try await client.create(readyNode(node), as: .nodes) }
      let controllers = BuiltInControllers(
        client: client, logger: quiet, trust: TrustBundle(caCertificate),
        namespacedResources: ResourceRegistry.standard.definitions.map(\.resource).filter(\.isNamespaced),
        nodeGracePeriod: nodeGracePeriod)
      let tokens = ServiceAccountTokenController(client, trust: TrustBundle(caCertificate), logger: quiet) {
        "\($0.name) of \($1) \($2)"
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await controllers.run() }
        group.addTask { try await tokens.run() }
        if let node {
          let agent = FakeNodeAgent(client, node: node, pods: controllers.informers.pods, logger: quiet)
          group.addTask { try await agent.run() }
        }
        for informer in controllers.informers.all { try await informer.waitUntilSynced() }
        try await body(TestCluster(server: server, client: client, controllers: controllers))
        group.cancelAll()
      }
    }
  }

  static func readyNode(_ name: String) -> KubernetesObject {
    var node = KubernetesObject(.nodes, name: name, labels: ["kubernetes.io/hostname": name])
    node.status["allocatable"] = ["cpu": "4", "memory": "8Gi", "pods": "110"]
    node.status["conditions"] = [["type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""]]
    return node
  }

  static func deployment(_ name: String, replicas: Int, image: String) throws -> KubernetesObject {
    KubernetesObject(
      json: try JSONValue(
        parsing: """
          {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"\(name)","namespace":"demo"},"spec":{
          "replicas":\(replicas),"selector":{"matchLabels":{"app":"\(name)"}},"template":{
          "metadata":{"labels":{"app":"\(name)"}},"spec":{"containers":[{"name":"main","image":"\(image)",
          "ports":[{"name":"http","containerPort":8080}]}]}}}}
          """.utf8))
  }

  func pods(app: String) async throws -> [KubernetesObject] {
    try await client.list(.pods, namespace: "demo", labels: LabelSelector(matchLabels: ["app": app])).items
  }

  func replicaSets(app: String) async throws -> [KubernetesObject] {
    try await client.list(.replicaSets, namespace: "demo", labels: LabelSelector(matchLabels: ["app": app])).items
  }

  /// The rollout is over, as `kubectl rollout status` judges.
  func isRolledOut(_ name: String) async throws -> Bool {
    let deployment = try await client.get(.deployments, namespace: "demo", name: name)
    let status = deployment.status
    let wanted = deployment.spec["replicas"].int ?? 1
    return status["observedGeneration"].int == deployment.generation && (status["updatedReplicas"].int ?? 0) == wanted
      && (status["replicas"].int ?? 0) == wanted && (status["availableReplicas"].int ?? 0) == wanted
      && deployment.condition("Progressing")?["reason"].string == "NewReplicaSetAvailable"
  }

  func setImage(of name: String, to image: String) async throws {
    try await client.patch(
      .deployments, namespace: "demo", name: name,
      [["op": "replace", "path": "/spec/template/spec/containers/0/image", "value": .string(image)]], type: .json)
  }
}

/// Makes pods run as a node agent would: binds those without a node, makes them ready, ends those being deleted.
struct FakeNodeAgent: Service {
  private let controller: Controller<ObjectKey>

  init(_ client: KubernetesClient, node: String, pods: Informer, logger: Logger) {
    let addresses = Mutex(1)
    controller = Controller(name: "fake-node-agent", of: pods, logger: logger) { key in
      guard var pod = pods.cache.get(key) else { return .done }
      if pod.isBeingDeleted {
        try? await client.delete(.pods, namespace: key.namespace, name: key.name, gracePeriodSeconds: 0)
        return .done
      }
      guard !pod.isReadyPod, !pod.isTerminatedPod, pod.spec["containers"][0]["image"].string != "broken" else {
        return .done
      }
      if (pod.spec["nodeName"].string ?? "").isEmpty {
        let binding: JSONValue = [
          "apiVersion": "v1", "kind": "Binding", "metadata": ["name": .string(key.name)],
          "target": ["kind": "Node", "name": .string(node)],
        ]
        _ = try await client.bytes(
          APIRequest(
            .post, Resource.pods.path(namespace: key.namespace, name: key.name, subresource: "binding"),
            contentType: "application/json", body: binding.encoded()))
        return .done
      }
      let address = addresses.withLock { next in
        next += 1
        return next
      }
      pod.status["phase"] = "Running"
      pod.status["podIP"] = .string("10.0.0.\(address % 250)")
      pod.setCondition(Condition("Ready", .yes, reason: "Running"))
      try await client.updateStatus(pod, as: .pods)
      return .done
    }
  }

  func run() async throws { try await controller.run() }
}

/// Waits until a condition holds; an object that is not there yet is a condition that does not hold yet.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  try await TestSupport.eventually(what) {
    do { return try await condition() } catch let status as APIStatus where status.isNotFound { return false }
  }
}
