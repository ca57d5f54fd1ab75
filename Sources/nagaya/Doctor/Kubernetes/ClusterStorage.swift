import JSONDocument
import KubernetesAPI
import KubernetesClient
import StorageControllers

extension ClusterExamination {
  static let daemonSets = Resource(group: "apps", version: "v1", plural: "daemonsets", kind: "DaemonSet")
  static let webhooks = Resource(
    group: "admissionregistration.k8s.io", version: "v1", plural: "mutatingwebhookconfigurations",
    kind: "MutatingWebhookConfiguration", isNamespaced: false)

  /// Node-local volumes: the driver, its classes, who registered, what is published, and claims that wait for nobody.
  /// - Parameter daemons: the cluster's DaemonSets.
  func storage(_ nodes: [KubernetesObject], _ daemons: Answer) async -> [Diagnosis] {
    var found: [Diagnosis] = []
    let drivers: [KubernetesObject]
    switch await list(.csiDrivers) {
    case .objects(let all): drivers = all
    case .unreadable(let diagnosis): return [diagnosis]
    }
    guard let driver = drivers.first(where: { $0.name == StorageAccess.driverName }) else {
      return [
        Diagnosis(
          .notice, "storage", "the driver \(StorageAccess.driverName) is not installed",
          remedy: "kubectl apply -k deploy/storage, if you want node-local volumes (docs/kubernetes.md)")
      ]
    }
    if driver.spec["storageCapacity"].bool != true {
      found.append(
        Diagnosis(
          .error, "storage", "the CSIDriver has storageCapacity: false: pods go where there is no room",
          remedy: "kubectl apply -k deploy/storage"))
    }
    found += await read(.storageClasses) { Self.classes($0) }
    found += await read(.csiNodes) { Self.registrations($0, nodes) }
    found += await read(.csiStorageCapacities) { Self.capacities($0) }
    found += await read(.persistentVolumeClaims) { Self.claims($0, nodes) }
    found += daemons.looked { Self.daemons($0, named: "nagaya-storage", check: "storage") }
    if found.allSatisfy({ $0.level == .ok }) {
      found.append(Diagnosis(.ok, "storage", "the driver is there, on every node"))
    }
    return found
  }

  func hooks(_ daemons: Answer) -> [Diagnosis] {
    daemons.looked { sets in
      let found = Self.daemons(sets, named: "nagaya-hooks", check: "hooks")
      let isInstalled = sets.contains { $0.name == "nagaya-hooks" }
      return isInstalled
        ? found
        : [
          Diagnosis(
            .notice, "hooks", "node hooks are not installed as a DaemonSet",
            remedy: "kubectl apply -k deploy/hooks, if you want them (docs/hooks.md)")
        ]
    }
  }

  func scheduler() async -> [Diagnosis] {
    let name = "nagaya-scheduler-extender"
    var found = await read(.deployments) { deployments in
      guard let extender = deployments.first(where: { $0.name == name }) else {
        return [
          Diagnosis(
            .notice, "scheduler", "the scheduler's extender is not installed: kube-scheduler places volumes by itself",
            remedy: "kubectl apply -k deploy/scheduler, if it should place them as Nagaya does")
        ]
      }
      let ready = extender.status["readyReplicas"].int ?? 0
      return ready > 0
        ? [Diagnosis(.ok, "scheduler", "the extender is ready")]
        : [
          Diagnosis(
            .error, "scheduler", "no replica of \(extender.key) is ready: pods are placed without it",
            remedy: "kubectl -n \(extender.namespace) logs deployment/\(name)")
        ]
    }
    found += await read(Self.webhooks) { configurations in
      let hooks = configurations.first { $0.name == name }?["webhooks"].elements ?? []
      return hooks.filter { ($0["clientConfig"]["caBundle"].string ?? "").isEmpty }.map { _ in
        Diagnosis(
          .error, "scheduler", "the webhook has no authority (caBundle): the API server cannot ask it",
          remedy:
            "write it into the configuration, or delete it where the scheduler asks the extender (docs/kubernetes.md)")
      }
    }
    return found
  }

