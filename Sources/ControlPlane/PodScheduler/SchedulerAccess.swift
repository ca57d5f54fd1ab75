public import KubernetesAPI

/// What the scheduler may ask the API for.
public enum SchedulerAccess {
  public static let role = PartRole(
    "system:nagaya:scheduler",
    [
      .init("", ["pods", "nodes", "persistentvolumeclaims", "persistentvolumes"], ["list", "watch"]),
      .init("", ["persistentvolumeclaims"], ["patch"]), .init("", ["pods/binding"], ["create"]),
      .init("", ["pods/status"], ["update"]), .init("", ["events"], ["create", "patch"]),
      .init("storage.k8s.io", ["storageclasses", "csidrivers", "csistoragecapacities"], ["list", "watch"]),
    ])

  /// What the extender may ask for: it changes nothing.
  public static let extender = PartRole(
    "system:nagaya:scheduler-extender",
    [
      .init("", ["nodes", "persistentvolumeclaims", "persistentvolumes"], ["list", "watch"]),
      .init("storage.k8s.io", ["storageclasses", "csidrivers", "csistoragecapacities"], ["list", "watch"]),
    ])
}
