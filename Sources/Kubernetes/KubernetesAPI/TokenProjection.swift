import JSONDocument

/// A token of its service account that a pod wants as a file (core/v1 `ServiceAccountTokenProjection`).
public struct TokenProjection: Hashable, Sendable {
  /// Whom the token is for; empty: the API.
  public let audience: String
  /// How long it is to hold, in seconds.
  public let seconds: Int64
  /// Where it lies in its volume.
  public let path: String

  /// What stands for the API in tokens: their issuer, and the audience of those that name none.
  public static let apiAudience = "https://kubernetes.default.svc.cluster.local"
  /// What upstream takes where a pod says nothing.
  static let standardSeconds: Int64 = 3600

  /// - Parameter source: an element of `projected.sources`.
  /// - Returns: `nil` if it is a source of another kind.
  public init?(source: JSONValue) {
    let token = source["serviceAccountToken"]
    guard case .object = token else { return nil }
    audience = token["audience"].string ?? ""
    seconds = Int64(token["expirationSeconds"].int ?? Int(Self.standardSeconds))
    path = token["path"].string ?? ""
  }

  /// Whether its holder can call the API with it.
  public var isForAPI: Bool { audience.isEmpty || audience == Self.apiAudience }
}

extension KubernetesObject {
  /// The tokens that a pod asks for.
  public var tokenProjections: [TokenProjection] {
    spec["volumes"].elements.flatMap { $0["projected"]["sources"].elements }.compactMap(TokenProjection.init(source:))
  }

  /// The service account that a pod is.
  public var serviceAccountOfPod: String {
    spec["serviceAccountName"].string.flatMap { $0.isEmpty ? nil : $0 } ?? "default"
  }

  /// Whether all containers of a pod have ended for good.
  public var isPodEnded: Bool { ["Succeeded", "Failed"].contains(status["phase"].string) }
}
