import KubernetesAPI

/// Positions of kinds: the cache and the watches count kinds instead of comparing names.
struct KindIndex: Sendable {
  let definitions: [ResourceDefinition]
  /// Under which name the store keeps a kind: `pods`, `deployments.apps`.
  let storeKeys: [String]
  private let byPath: [String: Int]
  private let byKind: [String: Int]

  init(_ registry: ResourceRegistry) {
    definitions = registry.definitions
    storeKeys = definitions.map(\.resource.qualifiedPlural)
    byPath = Dictionary(
      definitions.enumerated().map { ("\($1.resource.apiVersion)/\($1.resource.plural)", $0) },
      uniquingKeysWith: { first, _ in first })
    byKind = Dictionary(
      definitions.enumerated().map { ("\($1.resource.group)/\($1.resource.kind)", $0) },
      uniquingKeysWith: { first, _ in first })
  }

  func find(group: String, version: String, plural: String) -> Int? {
    byPath[group.isEmpty ? "\(version)/\(plural)" : "\(group)/\(version)/\(plural)"]
  }

  func find(_ resource: Resource) -> Int? {
    find(group: resource.group, version: resource.version, plural: resource.plural)
  }

  /// Of an owner reference; the version does not matter.
  func find(apiVersion: String, kind: String) -> Int? {
    let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false)
    return byKind["\(parts.count == 2 ? String(parts[0]) : "")/\(kind)"]
  }
}
