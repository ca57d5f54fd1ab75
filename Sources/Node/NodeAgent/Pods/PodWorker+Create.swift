import CRI
import GRPCCore
import JSONDocument
import KubernetesAPI

/// Containers that are made with the runtime's hooks, or not at all.
///
/// The runtime asks whoever is connected, and makes a container without hooks while nobody is: between its own start and
/// their connection, or while they are started anew. So what was made is looked at before it runs.
extension PodWorker {
  /// How long hooks may be away, before the pod is told to wait for them.
  private static let hookLimit = Duration.seconds(10)

  /// - Returns: the container's id.
  /// - Throws: `PodProblem`
  func create(_ request: Runtime_V1_CreateContainerRequest) async throws -> String {
    let runtime = context.runtime.runtime
    let options = RuntimeClient.within(.seconds(240))
    let deadline = ContinuousClock.now + Self.hookLimit
    var pause = Duration.milliseconds(50)
    while true {
      let id: String
      do {
        id = try await toTheEnd { try await runtime.createContainer(request, options: options).containerID }
      } catch let error as RPCError {
        throw PodProblem("CreateContainerError", HookRefusalText.readable(error.message))
      }
      guard let hooks = context.hooks else { return id }
      let annotations = try await annotations(of: id)
      if let changes = annotations[hooks.mark].string {
        hookLimits[id] = (annotations[HookLimits.annotation].string ?? "").split(separator: "\n").map(String.init)
        if !changes.isEmpty {
          context.events.record(
            .normal, about: pod, reason: "Adjusted", message: "Container \(request.config.metadata.name): \(changes)")
        }
        return id
      }
      _ = try? await runtime.removeContainer(.with { $0.containerID = id }, options: options)
      guard ContinuousClock.now < deadline else {
        throw PodProblem(
          "HooksNotReady", "the node's hooks are not connected with the runtime: containers wait for their limits")
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, .seconds(1))
    }
  }

  /// The annotations that the runtime keeps with a container; nothing that a pod can write.
  private func annotations(of id: String) async throws -> JSONValue {
    let request = Runtime_V1_ContainerStatusRequest.with {
      $0.containerID = id
      $0.verbose = true
    }
    let answer = try await context.runtime.runtime.containerStatus(request, options: RuntimeClient.within(.seconds(30)))
    guard let info = answer.info["info"], let json = try? JSONValue(parsing: Array(info.utf8)) else { return .null }
    return json["runtimeSpec"]["annotations"]
  }
}

/// Makes the runtime's words about a container that hooks refused readable.
enum HookRefusalText {
  /// The hooks' own words are behind those of the runtime: `...: rpc error: code = InvalidArgument desc = ulimits: ...`.
  static func readable(_ message: String) -> String {
    guard message.contains("NRI"), let start = message.ranges(of: " desc = ").last else { return message }
    return "refused by the node's hooks: \(message[start.upperBound...])"
  }
}
