import JSONDocument
import KubernetesAPI

/// The node for a pod, or why there is none: a pure function of what is known.
enum SchedulingDecision: Sendable, Equatable {
  case node(String, reason: String)
  case none([String: [Refusal]])

  /// All that a decision goes by.
  struct Question: Sendable {
    var pod: KubernetesObject
    var requests: PodRequests
    var volumes: PodVolumes
    var nodes: [(node: NodeState, usage: ClusterUsage.Usage)]
    /// What the nodes have for new volumes, by node.
    var storage: [String: NodeStorage] = [:]
    /// Nodes on which a volume of this pod could not be made.
    var failedNodes: Set<String> = []

    /// The volumes that would have to be made on a node: those of claims for which there is none that is usable there.
    func demand(on node: NodeState) -> VolumeDemand {
      var taken: Set<String> = []
      let claims = volumes.unbound.filter { unbound in
        let existing = unbound.candidates.first {
          !taken.contains($0.name) && ExistingVolume.isUsable($0, onNode: node.name, labels: node.labels)
        }
        if let existing { taken.insert(existing.name) }
        return existing == nil
      }
      return VolumeDemand(pod: pod.key, claims: claims.map(\.demand))
    }
  }

  static func make(_ question: Question, ranking: any VolumeNodeRanking) -> SchedulingDecision {
    var refusals: [String: [Refusal]] = [:]
    var feasible: [(node: NodeState, usage: ClusterUsage.Usage)] = []
    for candidate in question.nodes {
      let reasons = Self.refusals(of: candidate.node, usage: candidate.usage, question)
      refusals[candidate.node.name] = reasons
      if reasons.isEmpty { feasible.append(candidate) }
    }
    if feasible.isEmpty { return .none(refusals) }
    var ranks: [String: (position: Int, reason: String)] = [:]
    if !question.volumes.unbound.isEmpty {
      // Where the most volumes exist already, the fewest have to be made.
      let fewest = feasible.map { question.demand(on: $0.node).claims.count }.min() ?? 0
      feasible.removeAll { question.demand(on: $0.node).claims.count > fewest }
      let storage = feasible.map { question.storage[$0.node.name] ?? NodeStorage(node: $0.node.name, pools: [:]) }
      let demand =
        feasible.first.map { question.demand(on: $0.node) } ?? VolumeDemand(pod: question.pod.key, claims: [])
      for (position, ranked) in ranking.rank(demand, among: storage).enumerated() {
        ranks[ranked.node] = ranks[ranked.node] ?? (position, ranked.reason)
      }
    }
    let scored = feasible.map { candidate in
      (
        name: candidate.node.name,
        score: Score.of(
          candidate.node, usage: candidate.usage, question: question, feasible: feasible,
          volumePosition: question.volumes.unbound.isEmpty
            ? nil : ranks[candidate.node.name]?.position ?? feasible.count)
      )
    }
    guard let best = scored.min(by: { ($1.score, $0.name) < ($0.score, $1.name) }) else { return .none(refusals) }
    return .node(best.name, reason: ranks[best.name]?.reason ?? "score \(best.score)")
  }

  // MARK: Filters

  /// Why this node cannot take the pod; empty if it can. Only the first filter that fails speaks, as in kube-scheduler.
  static func refusals(of node: NodeState, usage: ClusterUsage.Usage, _ question: Question) -> [Refusal] {
    let pod = question.pod
    let tolerations = pod.spec["tolerations"].elements
    if node.isUnschedulable,
      !Taint(key: "node.kubernetes.io/unschedulable", effect: "NoSchedule").isTolerated(by: tolerations)
    {
      return [.unschedulable]
    }
    if let taint = node.taints.first(where: { $0.isHard && !$0.isTolerated(by: tolerations) }) {
      return [.taint(taint)]
    }
    if !node.isReady { return [.notReady] }
    let selector = pod.spec["nodeSelector"].strings
    guard selector.allSatisfy({ node.labels[$0.key] == $0.value }) else { return [.affinity] }
    let required = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    if !required.isNull, !NodeSelectorTerms.match(required, labels: node.labels, name: node.name) { return [.affinity] }
    if !usage.hostPorts.isDisjoint(with: question.requests.hostPorts) { return [.hostPorts] }
    let missing = resourceRefusals(node, usage, question.requests)
    if !missing.isEmpty { return missing }
    return volumeRefusals(node, question)
  }

  private static func resourceRefusals(
    _ node: NodeState, _ usage: ClusterUsage.Usage, _ requests: PodRequests
  ) -> [Refusal] {
    var reasons: [Refusal] = []
    if let most = node.allocatable["pods"], Int128(usage.pods + 1) * 1000 > most { reasons.append(.tooManyPods) }
    for (resource, amount) in requests.amounts.sorted(by: { $0.key < $1.key }) where amount > 0 {
      if (usage.amounts[resource] ?? 0) + amount > node.allocatable[resource] ?? 0 {
        reasons.append(.insufficient(resource))
      }
    }
    return reasons
  }

  private static func volumeRefusals(_ node: NodeState, _ question: Question) -> [Refusal] {
    for volume in question.volumes.bound
    where !ExistingVolume.isUsable(volume, onNode: node.name, labels: node.labels) {
      return [.volumeAffinity]
    }
    guard !question.volumes.unbound.isEmpty else { return [] }
    for unbound in question.volumes.unbound {
      // A volume is on its way already: the pod follows it.
      if let selected = unbound.selectedNode, selected != node.name { return [.volumeAffinity] }
      let topologies = unbound.storageClass["allowedTopologies"].elements
      if !topologies.isEmpty, !topologies.contains(where: { allows($0, node) }) { return [.topology] }
    }
    if question.failedNodes.contains(node.name) { return [.provisioningFailed] }
    let demand = question.demand(on: node)
    let toMake = Set(demand.claims.map(\.key))
    let isManual = question.volumes.unbound.contains {
      $0.storageClass["provisioner"].string == ExistingVolume.noProvisioner && toMake.contains($0.claim.key)
    }
    if isManual { return [.noVolume] }
    guard let storage = question.storage[node.name], !storage.fits(demand) else { return [] }
    let short = Set(demand.claims.map(\.pool)).compactMap { name -> Refusal? in
      guard let storage = storage.pools[name] else { return nil }
      let largest = demand.claims.filter { $0.pool == name }.map(\.bytes).max() ?? 0
      let limit = min(storage.freeBytes, storage.maximumVolumeBytes ?? .max)
      if largest > limit { return .storage(asked: largest, free: limit) }
      let sum = demand.bytes(of: name)
      return sum > storage.freeBytes ? .storage(asked: sum, free: storage.freeBytes) : nil
    }
    return short
  }

  private static func allows(_ topology: JSONValue, _ node: NodeState) -> Bool {
    topology["matchLabelExpressions"].elements.allSatisfy { expression in
      let values = expression["values"].elements.compactMap(\.string)
      return node.labels[expression["key"].string ?? ""].map(values.contains) ?? false
    }
  }
}
