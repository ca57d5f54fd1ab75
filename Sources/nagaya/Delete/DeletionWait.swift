import KubernetesAPI
import KubernetesClient

/// Waits until an object is gone.
enum DeletionWait {
  /// - Parameter uid: of the object that goes; another one of the same name counts as gone.
  static func run(
    _ client: KubernetesClient, _ resource: Resource, namespace: String = "", name: String, uid: String, limit: TimeSpan
  ) async throws {
    let progress = ProgressLine()
    progress.show("\(name): waiting until it is gone")
    defer { progress.clear() }
    do {
      try await Deadline.within(limit.duration) {
        let fields = "metadata.name=\(name)"
        while true {
          let list = try await client.list(resource, namespace: namespace, fields: fields)
          guard list.items.contains(where: { $0.uid == uid }) else { return }
          do {
            let events = try await client.watch(
              resource, namespace: namespace, fields: fields, from: list.resourceVersion, timeoutSeconds: 30)
            for try await case .deleted(let object) in events where object.uid == uid { return }
          } catch let status as APIStatus where status.isExpired {}
          try await WatchPause.take()
        }
      }
    } catch is Deadline.Passed {
      let kind = resource.kind.lowercased()
      throw CommandFailure(
        "\(kind) \(name) is still there after \(limit): something holds it",
        remedy: "it goes on being deleted; see its finalizers: kubectl get \(kind) \(name) -o yaml",
        exitCode: CommandFailure.timedOut)
    }
  }
}
