import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Tokens of a pod's service account, which the API gives to the agent of the pod's node: bound to the pod, for what the pod
/// asks (authentication.k8s.io/v1 `TokenRequest`).
///
/// Nothing is remembered but the published file: when it is to be renewed stands in the token itself, so that an agent that
/// starts anew goes on where the one before it ended.
struct PodTokens: Sendable {
  let pod: KubernetesObject
  let client: KubernetesClient
  let now: @Sendable () -> Timestamp

  /// The token that belongs into a file: the published one until four fifths of its life are over, then a new one; the old
  /// one again as long as it holds and no new one is to be had.
  /// - Parameter published: what the file holds.
  /// - Throws: `PodProblem`; never with a token in its words.
  func token(_ wanted: TokenProjection, published: [UInt8]?) async throws -> [UInt8] {
    let known = published.flatMap(PublishedToken.init)
      .flatMap { $0.isMeant(for: pod, wanted) && now().seconds < $0.expires ? $0 : nil }
    if let known, now().seconds < known.renewal { return known.bytes }
    do {
      return try await request(wanted)
    } catch {
      if Task.isCancelled { throw error }
      if let known { return known.bytes }
      throw PodProblem(
        "ContainerCreating",
        "no token of service account \"\(pod.serviceAccountOfPod)\": \((error as? APIStatus)?.message ?? "\(error)")",
        event: "FailedMount")
    }
  }

  private func request(_ wanted: TokenProjection) async throws -> [UInt8] {
    let account = pod.serviceAccountOfPod
    let body: JSONValue = [
      "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
      "spec": [
        "audiences": wanted.isForAPI ? [] : [.string(wanted.audience)],
        "expirationSeconds": .integer(wanted.seconds),
        "boundObjectRef": [
          "apiVersion": "v1", "kind": "Pod", "name": .string(pod.name), "uid": .string(pod.uid),
        ],
      ],
    ]
    let answer = try await client.send(
      APIRequest(
        .post, Resource.serviceAccounts.path(namespace: pod.namespace, name: account, subresource: "token"),
        contentType: "application/json", body: body.encoded()))
    guard let json = try? JSONValue(parsing: try await answer.body.collect()),
      let token = json["status"]["token"].string, !token.isEmpty
    else { throw APIStatus(.internalError, "the API's answer holds no token") }
    return Array(token.utf8)
  }
}

/// What a token in a file says of itself. Nobody is believed by it: the agent only decides when to ask for another one.
struct PublishedToken: Sendable {
  let bytes: [UInt8]
  /// Seconds since 1970.
  let issued: Int64
  let expires: Int64
  private let claims: JSONValue

  init?(_ bytes: [UInt8]) {
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, bytes.count <= 16 << 10,
      let claims = Base64.decodeFromURL(Substring(decoding: parts[1], as: UTF8.self))
        .flatMap({ try? JSONValue(parsing: $0) }),
      let issued = claims["iat"].int, let expires = claims["exp"].int, issued < expires
    else { return nil }
    self.bytes = bytes
    self.claims = claims
    (self.issued, self.expires) = (Int64(issued), Int64(expires))
  }

  /// When another one is due: upstream's four fifths of its life.
  var renewal: Int64 {
    let life = expires.subtractingReportingOverflow(issued)
    return life.overflow ? issued : issued + life.partialValue / 5 * 4
  }

  /// Whether it is this pod's and its account's, for the audience that is wanted: the name of a pod or account is given again.
  func isMeant(for pod: KubernetesObject, _ wanted: TokenProjection) -> Bool {
    let bound = claims["kubernetes.io"]
    let audiences = claims["aud"].elements.compactMap(\.string)
    return bound["pod"]["uid"].string == pod.uid
      && bound["serviceaccount"]["name"].string == pod.serviceAccountOfPod
      && audiences == [wanted.isForAPI ? TokenProjection.apiAudience : wanted.audience]
  }
}
