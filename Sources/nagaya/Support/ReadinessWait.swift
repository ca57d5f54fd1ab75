import KubernetesAPI
import KubernetesClient

/// Waits until an app serves, and shows why it does not yet.
struct ReadinessWait: Sendable {
  var client: KubernetesClient
  var namespace: String
  var name: String
  var limit: TimeSpan
  /// How long a fault may last that often heals by itself (a first crash, a registry that stutters).
  var patience: Duration = .seconds(15)

  /// Faults that do not go away by waiting.
  private static let final: Set<String> = [
    "Invalid", "NameTaken", "InvalidImageName", "ImageNotFound", "VolumeTooLarge", "VolumeShrink", "QuotaExceeded",
    "Forbidden",
  ]
  /// Faults that rarely go away by waiting.
  private static let stubborn: Set<String> = [
    "CrashLoop", "ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError",
  ]

  /// - Parameter minimumGeneration: of the spec that must be served.
  /// - Throws: `CommandFailure`, with exit code 124 if the time is up.
  func run(minimumGeneration: Int) async throws {
    let progress = ProgressLine()
    let last = LastState()
    do {
      try await Deadline.within(limit.duration) {
        try await follow(minimumGeneration, progress, last)
      }
      progress.clear()
    } catch is Deadline.Passed {
      progress.clear()
      let state = await last.state
      throw CommandFailure(
        "app \(name) is not ready after \(limit): \(state?.text ?? "nothing is known about it")",
        remedy: NextStep.text(
          reason: state?.reason ?? "", message: state?.message ?? "", app: name, namespace: namespace),
        exitCode: CommandFailure.timedOut)
    } catch {
      progress.clear()
      throw error
    }
  }

  private func follow(_ minimumGeneration: Int, _ progress: ProgressLine, _ last: LastState) async throws {
    while true {
      let list = try await client.list(.applications, namespace: namespace, fields: "metadata.name=\(name)")
      guard let object = list.items.first else { throw gone }
      if try await judge(object, minimumGeneration, progress, last) { return }
      do {
        // A short watch, so that the line's seconds go on and patience is judged without an event.
        let events = try await client.watch(
          .applications, namespace: namespace, fields: "metadata.name=\(name)", from: list.resourceVersion,
          timeoutSeconds: 1)
        for try await event in events {
          switch event {
          case .added(let object), .modified(let object):
            if try await judge(object, minimumGeneration, progress, last) { return }
          case .deleted: throw gone
          case .bookmark: continue
          }
        }
      } catch let status as APIStatus where status.isExpired {}
      try await WatchPause.take()
    }
  }

  private var gone: CommandFailure {
    CommandFailure("app \(name) was deleted in the meantime", remedy: "create it again if that was not meant")
  }

  /// Whether it serves.
  private func judge(_ object: KubernetesObject, _ minimumGeneration: Int, _ progress: ProgressLine, _ last: LastState)
    async throws -> Bool
  {
    guard !object.isBeingDeleted else { throw gone }
    let state = AppState(object)
    guard (object.status["observedGeneration"].int ?? 0) >= minimumGeneration else {
      progress.show("\(name): waiting for the controller")
      return false
    }
    if state.ready == "True" { return true }
    progress.show("\(name): \(state.text)")
    let lasted = await last.note(state)
    let isFault = state.ready == "False"
    if isFault && (Self.final.contains(state.reason) || (Self.stubborn.contains(state.reason) && lasted > patience)) {
      throw CommandFailure(
        "app \(name) is not ready: \(state.text)",
        remedy: NextStep.text(reason: state.reason, message: state.message, app: name, namespace: namespace))
    }
    return false
  }
}

/// What an app's Ready condition says.
struct AppState: Sendable, Equatable {
  /// `True`, `False`, `Unknown`; empty before the first judgement.
  var ready: String
  var reason: String
  var message: String

  init(_ object: KubernetesObject) {
    let condition = object.status["conditions"].elements.first { $0["type"].string == "Ready" }
    ready = condition?["status"].string ?? ""
    reason = condition?["reason"].string ?? ""
    message = condition?["message"].string ?? ""
  }

  /// `ImageNotFound: image … is not found`
  var text: String {
    TableText.plain([reason, message].filter { !$0.isEmpty }.joined(separator: ": "))
  }
}

/// The last state that was seen, and since when it is no better and no worse.
private actor LastState {
  private(set) var state: AppState?
  private var since = ContinuousClock.now

  /// How long it has been as ready as it is. Reasons may take turns (an image's pull, its back-off).
  func note(_ new: AppState) -> Duration {
    if state?.ready != new.ready { since = .now }
    state = new
    return .now - since
  }
}
