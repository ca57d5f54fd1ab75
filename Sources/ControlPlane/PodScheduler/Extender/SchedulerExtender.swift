import JSONDocument
import KubernetesAPI
public import KubernetesClient
public import Logging
public import ServiceLifecycle

/// Lets the scheduler of somebody's Kubernetes place volumes as ours does, by the same ledger and the same ranking: as an extender
/// (`filter`, `prioritize`; k8s.io/kube-scheduler/extender/v1) where the scheduler's configuration can be changed, and as a mutating
/// webhook that has new pods prefer nodes where it can't.
///
/// It writes nothing. That a claim got a node it sees by the claim's annotation; until then it expects the node that it put first.
public struct SchedulerExtender: Service, APIRequestHandling {
  /// The paths that it answers.
  public enum Path {
    public static let filter = "/scheduler/filter"
    public static let prioritize = "/scheduler/prioritize"
    public static let webhook = "/webhooks/pods"
    /// Answers anybody: 200 once it knows the cluster.
    public static let readiness = "/readyz"
  }

  /// How long a node that was put first is expected to be chosen.
  static let expectation: Duration = .seconds(10)
  /// How long a webhook waits for claims that were made just before their pod.
  static let claimPatience: Duration = .milliseconds(500)

  let informers: StorageInformers
  let ledger: StorageLedger
  let usage = ClusterUsage()
  private let nodes: Informer
  private let callers: Set<String>
  private let logger: Logger

  /// - Parameters:
  ///   - callers: users who may ask as schedulers. The webhook answers anybody: it tells no more than a pod's events would.
  public init(_ client: KubernetesClient, ranking: any VolumeNodeRanking, callers: Set<String>, logger: Logger) {
    informers = StorageInformers(client, logger: logger)
    ledger = StorageLedger(informers, ranking: ranking)
    nodes = Informer(client, .nodes, logger: logger)
    self.callers = callers
    self.logger = logger
    follow()
  }

  public func run() async throws {
    try await ServiceSet([nodes] + informers.all).run()
  }

  private var all: [Informer] { [nodes] + informers.all }

  /// Returns once the cluster is known.
  public func waitUntilSynced() async throws {
    for informer in all { try await informer.waitUntilSynced() }
  }

  private func follow() {
    let (usage, ledger) = (usage, ledger)
    nodes.onEvent { event in
      if case .deleted(let node) = event { usage.removeNode(node.name) } else { _ = usage.set(NodeState(event.object)) }
    }
    informers.claims.onEvent { _ = ledger.claimChanged($0) }
    informers.capacities.onEvent { _ = ledger.capacityChanged($0, labels: { usage.labels(ofNode: $0) }) }
    informers.storageClasses.onEvent { _ in ledger.classChanged() }
  }

  // MARK: Requests

  public func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
    do throws(APIStatus) { return try await answer(request, user) } catch {
      return APIResponse(status: error.code, body: .bytes(error.json.encoded()))
    }
  }

  private func answer(_ request: APIRequest, _ user: UserInfo) async throws(APIStatus) -> APIResponse {
    let isReady = all.allSatisfy(\.isSynced)
    if request.path == Path.readiness || request.path == "/healthz" || request.path == "/livez" {
      let isFine = isReady || request.path != Path.readiness
      return APIResponse(
        status: isFine ? 200 : 503, contentType: "text/plain",
        body: .bytes(Array((isFine ? "ok" : "the cluster is not known yet").utf8)))
    }
    guard [Path.filter, Path.prioritize, Path.webhook].contains(request.path) else {
      throw APIStatus(.notFound, "the extender answers \(Path.filter), \(Path.prioritize) and \(Path.webhook)")
    }
    guard request.method == .post else { throw APIStatus(.methodNotAllowed, "the extender is asked by POST") }
    if request.path != Path.webhook, !callers.contains(user.name) || request.impersonation != nil {
      throw APIStatus(
        .forbidden,
        "User \"\(user.name.prefix(80))\" may not ask as a scheduler; name it with --caller if it should")
    }
    guard isReady else { throw APIStatus(.serviceUnavailable, "the extender does not know the cluster yet") }
    let body: JSONValue
    do { body = try JSONValue(parsing: request.body) } catch {
      throw APIStatus(.badRequest, "the body is not JSON: \(error)")
    }
    let answer: JSONValue
    switch request.path {
    case Path.filter: answer = filter(try ExtenderArguments(body))
    case Path.prioritize: answer = prioritize(try ExtenderArguments(body))
    default: answer = try await review(try PodReview(body))
    }
    return APIResponse(status: 200, body: .bytes(answer.encoded()))
  }
}
