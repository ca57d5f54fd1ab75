import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Makes Applications real: Deployment, Service and claims as `DesiredObjects` says, and status as
/// `ApplicationDiagnosis` finds. It reacts to changes of all of them, and writes only what differs.
public final class ApplicationController: Service, Sendable {
  private let client: KubernetesClient
  private let address: PublicAddress
  private let removedVolumeGrace: Duration
  private let logger: Logger

  private let applications: Informer
  private let deployments: Informer
  private let replicaSets: Informer
  private let services: Informer
  private let claims: Informer
  private let pods: Informer
  private let claimEvents: Informer
  private let capacities: Informer
  /// Their labels say at which host an app answers, and which level of pod security holds.
  private let namespaces: Informer

  /// Pods, ReplicaSets and claims by `namespace/application`.
  static let byApplication = CacheIndex("application") { object in
    object.labels[Application.nameLabel].map { ["\(object.namespace)/\($0)"] } ?? []
  }

  /// - Parameters:
  ///   - address: what endpoints are made of.
  ///   - removedVolumeGrace: how long a claim stays after its volume was taken out of the spec.
  public init(
    client: KubernetesClient, address: PublicAddress, removedVolumeGrace: Duration = .seconds(300), logger: Logger
  ) {
    self.client = client
    self.address = address
    self.removedVolumeGrace = removedVolumeGrace
    self.logger = logger
    let labelled = LabelSelector([.exists(Application.nameLabel)])
    applications = Informer(client, .applications, logger: logger)
    // Not narrowed by the label: an object of another owner under an Application's name must be seen, and its end, too.
    deployments = Informer(client, .deployments, logger: logger)
    services = Informer(client, .services, logger: logger)
    claims = Informer(client, .persistentVolumeClaims, indexes: [Self.byApplication], logger: logger)
    replicaSets = Informer(client, .replicaSets, labels: labelled, indexes: [Self.byApplication], logger: logger)
    pods = Informer(client, .pods, labels: labelled, indexes: [Self.byApplication], logger: logger)
    claimEvents = Informer(
      client, .events, fields: "involvedObject.kind=PersistentVolumeClaim", logger: logger)
    capacities = Informer(client, .csiStorageCapacities, logger: logger)
    namespaces = Informer(client, .namespaces, logger: logger)
  }

  public func run() async throws {
    let controller = Controller<ObjectKey>(
      name: "application", workers: 8, of: applications,
      waitingFor: [deployments, services, claims, replicaSets, pods, namespaces], logger: logger
    ) { try await self.reconcile($0) }
    for informer in [deployments, services] { controller.watch(informer) { [$0.key] } }
    for informer in [replicaSets, pods] {
      controller.watch(informer) { object in
        object.labels[Application.nameLabel].map { [ObjectKey(namespace: object.namespace, name: $0)] } ?? []
      }
    }
    let applications = applications.cache
    controller.watch(claims) { claim in
      Self.possibleOwners(ofClaim: claim.name, in: claim.namespace).filter(applications.contains)
    }
    controller.watch(claimEvents) { event in
      Self.possibleOwners(
        ofClaim: event["involvedObject"]["name"].string ?? "", in: event.namespace
      ).filter(applications.contains)
    }
    controller.watch(namespaces) { namespace in applications.list(namespace: namespace.name).map(\.key) }
    let claims = claims.cache
    controller.watch(capacities) { _ in
      // Only Applications that wait for a volume care about free space.
      claims.list().filter { $0.status["phase"].string != "Bound" }.compactMap { claim in
        claim.labels[Application.nameLabel].map { ObjectKey(namespace: claim.namespace, name: $0) }
      }
    }
    try await ServiceSet([
      self.applications, deployments, services, self.claims, replicaSets, pods, claimEvents, capacities, namespaces,
      controller,
    ]).run()
  }

  /// Pod Security Standards: what pods of the namespace must keep to.
  static let podSecurityLabel = "pod-security.kubernetes.io/enforce"

  /// Whether the namespace takes only pods that give up root and all capabilities.
  private func isRestricted(_ namespace: String) -> Bool {
    guard let level = namespaces.cache.get(name: namespace)?.labels[Self.podSecurityLabel] else { return false }
    return !["", "baseline", "privileged"].contains(level)
  }

  /// The Applications whose claim may have this name: `<app>-<volume>`, both may contain dashes.
  static func possibleOwners(ofClaim name: String, in namespace: String) -> [ObjectKey] {
    name.indices.filter { name[$0] == "-" }.map { ObjectKey(namespace: namespace, name: String(name[..<$0])) }
  }

  // MARK: Reconcile

