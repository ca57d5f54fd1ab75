import JSONDocument
import KubernetesAPI
import KubernetesClient

/// What a server says it serves (`APIGroupList`, `APIResourceList`).
enum Discovery {
  /// Every namespaced kind that can be listed and deleted, in the preferred version of its group.
  static func namespacedResources(of client: KubernetesClient) async throws -> [Resource] {
    var lists = [(group: "", version: "v1", path: "/api/v1")]
    for group in try await client.json(APIRequest(.get, "/apis"))["groups"].elements {
      guard let name = group["name"].string, let version = group["preferredVersion"]["version"].string else { continue }
      lists.append((name, version, "/apis/\(name)/\(version)"))
    }
    var resources: [Resource] = []
    for list in lists {
      for item in try await client.json(APIRequest(.get, list.path))["resources"].elements {
        guard let plural = item["name"].string, !plural.contains("/"), item["namespaced"].bool == true,
          let kind = item["kind"].string
        else { continue }
        let verbs = item["verbs"].elements
        guard verbs.contains("list"), verbs.contains("delete") else { continue }
        resources.append(Resource(group: list.group, version: list.version, plural: plural, kind: kind))
      }
    }
    return resources
  }
}
