import JSONDocument
import KubernetesAPI

/// The node for a pod, or why there is none: a pure function of what is known.
enum SchedulingDecision: Sendable, Equatable {
  /// The reason is that of the volumes to be made there, in one line for people; `nil` where none is to be made.
  case node(String, reason: String?)
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
    var ranks: [String: RankedNode] = [:]
    var positions: [String: Int] = [:]
    if !question.volumes.unbound.isEmpty {
      // Where the most volumes exist already, the fewest have to be made.
      let fewest = feasible.map { question.demand(on: $0.node).claims.count }.min() ?? 0
      feasible.removeAll { question.demand(on: $0.node).claims.count > fewest }
      for (position, ranked) in rank(question, ranking, candidates: feasible.map(\.node), refusals).enumerated()
      where ranks[ranked.node] == nil {
        ranks[ranked.node] = ranked
        positions[ranked.node] = position
      }
    }
    let scored = feasible.map { candidate in
      (
        name: candidate.node.name,
        score: Score(
          candidate.node, usage: candidate.usage, question: question, feasible: feasible,
          volumePosition: ranks.isEmpty ? nil : positions[candidate.node.name] ?? feasible.count)
      )
    }
    guard let best = scored.max(by: { ($0.score, $1.name) < ($1.score, $0.name) }) else { return .none(refusals) }
    guard let ranked = ranks[best.name] else { return .node(best.name, reason: nil) }
    // Where something else than storage spoke for the node, that is told first.
    let first = scored.first { positions[$0.name] == 0 }
    let other = first.flatMap { $0.name == best.name ? nil : best.score.advantage(over: $0.score) }
    return .node(best.name, reason: [other, ranked.reason].compactMap(\.self).joined(separator: "; "))
  }

  /// Asks for the order of the candidates by their storage; empty where no volume has to be made or nothing is known.
  static func rank(
    _ question: Question, _ ranking: any VolumeNodeRanking, candidates: [NodeState], _ refusals: [String: [Refusal]]
  ) -> [RankedNode] {
    guard let demand = candidates.first.map(question.demand(on:)), !demand.claims.isEmpty else { return [] }
    let names = Set(candidates.map(\.name))
    // Nodes that take no pods have no part in what the cluster can still take; others that this pod can't use do.
    let storage = question.nodes.filter { node, _ in
      !(refusals[node.name] ?? []).contains { $0.isClosed }
    }.map { node, _ in
      var storage = question.storage[node.name] ?? NodeStorage(node: node.name, pools: [:])
      storage.isCandidate = names.contains(node.name)
      return storage
    }
    return ranking.rank(demand, among: storage).filter { names.contains($0.node) }
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
    if usage.hasAny(of: question.requests.hostPorts) { return [.hostPorts] }
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

  static func volumeRefusals(_ node: NodeState, _ question: Question) -> [Refusal] {
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
    let isManual = question.volumes.unbound.contains { $0.isProvidedByHandOnly && toMake.contains($0.claim.key) }
    if isManual { return [.noVolume] }
    let isAway = question.volumes.unbound.contains {
      toMake.contains($0.claim.key) && $0.sourceNode.map { $0 != node.name } ?? false
    }
    if isAway { return [.sourceElsewhere] }
    guard let storage = question.storage[node.name], !storage.fits(demand) else { return [] }
    return Set(demand.claims.map(\.pool)).sorted().compactMap { name -> Refusal? in
      guard let storage = storage.pools[name] else { return nil }
      let largest = demand.claims.filter { $0.pool == name }.map(\.bytes).max() ?? 0
      let limit = min(storage.freeBytes, storage.maximumVolumeBytes ?? .max)
      let sum = demand.bytes(of: name)
      guard largest > limit || sum > storage.freeBytes else { return nil }
      let storageClass = question.volumes.unbound.first { $0.demand.pool == name }?.storageClass.name ?? ""
      return .storage(
        Refusal.Shortage(
          storageClass: storageClass, asked: largest > limit ? largest : sum,
          largest: largest > limit ? limit : storage.freeBytes, free: storage.freeBytes))
    }
  }

  private static func allows(_ topology: JSONValue, _ node: NodeState) -> Bool {
    topology["matchLabelExpressions"].elements.allSatisfy { expression in
      let values = expression["values"].elements.compactMap(\.string)
      return node.labels[expression["key"].string ?? ""].map(values.contains) ?? false
    }
  }
}
