public import KubernetesAPI

/// What the hooks may ask the API for: what holds, whose namespaces are, of which classes volumes are, and what these
/// say; and they may tell of pods.
public enum HookAccess {
  /// The name of their role, of its binding and of their user.
  public static var name: String { role.name }

  public static let role = PartRole(
    "system:nagaya:hooks",
    [
      .init("nagaya.dev", ["nodepolicies"], ["list", "watch"]),
      .init("", ["namespaces", "persistentvolumes"], ["list", "watch"]),
      .init("storage.k8s.io", ["storageclasses", "volumeattributesclasses"], ["list", "watch"]),
      .init("", ["events"], ["create", "patch"]),
    ])
}
