/// What to do about an app that is not ready, by the reason of its Ready condition.
enum NextStep {
  static func text(reason: String, app: String, namespace: String) -> String {
    switch reason {
    case "ImageNotFound", "InvalidImageName":
      "check the image's name and tag; on a machine without a registry: nagaya image load FILE"
    case "ErrImagePull", "ImagePullBackOff":
      "check that this machine reaches the registry; without one: nagaya image load FILE"
    case "CrashLoop":
      "see what it said before it ended: nagaya logs app \(app) -n \(namespace) --previous"
    case "PortNotOpen":
      "see whether it listens on another port: nagaya logs app \(app) -n \(namespace); then create it with --port"
    case "NotReady", "CreateContainerConfigError":
      "see why: nagaya logs app \(app) -n \(namespace), nagaya describe app \(app) -n \(namespace)"
    case "VolumeTooLarge", "VolumePending": "see what space is left: nagaya get pools"
    case "VolumeShrink": "volumes only grow: ask for at least the old size"
    case "Unschedulable": "see which node has room: nagaya get nodes, nagaya get pools; or ask for less --cpu, --memory"
    case "QuotaExceeded": "ask for less, or ask for a larger quota of the tenant (nagaya get tenants)"
    case "NameTaken": "something else has this name: choose another name for the app"
    case "Invalid": "correct what the message names: nagaya delete app \(app) -n \(namespace), then create it anew"
    case "Forbidden": "the tenant's policy refuses it; ask an admin of the tenant"
    case "ScaledToZero": "start it: nagaya scale app \(app) -n \(namespace) --replicas 1"
    default: "see more with: nagaya describe app \(app) -n \(namespace)"
    }
  }
}
