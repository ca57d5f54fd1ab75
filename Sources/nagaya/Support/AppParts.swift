import KubernetesAPI
import KubernetesClient

/// What an app is made of, found by the label that all of it carries.
struct AppParts: Sendable {
  static let label = "app.nagaya.dev/name"

  var pods: [KubernetesObject]
  var claims: [KubernetesObject]

  static func selector(_ app: String) -> LabelSelector { LabelSelector(matchLabels: [label: app]) }

  static func pods(_ client: KubernetesClient, _ namespace: String, _ app: String) async throws -> [KubernetesObject] {
    try await client.list(.pods, namespace: namespace, labels: selector(app)).items.sorted { $0.name < $1.name }
  }

  static func load(_ client: KubernetesClient, _ namespace: String, _ app: String) async throws -> AppParts {
    let pods = try await pods(client, namespace, app)
    let claims = try await client.list(.persistentVolumeClaims, namespace: namespace, labels: selector(app)).items
    return AppParts(pods: pods, claims: claims.sorted { $0.name < $1.name })
  }
}
