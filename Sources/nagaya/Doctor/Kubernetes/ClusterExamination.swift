import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Looks at somebody's Kubernetes, from outside of it.
struct ClusterExamination: Sendable {
  let client: KubernetesClient

  init(_ client: KubernetesClient) { self.client = client }

  func run() async -> [Diagnosis] {
    var found = await version()
    let nodes: [KubernetesObject]
    switch await list(.nodes) {
    case .objects(let all): nodes = all
    case .unreadable(let diagnosis): return found + [diagnosis]
    }
    found += Self.nodes(nodes)
    let daemons = await list(Self.daemonSets)
    found += await storage(nodes, daemons)
    found += hooks(daemons)
    found += await scheduler()
    return found
  }

  // MARK: Reading

  /// What a list came to.
  enum Answer: Sendable {
    /// None where the server does not know the kind.
    case objects([KubernetesObject])
    case unreadable(Diagnosis)

    /// What `look` finds in the objects, or why there are none.
    func looked(_ look: ([KubernetesObject]) -> [Diagnosis]) -> [Diagnosis] {
      switch self {
      case .objects(let objects): look(objects)
      case .unreadable(let diagnosis): [diagnosis]
      }
    }
  }

  func list(_ resource: Resource, namespace: String? = nil) async -> Answer {
    do { return .objects(try await client.list(resource, namespace: namespace).items) } catch let status as APIStatus
      where status.isNotFound
    { return .objects([]) } catch let status as APIStatus where status.reason == .forbidden {
      return .unreadable(
        Diagnosis(
          .notice, "rights", "you may not list \(resource.qualifiedPlural): nothing is said of them",
          remedy: "ask for the cluster role view, or look as an administrator (--context)"))
    } catch {
      return .unreadable(Diagnosis(.error, "cluster", "\(resource.qualifiedPlural) cannot be listed: \(error)"))
    }
  }

  // MARK: Version

  private func version() async -> [Diagnosis] {
    do {
      let answer = try await client.json(APIRequest(.get, "/version"))
      return Self.version(answer["gitVersion"].string ?? "")
    } catch {
      return [Diagnosis(.error, "cluster", "the API server does not say its version: \(error)")]
    }
  }

  /// The least minor version of 1.x that has what a part needs.
  private static let needs: [(minor: Int, level: Diagnosis.Level, what: String, remedy: String)] = [
    (
      24, .error, "capacity of storage is not tracked by the scheduler: volumes would be made where there is no room",
      "upgrade"
    ),
    (
      28, .warning, "webhooks have no matchConditions",
      "take them out of deploy/scheduler/webhook.yaml: each new pod is asked about then"
    ),
    (
      34, .notice, "limits of volumes by VolumeAttributesClass are not served (storage.k8s.io/v1)",
      "use policies of the hooks"
    ),
  ]

  static func version(_ text: String) -> [Diagnosis] {
    guard let (major, minor) = numbers(text), major == 1 else {
      return [Diagnosis(.warning, "cluster", "\"\(text.prefix(40))\" is no version of Kubernetes that is known here")]
    }
    let missing = needs.filter { minor < $0.minor }
    if missing.isEmpty { return [Diagnosis(.ok, "cluster", "Kubernetes \(text) has what Nagaya uses")] }
    return missing.map {
      Diagnosis($0.level, "cluster", "Kubernetes \(text) is older than 1.\($0.minor): \($0.what)", remedy: $0.remedy)
    }
  }

  /// The first two numbers of a version: `v1.30.4-gke.1`, `6.14.0-rc1`, `containerd://2.1.9`.
  static func numbers(_ text: String) -> (Int, Int)? {
    let parts = text.drop { !("0"..."9" ~= $0) }.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2, let first = Int(parts[0].prefix(6)),
      let second = Int(parts[1].prefix { "0"..."9" ~= $0 }.prefix(6))
    else { return nil }
    return (first, second)
  }
}
