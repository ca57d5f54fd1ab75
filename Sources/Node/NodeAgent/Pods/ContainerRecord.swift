import CRI
import KubernetesAPI

/// One run of a container, as the runtime knows it.
struct ContainerRecord: Hashable, Sendable {
  enum State: Hashable, Sendable {
    case created
    case running(since: Timestamp)
    case exited(Exit)
    case unknown
  }

  struct Exit: Hashable, Sendable {
    var code: Int32
    var reason: String
    var message: String
    var started: Timestamp?
    var finished: Timestamp
  }

  var id: String
  var name: String
  /// 0 for the first run.
  var attempt: Int
  var sandboxID: String
  var state: State
  /// As the pod names it.
  var image: String
  /// What it resolved to: `sha256:…` or a name with a digest.
  var imageID: String
  var createdAt: Int64

  var isRunning: Bool {
    if case .running = state { return true }
    return false
  }

  var exit: Exit? {
    if case .exited(let exit) = state { return exit }
    return nil
  }

  init(_ status: Runtime_V1_ContainerStatus, sandboxID: String) {
    id = status.id
    name = status.labels[PodLabels.container] ?? status.metadata.name
    attempt = Int(status.metadata.attempt)
    self.sandboxID = sandboxID
    image = status.image.userSpecifiedImage.isEmpty ? status.image.image : status.image.userSpecifiedImage
    imageID = status.imageRef.isEmpty ? status.imageID : status.imageRef
    createdAt = status.createdAt
    func time(_ nanoseconds: Int64) -> Timestamp { Timestamp(microseconds: nanoseconds / 1000) }
    switch status.state {
    case .containerCreated: state = .created
    case .containerRunning: state = .running(since: time(status.startedAt))
    case .containerExited:
      state = .exited(
        Exit(
          code: status.exitCode,
          reason: status.reason.isEmpty ? (status.exitCode == 0 ? "Completed" : "Error") : status.reason,
          message: status.message, started: status.startedAt > 0 ? time(status.startedAt) : nil,
          finished: time(status.finishedAt)))
    default: state = .unknown
    }
  }

  init(
    id: String, name: String, attempt: Int, sandboxID: String, state: State, image: String = "", imageID: String = "",
    createdAt: Int64 = 0
  ) {
    self.id = id
    self.name = name
    self.attempt = attempt
    self.sandboxID = sandboxID
    self.state = state
    self.image = image
    self.imageID = imageID
    self.createdAt = createdAt
  }
}

/// Labels by which sandboxes and containers are found again (as the kubelet sets them).
enum PodLabels {
  static let name = "io.kubernetes.pod.name"
  static let namespace = "io.kubernetes.pod.namespace"
  static let uid = "io.kubernetes.pod.uid"
  static let container = "io.kubernetes.container.name"
  /// An annotation: seconds from SIGTERM to SIGKILL, for whoever stops the container without its pod's object.
  static let grace = "io.kubernetes.pod.terminationGracePeriod"

  static func grace(in annotations: [String: String]) -> Int { annotations[grace].flatMap { Int($0) } ?? 30 }
}
