import KubernetesAPI
public import KubernetesClient

/// Answers what an API server asks a node (the kubelet's https API): the logs of its containers.
///
/// Only the API server is answered, and only about pods of this node: names in a request are looked up among them and
/// never become part of a path.
public struct NodeRequests: APIRequestHandling {
  private let logs: NodeLogs
  /// A pod of this node, by namespace and name.
  let pod: @Sendable (String, String) -> KubernetesObject?

  init(logs: NodeLogs, pod: @escaping @Sendable (String, String) -> KubernetesObject?) {
    self.logs = logs
    self.pod = pod
  }

  public func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
    do throws(APIStatus) { return try await answer(request, user) } catch {
      return APIResponse(status: error.code, body: .bytes(error.json.encoded()))
    }
  }

  private func answer(_ request: APIRequest, _ user: UserInfo) async throws(APIStatus) -> APIResponse {
    guard user.name == NodeAPI.apiServer.name, request.impersonation == nil else {
      throw APIStatus(.forbidden, "User \"\(user.name.prefix(80))\" may not ask this node; only the API server may")
    }
    guard request.method == .get else {
      throw APIStatus(.methodNotAllowed, "the node does not allow this method")
    }
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 5, parts[0].isEmpty, parts[1] == NodeAPI.containerLogs else {
      throw APIStatus(.notFound, "the node has nothing at this path")
    }
    guard let pod = pod(parts[2], parts[3]) else {
      throw APIStatus(.notFound, "the node does not know the pod \"\(parts[2].prefix(80))/\(parts[3].prefix(80))\"")
    }
    let options = try PodLogOptions(container: parts[4], request: request)
    return APIResponse(
      status: 200, contentType: "text/plain", body: .stream(try await logs.log(of: pod, options: options)))
  }
}
