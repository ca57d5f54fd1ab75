import Foundation
import JSONDocument
import KubernetesAPI

/// What an API server asks a webhook about a pod that is to be created (`AdmissionReview` of admission.k8s.io/v1).
struct PodReview: Sendable {
  let uid: String
  let pod: KubernetesObject
  /// The request is only tried.
  let isDryRun: Bool

  /// - Throws: `badRequest` where it is no review that can be answered.
  init(_ body: JSONValue) throws(APIStatus) {
    let request = body["request"]
    guard body["apiVersion"].string == "admission.k8s.io/v1", body["kind"].string == "AdmissionReview",
      let uid = request["uid"].string, !uid.isEmpty
    else {
      throw APIStatus(.badRequest, "the body is no AdmissionReview of admission.k8s.io/v1 with a request")
    }
    self.uid = uid
    isDryRun = request["dryRun"].bool ?? false
    // What is not a pod that begins is let through as it is.
    let isNew =
      request["operation"].string == "CREATE" && request["resource"]["resource"].string == "pods"
      && (request["subResource"].string ?? "").isEmpty
    var pod = KubernetesObject(json: isNew ? request["object"] : .object([:]))
    // The object of a request need not name its namespace.
    if let namespace = request["namespace"].string { pod.metadata["namespace"] = .string(namespace) }
    self.pod = pod
  }

  /// `AdmissionReview` with the answer: always allowed, changed by a JSON Patch (RFC 6902) or not at all.
  func allowed(patch: JSONValue? = nil) -> JSONValue {
    var response: JSONValue = ["uid": .string(uid), "allowed": true]
    if let patch {
      response["patchType"] = "JSONPatch"
      response["patch"] = .string(Data(patch.encoded()).base64EncodedString())
    }
    return ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response]
  }
}

extension SchedulerExtender {
  /// How many nodes a pod is told to prefer.
  static let preferredNodes = 8

  /// Has a new pod prefer the nodes where its volumes stand best; what it asks for itself stays.
  func review(_ review: PodReview) async -> JSONValue {
    let pod = review.pod
    guard (pod.spec["nodeName"].string ?? "").isEmpty, !pod.claimKeys.isEmpty,
      let volumes = try? await volumes(of: pod), let search = VolumeSearch(pod, volumes, ledger, usage)
    else { return review.allowed() }
    let ranked = search.rankingOfAll().prefix(Self.preferredNodes)
    guard let best = ranked.first else { return review.allowed() }
    if !review.isDryRun { expect(search, on: best.node, once: true) }
    return review.allowed(patch: Self.patch(pod, preferring: ranked.map(\.node)))
  }

  /// The pod's volumes, as soon as claims that were made just before it are known here.
  /// - Throws: what stands in the way; of claims that are not known, after a while.
  func volumes(of pod: KubernetesObject) async throws(PodVolumes.Obstacle) -> PodVolumes {
    let ephemeral = Self.ephemeralClaims(of: pod)
    let end = ContinuousClock.now + Self.claimPatience
    while true {
      do throws(PodVolumes.Obstacle) { return try informers.volumes(of: pod, claim: { ephemeral[$0] }) } catch {
        let isUnknown = pod.claimKeys.contains { ephemeral[$0] == nil && informers.claims.cache.get($0) == nil }
        guard isUnknown, ContinuousClock.now < end, !Task.isCancelled else { throw error }
      }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }

  /// The claims that will be made for the pod's generic ephemeral volumes. The pod has no uid yet, nor have they.
  static func ephemeralClaims(of pod: KubernetesObject) -> [ObjectKey: KubernetesObject] {
    Dictionary(
      pod.ephemeralClaims.map { claim in
        var claim = claim
        claim.metadata["uid"] = .string("ephemeral \(claim.key)")
        return (claim.key, claim)
      }, uniquingKeysWith: { first, _ in first })
  }

  /// A JSON Patch that adds preferred node affinities, the first node's the heaviest (100), behind what there is.
  static func patch(_ pod: KubernetesObject, preferring nodes: [String]) -> JSONValue {
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    let terms = nodes.enumerated().map { position, node -> JSONValue in
      [
        "weight": JSONValue(max(1, 100 - position * 100 / max(1, nodes.count))),
        "preference": ["matchFields": [["key": "metadata.name", "operator": "In", "values": [.string(node)]]]],
      ]
    }
    // What is missing on the way is made.
    let affinity = pod.spec["affinity"]
    let nodeAffinity = affinity["nodeAffinity"]
    let all = JSONValue.array(nodeAffinity[preferred].elements + terms)
    let add: (String, JSONValue) -> JSONValue = { path, value in ["op": "add", "path": .string(path), "value": value] }
    if affinity.isNull { return [add("/spec/affinity", ["nodeAffinity": [preferred: all]])] }
    if nodeAffinity.isNull { return [add("/spec/affinity/nodeAffinity", [preferred: all])] }
    return [add("/spec/affinity/nodeAffinity/\(preferred)", all)]
  }
}
