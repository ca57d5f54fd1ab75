import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Empties namespaces that are being deleted, then lets them go.
public struct NamespaceController: Service {
  private let controller: Controller<ObjectKey>

  /// - Parameter resources: the kinds to empty; `nil`: whatever the server says it serves.
  public init(
    _ client: KubernetesClient, informers: SharedInformers, resources: [Resource]? = nil, logger: Logger
  ) {
    let reconciler = NamespaceReconciler(
      get: { informers.namespaces.cache.get($0) },
      resources: {
        if let resources { return resources }
        return try await Discovery.namespacedResources(of: client)
      }, client: client)
    controller = Controller(name: "namespace", workers: 4, of: informers.namespaces, logger: logger) {
      try await reconciler.reconcile($0)
    }
  }

  public func run() async throws { try await controller.run() }
}

/// One reconcile of one namespace.
struct NamespaceReconciler: Sendable {
  let get: @Sendable (ObjectKey) -> KubernetesObject?
  /// Every namespaced kind.
  let resources: @Sendable () async throws -> [Resource]
  let client: KubernetesClient

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard var namespace = get(key), namespace.isBeingDeleted else { return .done }
    let finalizers = namespace.spec["finalizers"].elements
    guard finalizers.contains("kubernetes") else { return .done }
    var left: [String] = []
    for resource in try await resources() {
      do {
        var page = try await client.listPage(resource, namespace: namespace.name, limit: 1)
        if page.items.isEmpty { continue }
        try await deleteAll(resource, in: namespace.name)
        page = try await client.listPage(resource, namespace: namespace.name, limit: 1)
        if !page.items.isEmpty { left.append(resource.qualifiedPlural) }
      } catch let status as APIStatus where status.isNotFound || status.reason == .methodNotAllowed {
        continue  // a kind that cannot be listed, or that is no longer served
      }
    }
    guard left.isEmpty else {
      // Grace periods and finalizers of the contents: their ends are events of many kinds, so this looks again.
      try await report(left, on: namespace)
      return .requeueAfter(.milliseconds(300))
    }
    namespace.spec["finalizers"] = .array(finalizers.filter { $0 != "kubernetes" })
    do {
      _ = try await client.json(
        APIRequest(
          .put, Resource.namespaces.path(name: namespace.name, subresource: "finalize"),
          contentType: "application/json", body: namespace.json.encoded()))
    } catch let status as APIStatus where status.isNotFound { return .done }
    return .done
  }

  private func deleteAll(_ resource: Resource, in namespace: String) async throws {
    var options: JSONValue = ["apiVersion": "v1", "kind": "DeleteOptions"]
    options["propagationPolicy"] = "Background"
    _ = try await client.bytes(
      APIRequest(
        .delete, resource.path(namespace: namespace), contentType: "application/json", body: options.encoded()))
  }

  /// Says in the status what the deletion waits for.
  private func report(_ left: [String], on namespace: KubernetesObject) async throws {
    var changed = namespace
    changed.setCondition(
      Condition(
        "NamespaceContentRemaining", .yes, reason: "SomeResourcesRemain",
        message: "Some resources are remaining: \(left.joined(separator: ", "))"))
    do { try await client.applyStatus(changed, as: .namespaces, existing: namespace) } catch let status as APIStatus
      where status.isNotFound || status.isConflict
    { return }
  }
}
