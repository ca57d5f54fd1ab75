import JSONDocument

/// How well a node suits a pod, among those that can take it. Each part is 0 to 100 and has a weight.
enum Score {
  /// - Parameter volumePosition: where the ranking of volumes puts the node; `nil` if no volume is to be made.
  static func of(
    _ node: NodeState, usage: ClusterUsage.Usage, question: SchedulingDecision.Question,
    feasible: [(node: NodeState, usage: ClusterUsage.Usage)], volumePosition: Int?
  ) -> Int {
    var score = allocation(node, usage, question.requests)
    score += 2 * spread(usage, question.requests, feasible)
    score += preferred(node, question, feasible)
    score += 3 * taints(node, question)
    // A volume stays where it is made, so its place weighs most.
    if let volumePosition { score += 4 * (100 - 100 * min(volumePosition, feasible.count) / max(1, feasible.count)) }
    return score
  }

  /// The less of cpu and memory is taken afterwards, the better.
  private static func allocation(_ node: NodeState, _ usage: ClusterUsage.Usage, _ requests: PodRequests) -> Int {
    let shares = ["cpu", "memory"].compactMap { resource -> Int? in
      guard let total = node.allocatable[resource], total > 0 else { return nil }
      let taken = (usage.amounts[resource] ?? 0) + (requests.amounts[resource] ?? 0)
      return Int(max(0, (total - taken) * 100 / total))
    }
    return shares.isEmpty ? 0 : shares.reduce(0, +) / shares.count
  }

  /// The fewer siblings on the node, the better; without an owner, the fewer pods.
  private static func spread(
    _ usage: ClusterUsage.Usage, _ requests: PodRequests, _ feasible: [(node: NodeState, usage: ClusterUsage.Usage)]
  ) -> Int {
    func siblings(_ usage: ClusterUsage.Usage) -> Int {
      requests.owner.isEmpty ? usage.pods : usage.owners[requests.owner] ?? 0
    }
    let most = feasible.map { siblings($0.usage) }.max() ?? 0
    return most == 0 ? 100 : 100 * (most - siblings(usage)) / most
  }

  /// `preferredDuringSchedulingIgnoredDuringExecution` of the node affinity.
  private static func preferred(
    _ node: NodeState, _ question: SchedulingDecision.Question,
    _ feasible: [(node: NodeState, usage: ClusterUsage.Usage)]
  ) -> Int {
    let terms = question.pod.spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
      .elements
    guard !terms.isEmpty else { return 0 }
    func weight(_ node: NodeState) -> Int {
      terms.reduce(0) { sum, term in
        NodeSelectorTerms.matchTerm(term["preference"], labels: node.labels, name: node.name)
          ? sum + (term["weight"].int ?? 0) : sum
      }
    }
    let most = feasible.map { weight($0.node) }.max() ?? 0
    return most == 0 ? 0 : 2 * 100 * weight(node) / most
  }

  /// Nodes with a `PreferNoSchedule` taint come last.
  private static func taints(_ node: NodeState, _ question: SchedulingDecision.Question) -> Int {
    let tolerations = question.pod.spec["tolerations"].elements
    let isAvoided = node.taints.contains { $0.effect == "PreferNoSchedule" && !$0.isTolerated(by: tolerations) }
    return isAvoided ? 0 : 100
  }
}
