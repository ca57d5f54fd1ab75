import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Keeps the namespaces, role bindings and quotas of tenants as the Tenants say, and writes only what differs.
///
/// A namespace is never deleted because an environment was taken out of the list: it stays the tenant's, its members
/// and quota are kept in step, and the condition tells of it. Deleting a Tenant deletes its namespaces only if they
/// hold no Applications and no volume claims, or if that was confirmed (`Tenant.confirmDeletionAnnotation`).
public final class TenantController: Service, Sendable {
  private let client: KubernetesClient
  private let logger: Logger
  private let tenants: Informer
  private let namespaces: Informer
  private let bindings: Informer
  private let quotas: Informer
  private let limitRanges: Informer
  private let applications: Informer
  private let claims: Informer

  /// Namespaces by tenant.
  static let byTenant = CacheIndex("tenant") { object in object.labels[Tenant.label].map { [$0] } ?? [] }

  private let defaults: TenantDefaults

  /// - Parameter defaults: what new tenants get.
  public init(client: KubernetesClient, defaults: TenantDefaults = .none, logger: Logger) {
    self.client = client
    self.defaults = defaults
    self.logger = logger
    let managed = LabelSelector(matchLabels: DesiredEnvironment.managedLabels)
    tenants = Informer(client, .tenants, logger: logger)
    namespaces = Informer(client, .namespaces, indexes: [Self.byTenant], logger: logger)
    bindings = Informer(client, .roleBindings, labels: managed, logger: logger)
    quotas = Informer(client, .resourceQuotas, labels: managed, logger: logger)
    limitRanges = Informer(client, .limitRanges, labels: managed, logger: logger)
    applications = Informer(client, .applications, logger: logger)
    claims = Informer(client, .persistentVolumeClaims, logger: logger)
  }

  public func run() async throws {
    let controller = Controller<ObjectKey>(
      name: "tenant", workers: 4, of: tenants,
      waitingFor: [namespaces, bindings, quotas, limitRanges, applications, claims],
      logger: logger
    ) { try await self.reconcile($0) }
    let (tenants, namespaces) = (tenants.cache, namespaces.cache)
    controller.watch(self.namespaces) { namespace in
      if let tenant = namespace.labels[Tenant.label] { return [ObjectKey(name: tenant)] }
      // A foreign namespace in the way of an environment: its end must be noticed.
      return namespace.name.indices.filter { namespace.name[$0] == "-" }
        .map { ObjectKey(name: String(namespace.name[..<$0])) }.filter(tenants.contains)
    }
    for informer in [bindings, quotas, limitRanges] {
      controller.watch(informer) { object in
        object.labels[Tenant.label].map { [ObjectKey(name: $0)] } ?? []
      }
    }
    for informer in [applications, claims] {
      controller.watch(informer) { object in
        // They matter only to a tenant that waits to be deleted.
        guard let tenant = namespaces.get(name: object.namespace)?.labels[Tenant.label],
          tenants.get(name: tenant)?.isBeingDeleted == true
        else { return [] }
        return [ObjectKey(name: tenant)]
      }
    }
    try await ServiceSet([
      self.tenants, self.namespaces, bindings, quotas, limitRanges, applications, claims, controller,
    ]).run()
  }

