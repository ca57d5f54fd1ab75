import JSONDocument
import KubernetesAPI

/// What a scheduler asks its extender: a pod and the nodes that are left (`ExtenderArgs` of k8s.io/kube-scheduler/extender/v1, whose
/// members begin with capitals).
struct ExtenderArguments: Sendable {
  let pod: KubernetesObject
  let nodeNames: [String]

  /// - Throws: `badRequest` where the pod or the nodes' names are missing.
  init(_ body: JSONValue) throws(APIStatus) {
    guard case .object = body["Pod"], let name = body["Pod"]["metadata"]["name"].string, !name.isEmpty else {
      throw APIStatus(.badRequest, "Pod: there is none; a scheduler's extender is sent Pod and NodeNames")
    }
    guard case .array(let names) = body["NodeNames"] else {
      throw APIStatus(
        .badRequest,
        "NodeNames: there are none; set nodeCacheCapable: true for this extender in the scheduler's configuration")
    }
    pod = KubernetesObject(json: body["Pod"])
    nodeNames = names.compactMap(\.string)
    guard nodeNames.count == names.count else {
      throw APIStatus(.badRequest, "NodeNames: one of them is not a string")
    }
  }
}

extension SchedulerExtender {
  /// The highest score of an extender (`MaxExtenderPriority`).
  static let highestScore = 10

  /// `ExtenderFilterResult`: the nodes whose pools have room for the pod's new volumes, all of them together, less what is promised.
  func filter(_ arguments: ExtenderArguments) async -> JSONValue {
    let volumes: PodVolumes
    do throws(PodVolumes.Obstacle) { volumes = try await self.volumes(of: arguments.pod) } catch {
      // Known to the scheduler, and not here in time: it tries again, or goes on without the extender where that is ignorable.
      return ["Error": .string("nagaya: \(error)")]
    }
    guard let search = VolumeSearch(arguments.pod, volumes, ledger, usage) else {
      return ["NodeNames": .array(arguments.nodeNames.map { .string($0) })]
    }
    var left: [String] = []
    var failed: [String: String] = [:]
    for name in arguments.nodeNames {
      if let refusal = search.refusal(on: name) { failed[name] = refusal } else { left.append(name) }
    }
    // One that is left is not asked about again.
    if left.count == 1 { expect(search, on: left[0]) }
    // To end pods there would give no room for volumes.
    return ["NodeNames": .array(left.map { .string($0) }), "FailedAndUnresolvableNodes": .strings(failed)]
  }

  /// `HostPriorityList`: the best node has 10 and no other has, so that a large weight decides.
  func prioritize(_ arguments: ExtenderArguments) async -> JSONValue {
    var scores = Dictionary(arguments.nodeNames.map { ($0, 0) }, uniquingKeysWith: { first, _ in first })
    if let volumes = try? await volumes(of: arguments.pod),
      let search = VolumeSearch(arguments.pod, volumes, ledger, usage)
    {
      let ranked = search.ranking(among: arguments.nodeNames)
      for (position, node) in ranked.enumerated() {
        scores[node.node] =
          position == 0
          ? Self.highestScore : (Self.highestScore - 1) * (ranked.count - position) / ranked.count
      }
      if let best = ranked.first { expect(search, on: best.node) }
    }
    return .array(scores.sorted { $0.key < $1.key }.map { ["Host": .string($0.key), "Score": .init($0.value)] })
  }

  /// Counts on the scheduler to follow: the next pod's volumes are not placed in the same room.
  /// - Parameter once: for what anybody may ask: a claim has room expected once in its life, and not for longer when asked again.
  func expect(_ search: VolumeSearch, on node: String, once: Bool = false) {
    // A claim that is not there yet will have another uid.
    let claims = search.volumes.unbound.filter {
      $0.selectedNode == nil && informers.claims.cache.get($0.claim.key) != nil
    }
    ledger.reservations.expect(claims.map(\.claim), on: node, for: expectation, once: once)
  }
}
