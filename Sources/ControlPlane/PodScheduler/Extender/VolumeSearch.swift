import KubernetesAPI

/// The search of nodes for the volumes of one pod that are to be made.
struct VolumeSearch: Sendable {
  let volumes: PodVolumes
  private let question: SchedulingDecision.Question
  private let ranker: any VolumeNodeRanking
  private let nodes: [String: NodeState]

  /// `nil` where no volume is to be made whose driver says what it has left: there is nothing to say.
  init?(_ pod: KubernetesObject, _ volumes: PodVolumes, _ ledger: StorageLedger, _ usage: ClusterUsage) {
    guard volumes.unbound.contains(where: { ledger.publishes($0.storageClass) }) else { return nil }
    self.volumes = volumes
    ranker = ledger.ranking
    let states = usage.snapshot(except: "")
    question = SchedulingDecision.Question(
      pod: pod, requests: PodRequests(pod), volumes: volumes, nodes: states,
      storage: ledger.storage(for: volumes.unbound, on: states.map(\.node)))
    nodes = Dictionary(states.map { ($0.node.name, $0.node) }, uniquingKeysWith: { first, _ in first })
  }

  /// Why the volumes can't be made on a node; `nil`: they can.
  func refusal(on name: String) -> String? {
    // A node that is not known yet has published nothing either.
    guard let node = nodes[name] else { return Refusal.notReady.text }
    guard let refusal = SchedulingDecision.volumeRefusals(node, question).first else { return nil }
    guard case .storage(let shortage) = refusal else { return refusal.text }
    return "\(refusal.text) (asked \(Refusal.readable(shortage.asked)) of class \(shortage.storageClass))"
  }

  /// These nodes as far as the volumes can be made there, best first.
  func ranking(among names: [String]) -> [RankedNode] {
    var candidates = names.compactMap { nodes[$0] }.filter { SchedulingDecision.volumeRefusals($0, question).isEmpty }
    // Where the most volumes exist already, the fewest have to be made.
    let fewest = candidates.map { question.demand(on: $0).claims.count }.min() ?? 0
    candidates.removeAll { question.demand(on: $0).claims.count > fewest }
    // What is there already gives no order.
    if fewest == 0 { return [] }
    var refusals: [String: [Refusal]] = [:]
    for (node, usage) in question.nodes {
      refusals[node.name] = SchedulingDecision.refusals(of: node, usage: usage, question)
    }
    return SchedulingDecision.rank(question, ranker, candidates: candidates, refusals)
  }

  /// All nodes that take the pod, as far as is known here, best first.
  func rankingOfAll() -> [RankedNode] {
    ranking(
      among: question.nodes.filter { node, usage in
        !SchedulingDecision.refusals(of: node, usage: usage, question).contains { $0.isClosed || $0 == .affinity }
      }.map(\.node.name))
  }
}
