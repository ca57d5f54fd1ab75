import BoundedNumbers
import JSONDocument

/// How well a node suits a pod, among those that can take it.
///
/// Without volumes to be made, everything is weighed against everything, as kube-scheduler does. A volume stays where it
/// is made: there its place decides, after what people asked for and after the spread of siblings over nodes, whose
/// volumes ought not to be lost together.
struct Score: Comparable {
  /// 300 unless the node asks to be avoided (`PreferNoSchedule`).
  private let taints: Int
  /// To 200: how much of the preferred node affinity holds.
  private let affinity: Int
  /// Pods of the same owner there.
  private let siblings: Int
  /// Where the ranking of volumes puts the node; `nil` if no volume is to be made.
  private let volumePosition: Int?
  /// To 300: room for computing, and few pods.
  private let balance: Int

  init(
    _ node: NodeState, usage: ClusterUsage.Usage, question: SchedulingDecision.Question,
    feasible: [(node: NodeState, usage: ClusterUsage.Usage)], volumePosition: Int?
  ) {
    taints = 3 * Self.taints(node, question)
    affinity = Self.preferred(node, question, feasible)
    siblings = question.requests.owner.isEmpty ? 0 : usage.owners[question.requests.owner] ?? 0
    self.volumePosition = volumePosition
    balance = Self.allocation(node, usage, question.requests) + 2 * Self.spread(usage, question.requests, feasible)
  }

  static func < (left: Score, right: Score) -> Bool {
    guard let position = left.volumePosition, let other = right.volumePosition else {
      return left.taints + left.affinity + left.balance < right.taints + right.affinity + right.balance
    }
    return (left.taints, left.affinity, -left.siblings, -position, left.balance)
      < (right.taints, right.affinity, -right.siblings, -other, right.balance)
  }

  /// What, other than the place of volumes, makes this node better than another; `nil` if nothing does.
  func advantage(over other: Score) -> String? {
    if taints != other.taints { return taints > other.taints ? "avoids a tainted node" : nil }
    if affinity != other.affinity { return affinity > other.affinity ? "preferred by node affinity" : nil }
    return siblings < other.siblings ? "has fewer pods of the same owner" : nil
  }

  /// The less of cpu and memory is taken afterwards, the better.
  private static func allocation(_ node: NodeState, _ usage: ClusterUsage.Usage, _ requests: PodRequests) -> Int {
    let shares = ["cpu", "memory"].compactMap { resource -> Int? in
      guard let total = node.allocatable[resource], total > 0 else { return nil }
      let taken = (usage.amounts[resource] ?? 0) + (requests.amounts[resource] ?? 0)
      // Pods of an older server may ask for less than nothing.
      let left = total.clampedSubtracting(taken).clampedMultiplying(by: 100) / total
      return Int(clamping: left).clamped(to: 0...100)
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
          ? sum + min(100, term["weight"].count ?? 0) : sum
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