  private func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let object = applications.cache.get(key) else { return .done }
    var application = Application(object)
    if object.isBeingDeleted {
      try await letGo(application)
      return .done
    }
    let hasClaims = !application.volumes.isEmpty
    if hasClaims, !object.finalizers.contains(Application.volumesFinalizer) {
      var marked = object
      marked.finalizers.append(Application.volumesFinalizer)
      application = Application(try await client.update(marked, as: .applications))
    }
    let refusals = try await makeObjects(application)
    let wait = try await retireUnusedClaims(application)
    let diagnosis = ApplicationDiagnosis(
      application, surroundings(of: application), refusals: refusals, now: .now)
    try await writeStatus(application, diagnosis)
    let delays = [wait, diagnosis.lookAgainAfter].compactMap { $0 }
    return delays.min().map { .requeueAfter($0) } ?? .done
  }

  /// Makes the parts, side by side.
  /// - Returns: what stands in the way and only people can solve.
  private func makeObjects(_ application: Application) async throws -> [ApplicationProblem] {
    let desired = DesiredObjects(for: application, isRestricted: isRestricted(application.namespace))
    return try await withThrowingTaskGroup(of: (Int, ApplicationProblem?).self) { group in
      var parts: [@Sendable () async throws -> Void] = desired.claims.map { claim in
        { try await self.make(claim: claim, for: application) }
      }
      parts.append {
        try await self.make(desired.deployment, .deployments, in: self.deployments.cache, for: application)
      }
      parts.append { try await self.make(desired.service, .services, in: self.services.cache, for: application) }
      for (index, part) in parts.enumerated() {
        group.addTask {
          do {
            try await part()
            return (index, nil)
          } catch let problem as ApplicationProblem {
            return (index, problem)
          } catch let status as APIStatus {
            guard let problem = Self.problem(of: status) else { throw status }
            return (index, problem)
          }
        }
      }
      var problems: [(Int, ApplicationProblem)] = []
      for try await (index, problem) in group {
        if let problem { problems.append((index, problem)) }
      }
      return problems.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }

  /// Refusals that trying again does not cure.
  static func problem(of status: APIStatus) -> ApplicationProblem? {
    switch status.reason {
    case .forbidden where status.message.contains("exceeded quota"):
      ApplicationProblem(.quotaExceeded, "\(status.message). Ask for less, or for a larger quota of the tenant")
    case .forbidden: ApplicationProblem(.forbidden, status.message)
    case .invalid, .badRequest: ApplicationProblem(.invalid, status.message)
    default: nil
    }
  }

  private func make(
    _ desired: KubernetesObject, _ resource: Resource, in cache: ObjectCache, for application: Application
  ) async throws {
    let existing = try await current(desired, resource, in: cache, isOurs: application.owns, application)
    _ = try await client.apply(desired, as: resource, existing: existing)
  }

  private func make(claim desired: KubernetesObject, for application: Application) async throws {
    guard
      let existing = try await current(
        desired, .persistentVolumeClaims, in: claims.cache, isOurs: application.mayUse, application)
    else {
      _ = try await client.apply(desired, as: .persistentVolumeClaims, existing: nil)
      return
    }
    // What a claim asks for is fixed once it is made, but for growth.
    var change = desired
    change.json.remove("spec")
    change.metadata["annotations"][Application.unusedSinceAnnotation] = nil
    let size = desired.spec["resources"]["requests"]["storage"]
    let wanted = size.string.flatMap { Quantity($0) }
    let asked = existing.spec["resources"]["requests"]["storage"].string.flatMap { Quantity($0) }
    if let wanted, let asked, wanted > asked, existing.status["phase"].string == "Bound" {
      change.spec["resources"]["requests"]["storage"] = size
    }
    _ = try await client.apply(change, as: .persistentVolumeClaims, existing: existing)
    if let wanted, let asked, wanted < asked {
      throw ApplicationProblem(
        .volumeShrink,
        "volume \(desired.labels[Application.volumeLabel] ?? desired.name) has \(asked) and cannot shrink to \(wanted); "
          + "set its size back, or take a volume of another name")
    }
  }

  /// The object of that name, if it is ours.
  /// - Throws: `ApplicationProblem` if it is somebody else's.
  private func current(
    _ desired: KubernetesObject, _ resource: Resource, in cache: ObjectCache, isOurs: (KubernetesObject) -> Bool,
    _ application: Application
  ) async throws -> KubernetesObject? {
    var found = cache.get(desired.key)
    if found.map(isOurs) != true {
      // The cache may lag behind our own writes; before judging, ask.
      found = try await client.getIfPresent(resource, namespace: desired.namespace, name: desired.name)
    }
    guard let found else { return nil }
    if isOurs(found), !found.isBeingDeleted { return found }
    let what = "\(resource.kind) \(found.name)"
    if found.isBeingDeleted || (found.controller?.kind == "Application" && found.controller?.name == application.name) {
      throw ApplicationProblem(.progressing, "waits until the former \(what) is gone")
    }
    let owner = found.controller.map { " of \($0.kind) \($0.name)" } ?? ""
    throw ApplicationProblem(
      .nameTaken,
      "there is a \(what)\(owner) that does not belong to this app; give the app another name, or remove it: "
        + "kubectl delete \(resource.kind.lowercased()) \(found.name) -n \(found.namespace)")
  }

  // MARK: Volumes that are no longer named

  /// Marks, and after the grace period deletes, claims of volumes that the spec no longer has.
  /// - Returns: when to look again.
  private func retireUnusedClaims(_ application: Application) async throws -> Duration? {
    let named = Set(application.volumes.map { application.claimName($0.name) })
    let unused = claims.cache.list(by: Self.byApplication, "\(application.object.key)").filter {
      application.owns($0) && !named.contains($0.name) && !$0.isBeingDeleted
    }
    var next: Duration?
    for claim in unused {
      if application.volumeRetention == .retain {
        var released = claim
        released.ownerReferences = released.ownerReferences.filter { $0.uid != application.object.uid }
        try await client.update(released, as: .persistentVolumeClaims)
        continue
      }
      guard let since = claim.annotations[Application.unusedSinceAnnotation].flatMap(Timestamp.init) else {
        var marked = claim
        marked.annotations[Application.unusedSinceAnnotation] = Timestamp.now.description
        try await client.update(marked, as: .persistentVolumeClaims)
        next = min(next ?? removedVolumeGrace, removedVolumeGrace)
        continue
      }
      let left = removedVolumeGrace - max(.zero, .seconds(clamping: Timestamp.now.seconds(since: since)))
      if left > .zero {
        next = min(next ?? left, left)
      } else if try await isStillUnused(claim, of: application) {
        logger.info(
          "delete a volume that its app no longer has",
          metadata: ["app": "\(application.object.key)", "claim": "\(claim.name)"])
        try await client.delete(
          .persistentVolumeClaims, namespace: claim.namespace, name: claim.name, uid: claim.uid)
      }
    }
    return next
  }

  /// Asks the API, not the cache: what is deleted does not come back.
  private func isStillUnused(_ claim: KubernetesObject, of application: Application) async throws -> Bool {
    let current = try await client.getIfPresent(
      .applications, namespace: application.namespace, name: application.name)
    guard let current, current.uid == application.object.uid, !current.isBeingDeleted else { return false }
    let fresh = Application(current)
    return fresh.volumeRetention == .delete
      && !fresh.volumes.contains { application.claimName($0.name) == claim.name }
  }

  /// The Application is being deleted: retained claims lose their owner first, so that they stay.
  private func letGo(_ application: Application) async throws {
    guard application.object.finalizers.contains(Application.volumesFinalizer) else { return }
    if application.volumeRetention == .retain {
      let mine = try await client.list(
        .persistentVolumeClaims, namespace: application.namespace,
        labels: LabelSelector(matchLabels: [Application.nameLabel: application.name])
      ).items.filter(application.owns)
      for var claim in mine {
        claim.ownerReferences = claim.ownerReferences.filter { $0.uid != application.object.uid }
        try await client.update(claim, as: .persistentVolumeClaims)
      }
    }
    var released = application.object
    released.finalizers.removeAll { $0 == Application.volumesFinalizer }
    do { try await client.update(released, as: .applications) } catch let status as APIStatus
      where status.isNotFound
    {}
  }

  // MARK: Status

  private func surroundings(of application: Application) -> ApplicationSurroundings {
    let key = application.object.key
    var result = ApplicationSurroundings()
    result.deployment = deployments.cache.get(key).flatMap { application.owns($0) ? $0 : nil }
    result.replicaSets = replicaSets.cache.list(by: Self.byApplication, "\(key)")
    result.pods = pods.cache.list(by: Self.byApplication, "\(key)")
    let names = Set(application.volumes.map { application.claimName($0.name) })
    result.claims = claims.cache.list(by: Self.byApplication, "\(key)").filter { names.contains($0.name) }
    let open = Set(result.claims.filter { $0.status["phase"].string != "Bound" }.map(\.uid))
    if !open.isEmpty {
      result.claimEvents = claimEvents.cache.list(namespace: key.namespace).filter {
        open.contains($0["involvedObject"]["uid"].string ?? "")
      }
      result.capacities = capacities.cache.list()
    }
    return result
  }

  private static func noAddress(_ namespace: String) -> String {
    "it runs without an address: namespace \(namespace) is no environment of a tenant that may have hosts; "
      + "make one with: nagaya create tenant NAME --environment ENVIRONMENT"
  }

  private func writeStatus(_ application: Application, _ diagnosis: ApplicationDiagnosis) async throws {
    let object = application.object
    let deployment = deployments.cache.get(object.key).flatMap { application.owns($0) ? $0 : nil }
    var changed = object
    let endpoint = application.endpoint(address, in: namespaces.cache.get(name: object.namespace))
    changed.status["endpoint"] = endpoint.map { .string($0) } ?? nil
    changed.status["observedGeneration"] = JSONValue(object.generation)
    changed.status["selector"] = .string("\(Application.nameLabel)=\(application.name)")
    for count in ["replicas", "readyReplicas", "updatedReplicas"] {
      changed.status[count] = JSONValue(deployment?.status[count].int ?? 0)
    }
    changed.setCondition(
      Condition(
        "Ready", diagnosis.problem.map { $0.isProgress ? .unknown : .no } ?? .yes,
        reason: diagnosis.problem?.reason.rawValue ?? "",
        message: diagnosis.problem?.message ?? (endpoint == nil ? Self.noAddress(object.namespace) : ""),
        observedGeneration: object.generation))
    try await client.applyStatus(changed, as: .applications, existing: object)
  }
}
