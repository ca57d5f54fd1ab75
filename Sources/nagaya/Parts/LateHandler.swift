import KubernetesAPI
import KubernetesClient
import Locking

/// Hands requests to a handler that is made after the server in front of it; refuses them until then.
final class LateHandler: APIRequestHandling {
  private let handler = Mutex<(any APIRequestHandling)?>(nil)

  func set(_ handler: any APIRequestHandling) { self.handler.withLock { $0 = handler } }

  func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
    guard let handler = handler.withLock({ $0 }) else {
      let status = APIStatus(.serviceUnavailable, "this process is still starting", retryAfterSeconds: 1)
      return APIResponse(status: status.code, body: .bytes(status.json.encoded()))
    }
    return await handler.respond(to: request, from: user)
  }
}
