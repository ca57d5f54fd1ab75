import JSONDocument
import KubernetesAPI
public import KubernetesClient
import Locking
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

  /// How long claims that were made just before their pod are waited for.
  static let claimPatience: Duration = .milliseconds(500)
  /// Reviews at once; what comes then is let through as it is.
  static let mostReviews = 32
  /// What requests may be made of: large pods have some thousand values; schedulers send the names of all nodes besides.
  static let limits = (
    ofReviews: JSONLimits(depth: 60, bytes: 3 << 20, values: 20_000),
    ofSchedulers: JSONLimits(depth: 60, bytes: 3 << 20, values: 100_000)
  )

  let informers: StorageInformers
  let ledger: StorageLedger
  let usage = ClusterUsage()
  private let nodes: Informer
  private let callers: Set<String>
  /// How long a node that was put first is expected to be chosen.
  let expectation: Duration
  private let reviews = Underway()

  /// - Parameters:
  ///   - callers: users who may ask as schedulers. The webhook answers anybody: whoever reaches it learns on which nodes a claim
  ///     that waits would stand best.
  public init(_ client: KubernetesClient, ranking: any VolumeNodeRanking, callers: Set<String>, logger: Logger) {
    self.init(client, ranking: ranking, callers: callers, expectation: .seconds(10), logger: logger)
  }

  init(
    _ client: KubernetesClient, ranking: any VolumeNodeRanking, callers: Set<String>, expectation: Duration,
    logger: Logger
  ) {
    self.expectation = expectation
    informers = StorageInformers(client, logger: logger)
    ledger = StorageLedger(informers, ranking: ranking)
    nodes = Informer(client, .nodes, logger: logger)
    self.callers = callers
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
    let limits = request.path == Path.webhook ? Self.limits.ofReviews : Self.limits.ofSchedulers
    do { body = try JSONValue(parsing: request.body, limits: limits) } catch {
      throw APIStatus(.badRequest, "the body is not JSON: \(error)")
    }
    let answer: JSONValue
    switch request.path {
    case Path.filter: answer = await filter(try ExtenderArguments(body))
    case Path.prioritize: answer = await prioritize(try ExtenderArguments(body))
    default:
      let review = try PodReview(body)
      guard reviews.begin(below: Self.mostReviews) else {
        answer = review.allowed()
        break
      }
      answer = await self.review(review)
      reviews.end()
    }
    return APIResponse(status: 200, body: .bytes(answer.encoded()))
  }
}

/// How many of something are under way.
private final class Underway: Sendable {
  private let count = Mutex(0)

  /// - Returns: whether there was room; then `end` follows.
  func begin(below limit: Int) -> Bool {
    count.withLock { count in
      guard count < limit else { return false }
      count += 1
      return true
    }
  }
  func end() { count.withLock { $0 -= 1 } }
}
