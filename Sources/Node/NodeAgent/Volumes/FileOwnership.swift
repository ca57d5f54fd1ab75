import JSONDocument
import KubernetesAPI

/// Whose the files of config maps, secrets, tokens and fields are in a pod (Kubernetes, "Configure a Security Context", and
/// volume ownership of projected volumes).
struct FileOwnership: Hashable, Sendable {
  /// `fsGroup`: the files are this group's, which may read them whatever their mode.
  private let group: UInt32?
  /// Who all containers run as, if all say so and say the same.
  private let user: UInt32?

  init(of pod: KubernetesObject) {
    let context = pod.spec["securityContext"]
    group = context["fsGroup"].int.flatMap(UInt32.init(exactly:))
    let users = Set(
      (pod.initContainers + pod.containers).map { container in
        (container["securityContext"]["runAsUser"].int ?? context["runAsUser"].int).flatMap(UInt32.init(exactly:))
      })
    user = users.count == 1 ? users.first ?? nil : nil
  }

  /// A file of a volume as it is published.
  func applied(to file: PublishedFiles.File) -> PublishedFiles.File {
    guard let group else { return file }
    var file = file
    file.group = group
    file.mode |= 0o440
    return file
  }

  /// A token: nobody's but the user's that the pod runs as, where that is known.
  func token(_ bytes: [UInt8], mode: UInt32) -> PublishedFiles.File {
    PublishedFiles.File(bytes: bytes, mode: user == nil && group == nil ? mode : 0o600, user: user ?? 0)
  }
}
