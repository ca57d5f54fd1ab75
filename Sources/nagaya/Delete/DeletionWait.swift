import KubernetesAPI
import KubernetesClient

/// Waits until an object is gone.
enum DeletionWait {
  /// - Parameters:
  ///   - uid: of the object that goes; another one of the same name counts as gone.
  ///   - reason: says, of the object as it is when the time is up, what holds it.
  static func run(
    _ client: KubernetesClient, _ resource: Resource, namespace: String = "", name: String, uid: String,
    limit: TimeSpan, reason: (KubernetesObject) -> String? = { _ in nil }
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
      let object = try? await client.getIfPresent(resource, namespace: namespace, name: name)
      throw CommandFailure(
        "\(kind) \(name) is still there after \(limit): \(object.flatMap(reason) ?? "something holds it")",
        remedy: "it goes on being deleted; see its finalizers: kubectl get \(kind) \(name) -o yaml",
        exitCode: CommandFailure.timedOut)
    }
  }

  /// Waits until the pods of a deleted app have ended, and until its volumes are gone.
  /// - Parameter keepsVolumes: only for the pods.
  static func runForParts(
    _ client: KubernetesClient, of app: KubernetesObject, keepsVolumes: Bool, limit: TimeSpan
  ) async throws {
    let progress = ProgressLine()
    defer { progress.clear() }
    let left = LeftParts()
    do {
      try await Deadline.within(limit.duration) {
        while true {
          // A new app of the same name has parts of the same names; what is left of the old one is no longer told apart.
          if try await client.getIfPresent(.applications, namespace: app.namespace, name: app.name) != nil { return }
          let parts = try await AppParts.load(client, app.namespace, app.name)
          let names =
            parts.pods.map { "pod \($0.name)" } + (keepsVolumes ? [] : parts.claims.map { "volume claim \($0.name)" })
          guard let first = names.first else { return }
          await left.set(names)
          progress.show(
            "\(app.name): waiting until \(names.count > 1 ? "\(names.count) parts are" : "\(first) is") gone")
          try await Task.sleep(for: .milliseconds(100))
        }
      }
    } catch is Deadline.Passed {
      let names = await left.names
      throw CommandFailure(
        "app \(app.name) is gone, but after \(limit) there is still \(names.prefix(3).joined(separator: ", "))",
        remedy: "it goes on being deleted; see why: nagaya get events -n \(app.namespace)",
        exitCode: CommandFailure.timedOut)
    }
  }
}

/// What a wait saw last.
private actor LeftParts {
  private(set) var names: [String] = []

  func set(_ names: [String]) { self.names = names }
}
