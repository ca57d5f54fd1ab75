import APIServer
import JSONDocument
// guide: controller
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle
import TestSupport
import Testing

/// Rings bells that have not rung yet, and says so in their status.
struct DoorbellController: Service {
  /// What it may ask the API for: `PartRightsTests` shows that each right is needed, and that no other is.
  static let role = PartRole(
    "system:nagaya:doorbells",
    [
      .init("example.nagaya.dev", ["doorbells"], ["list", "watch"]),
      .init("example.nagaya.dev", ["doorbells/status"], ["update"]),
    ])

  private let bells: Informer
  private let controller: Controller<ObjectKey>

  init(_ client: KubernetesClient, logger: Logger) {
    let bells = Informer(client, .doorbells, logger: logger)
    self.bells = bells
    controller = Controller(name: "doorbells", of: bells, logger: logger) { key in
      // What is in the cache may be older than what was written: a conflict leads here again.
      guard let bell = bells.cache.get(key), !bell.isBeingDeleted, bell.status["rung"].isNull else { return .done }
      var rung = bell
      rung.status["rung"] = 1
      try await client.applyStatus(rung, as: .doorbells, existing: bell)
      return .done
    }
  }

  func run() async throws { try await ServiceSet([bells, controller]).run() }
}
// end

/// docs/extending.md, followed.
@Suite(.timeLimit(.minutes(15))) struct AddingAController {
  @Test func `a controller does its work, with its own rights, and writes nothing when nothing changed`() async throws {
    try await APIServer.withInMemory(registry: .withDoorbells) { server in
      let (client, role) = (server.client(), DoorbellController.role)
      try await client.create(role.object, as: .clusterRoles)
      var binding = KubernetesObject(.clusterRoleBindings, name: role.name)
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role.name)]
      binding["subjects"] = [["apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bells"]]
      try await client.create(binding, as: .clusterRoleBindings)
      let own = KubernetesClient(
        InProcessTransport(server, as: UserInfo(name: "bells", groups: ["system:authenticated"])), userAgent: "test")
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await DoorbellController(own, logger: Logger(label: "test")).run() }
        var bell = KubernetesObject(.doorbells, namespace: "default", name: "front")
        bell.spec = ["door": "front"]
        try await client.create(bell, as: .doorbells)
        try await eventually("it rang") {
          try await client.get(.doorbells, namespace: "default", name: "front").status["rung"] == 1
        }
        let version = try await client.get(.doorbells, namespace: "default", name: "front").resourceVersion
        var labelled = KubernetesObject(.doorbells, namespace: "default", name: "back")
        labelled.spec = ["door": "back"]
        try await client.create(labelled, as: .doorbells)
        try await eventually("the other rang") {
          try await client.get(.doorbells, namespace: "default", name: "back").status["rung"] == 1
        }
        #expect(try await client.get(.doorbells, namespace: "default", name: "front").resourceVersion == version)
        group.cancelAll()
      }
    }
  }
}