  private func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard var object = tenants.cache.get(key) else { return .done }
    if object.isBeingDeleted { return try await delete(Tenant(object)) }
    if !object.finalizers.contains(Tenant.finalizer) {
      object.finalizers.append(Tenant.finalizer)
      // Only here: a tenant without the finalizer has no environment yet.
      defaults.apply(to: &object)
      object = try await client.update(object, as: .tenants)
    }
    let tenant = Tenant(object)
    var taken: [String] = []
    var kept: [String] = []
    for environment in tenant.environments {
      let name = tenant.namespace(of: environment)
      if try await keep(name, environment, of: tenant) { kept.append(name) } else { taken.append(name) }
    }
    let unlisted = namespaces.cache.list(by: Self.byTenant, tenant.name)
      .filter { !kept.contains($0.name) && !$0.isBeingDeleted }.map(\.name)
    for name in unlisted { _ = try await keep(name, nil, of: tenant) }
    try await writeStatus(tenant, namespaces: kept + unlisted, Self.condition(tenant, taken: taken, unlisted: unlisted))
    return .done
  }

  static func condition(_ tenant: Tenant, taken: [String], unlisted: [String]) -> Condition {
    if !taken.isEmpty {
      return Condition(
        "Ready", .no, reason: "NameTaken",
        message: "\(list(taken)) exists and is not of this tenant; give the environment another name, or hand it over: "
          + "kubectl label namespace \(taken[0]) \(Tenant.label)=\(tenant.name)")
    }
    if let fault = TenantNames.fault(of: tenant.name) {
      return Condition(
        "Ready", .no, reason: "NameReserved",
        message: "the tenant's name \(fault); its apps run, but have no address: make a tenant of another name for them"
      )
    }
    if !unlisted.isEmpty {
      return Condition(
        "Ready", .yes, reason: "EnvironmentUnlisted",
        message: "\(list(unlisted)) is no longer listed and was kept; list it again, or delete it: "
          + "kubectl delete namespace \(unlisted[0])")
    }
    return Condition("Ready", .yes, reason: "")
  }

  private static func list(_ names: [String]) -> String { names.sorted().joined(separator: ", ") }

  /// Makes one environment as it should be.
  /// - Returns: `false` if a namespace of that name is not the tenant's.
  private func keep(_ name: String, _ environment: String?, of tenant: Tenant) async throws -> Bool {
    let desired = DesiredEnvironment(of: tenant, namespace: name, environment: environment)
    var existing = namespaces.cache.get(name: name)
    if existing.map(tenant.owns) != true { existing = try await client.getIfPresent(.namespaces, name: name) }
    if let existing {
      guard tenant.owns(existing) else { return false }
      if existing.isBeingDeleted { return true }
    }
    _ = try await client.apply(desired.namespace, as: .namespaces, existing: existing)
    for binding in desired.bindings {
      try await apply(binding, .roleBindings, bindings.cache)
    }
    // Revoked roles go at once: the binding of a role without members is deleted.
    for role in Tenant.Role.allCases {
      let name = DesiredEnvironment.bindingName(role)
      guard !desired.bindings.contains(where: { $0.name == name }) else { continue }
      try await remove(.roleBindings, bindings.cache, ObjectKey(namespace: desired.namespace.name, name: name))
    }
    if let quota = desired.quota {
      // Limits that are no longer named must go, so the whole of `hard` counts.
      let old = quotas.cache.get(quota.key)?.spec["hard"].members.keys ?? [:].keys
      var quota = quota
      for name in old where tenant.quota[name] == nil { quota.spec["hard"][name] = .null }
      try await apply(quota, .resourceQuotas, quotas.cache)
    } else {
      let key = ObjectKey(namespace: name, name: DesiredEnvironment.quotaName)
      try await remove(.resourceQuotas, quotas.cache, key)
    }
    if let limits = desired.limits {
      try await apply(limits, .limitRanges, limitRanges.cache)
    } else {
      let key = ObjectKey(namespace: name, name: DesiredEnvironment.quotaName)
      try await remove(.limitRanges, limitRanges.cache, key)
    }
    return true
  }

  private func apply(_ desired: KubernetesObject, _ resource: Resource, _ cache: ObjectCache) async throws {
    if let existing = cache.get(desired.key) {
      _ = try await client.apply(desired, as: resource, existing: existing)
    } else {
      _ = try await client.apply(desired, as: resource)
    }
  }

  private func remove(_ resource: Resource, _ cache: ObjectCache, _ key: ObjectKey) async throws {
    guard let existing = cache.get(key), !existing.isBeingDeleted else { return }
    do {
      try await client.delete(resource, namespace: key.namespace, name: key.name, uid: existing.uid)
    } catch let status as APIStatus where status.isNotFound {}
  }

  // MARK: Deletion

  private func delete(_ tenant: Tenant) async throws -> ReconcileResult {
    guard tenant.object.finalizers.contains(Tenant.finalizer) else { return .done }
    // Asked of the API, not of the caches: what is deleted does not come back.
    let mine = try await client.list(
      .namespaces, labels: LabelSelector(matchLabels: [Tenant.label: tenant.name])
    ).items
    if mine.isEmpty {
      var released = tenant.object
      released.finalizers.removeAll { $0 == Tenant.finalizer }
      do { try await client.update(released, as: .tenants) } catch let status as APIStatus where status.isNotFound {}
      return .done
    }
    let remaining = mine.filter { !$0.isBeingDeleted }
    if !remaining.isEmpty, !tenant.isDeletionConfirmed {
      var holding: [String] = []
      for namespace in remaining {
        let apps = try await client.list(.applications, namespace: namespace.name).items.map { "app \($0.name)" }
        let volumes = try await client.list(.persistentVolumeClaims, namespace: namespace.name).items
          .filter { $0.controller == nil }.map { "volume \($0.name)" }
        let all = apps + volumes
        if all.isEmpty { continue }
        let more = all.count > 5 ? " and \(all.count - 5) more" : ""
        holding.append("\(namespace.name) holds \(all.prefix(5).joined(separator: ", "))\(more)")
      }
      if !holding.isEmpty {
        let condition = Condition(
          "Ready", .no, reason: "NamespacesInUse",
          message: "not deleted: \(holding.joined(separator: "; ")). Delete them, or confirm that everything goes: "
            + "kubectl annotate tenant \(tenant.name) \(Tenant.confirmDeletionAnnotation)=\(tenant.name)")
        try await writeStatus(tenant, namespaces: mine.map(\.name), condition)
        return .done
      }
    }
    for namespace in remaining {
      logger.info("delete a namespace of a deleted tenant", metadata: ["namespace": "\(namespace.name)"])
      do {
        try await client.delete(.namespaces, name: namespace.name, uid: namespace.uid)
      } catch let status as APIStatus where status.isNotFound {}
    }
    let condition = Condition(
      "Ready", .no, reason: "Deleting", message: "waits until \(Self.list(mine.map(\.name))) is gone")
    try await writeStatus(tenant, namespaces: mine.map(\.name), condition)
    return .done
  }

  // MARK: Status

  private func writeStatus(_ tenant: Tenant, namespaces: [String], _ condition: Condition) async throws {
    var changed = tenant.object
    changed.status["namespaces"] = .array(namespaces.sorted().map { .string($0) })
    changed.status["observedGeneration"] = JSONValue(tenant.object.generation)
    var condition = condition
    condition.observedGeneration = tenant.object.generation
    changed.setCondition(condition)
    try await client.applyStatus(changed, as: .tenants, existing: tenant.object)
  }
}