  // MARK: Parts of it

  private func read(_ resource: Resource, _ look: ([KubernetesObject]) -> [Diagnosis]) async -> [Diagnosis] {
    await list(resource).looked(look)
  }

  static func classes(_ classes: [KubernetesObject]) -> [Diagnosis] {
    let own = classes.filter { $0["provisioner"].string == StorageAccess.driverName }
    if own.isEmpty {
      return [
        Diagnosis(
          .warning, "storage", "no StorageClass names the driver: nobody can ask for its volumes",
          remedy: "kubectl apply -f deploy/storage/storageclass.yaml")
      ]
    }
    return own.filter { $0["volumeBindingMode"].string != "WaitForFirstConsumer" }.map {
      Diagnosis(
        .error, "storage",
        "the StorageClass \($0.name) binds at once: its claims wait for ever, as nobody chooses their node",
        remedy: "make one with volumeBindingMode: WaitForFirstConsumer; the field cannot be changed")
    }
  }

  /// Nodes on which the driver did not register with the kubelet.
  static func registrations(_ csiNodes: [KubernetesObject], _ nodes: [KubernetesObject]) -> [Diagnosis] {
    let registered = Set(
      csiNodes.filter { node in
        node.spec["drivers"].elements.contains { $0["name"].string == StorageAccess.driverName }
      }.map(\.name))
    let missing = nodes.map(\.name).filter { !registered.contains($0) }
    if missing.isEmpty { return [] }
    return [
      Diagnosis(
        .warning, "storage",
        "\(share(missing, of: nodes.count)): the driver is not registered, no volumes are made there",
        remedy: "see its pods there: kubectl -n nagaya-system get pods -l app.kubernetes.io/name=nagaya-storage -o wide"
      )
    ]
  }

  /// Capacities that kube-scheduler cannot go by.
  static func capacities(_ capacities: [KubernetesObject]) -> [Diagnosis] {
    // kube-scheduler 1.33 to 1.36 with StorageCapacityScoring ends at such an object, again after each restart.
    let broken = capacities.filter { !$0["maximumVolumeSize"].isNull && $0["capacity"].isNull }
    return broken.prefix(5).map {
      Diagnosis(
        .error, "storage",
        "the CSIStorageCapacity \($0.key) has maximumVolumeSize and no capacity: kube-scheduler with StorageCapacityScoring ends at it",
        remedy: "have its driver publish both, or delete it")
    }
  }

  /// Claims whose volume a node was making that is no more.
  static func claims(_ claims: [KubernetesObject], _ nodes: [KubernetesObject]) -> [Diagnosis] {
    let names = Set(nodes.map(\.name))
    return claims.filter { $0.finalizers.contains(StorageAccess.makingFinalizer) }.compactMap { claim in
      guard let node = claim.annotations[StorageAccess.makingNode], !names.contains(node) else { return nil }
      return Diagnosis(
        .error, "storage", "the claim \(claim.key) waits for the node \(node), which is no more, to finish its volume",
        remedy: "if it never comes back, take the finalizer \(StorageAccess.makingFinalizer) off the claim")
    }
  }

  /// A DaemonSet that is not everywhere where it should be.
  static func daemons(_ sets: [KubernetesObject], named name: String, check: String) -> [Diagnosis] {
    sets.filter { $0.name == name }.compactMap { set in
      let (wanted, ready) = (
        set.status["desiredNumberScheduled"].int ?? 0, set.status["numberReady"].int ?? 0
      )
      if ready >= wanted { return Diagnosis(.ok, check, "\(set.key) is ready on \(ready) nodes") }
      return Diagnosis(
        .warning, check, "\(set.key) is ready on \(ready) of \(wanted) nodes",
        remedy: "kubectl -n \(set.namespace) get pods -o wide; kubectl -n \(set.namespace) logs daemonset/\(name)")
    }
  }
}
