/// What to do about an app that is not ready, by the reason of its Ready condition.
enum NextStep {
  /// - Parameter isDescribed: it is told below `nagaya describe app`, which it therefore need not name.
  static func text(
    reason: String, message: String, app: String, namespace: String, isDescribed: Bool = false
  ) -> String {
    if message.contains("must specify") { return unsaidShare(in: message) }
    if message.contains("has no storage class") {
      return "choose a class that exists: kubectl get storageclasses; without :CLASS a volume gets the default one"
    }
    return switch reason {
    case "ImageNotFound", "InvalidImageName":
      "check the image's name and tag; on a machine without a registry: nagaya image load FILE"
    case "ErrImagePull", "ImagePullBackOff":
      "check that this machine reaches the registry; without one: nagaya image load FILE"
    case "CrashLoop":
      "see what it said before it ended: nagaya logs app \(app) -n \(namespace) --previous"
    case "PortNotOpen":
      "see whether it listens on another port: nagaya logs app \(app) -n \(namespace); then create it with --port"
    case "NotReady", "CreateContainerConfigError":
      "see why: nagaya logs app \(app) -n \(namespace)"
        + (isDescribed ? "" : ", nagaya describe app \(app) -n \(namespace)")
    case "VolumeTooLarge", "VolumePending": "see what space is left: nagaya get pools"
    case "VolumeShrink": "volumes only grow: ask for at least the old size"
    case "Unschedulable": "see which node has room: nagaya get nodes, nagaya get pools; or ask for less --cpu, --memory"
    case "QuotaExceeded": "ask for less, or ask for a larger quota of the tenant (nagaya get tenants)"
    case "NameTaken": "something else has this name: choose another name for the app"
    case "Invalid": "correct what the message names: nagaya delete app \(app) -n \(namespace), then create it anew"
    case "Forbidden": "the tenant's policy refuses it; ask an admin of the tenant"
    case "ScaledToZero": "start it: nagaya scale app \(app) -n \(namespace) --replicas 1"
    case "Progressing", "":
      isDescribed ? "wait: nagaya get apps \(app) -n \(namespace) --watch" : more(app, namespace)
    default: isDescribed ? "see the events above; nagaya logs app \(app) -n \(namespace)" : more(app, namespace)
    }
  }

  private static func more(_ app: String, _ namespace: String) -> String {
    "see more with: nagaya describe app \(app) -n \(namespace)"
  }

  /// A quota counts what each copy asks for, so each must ask.
  static func unsaidShare(in message: String) -> String {
    let options = [("cpu", "--cpu 100m"), ("memory", "--memory 128Mi")]
    let asked = message.split(separator: "must specify").last ?? ""
    let missing = options.filter { asked.contains($0.0) }.map(\.1)
    return "the tenant has a quota, so each copy must say what it takes: "
      + "nagaya create app … \((missing.isEmpty ? options.map(\.1) : missing).joined(separator: " "))"
  }
}
