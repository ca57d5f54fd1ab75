import JSONDocument
import KubernetesAPI
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// Whose the files of a pod's volumes are (Kubernetes, "Configure a Security Context", and volume ownership of projected
/// volumes).
struct FileOwnership: Hashable, Sendable {
  /// `fsGroup`: the files are this group's, which may read them whatever their mode.
  private let group: UInt32?
  /// Who all containers run as, if all say so and say the same.
  private let user: UInt32?
  /// `fsGroupChangePolicy`: a volume whose root is the group's is taken for done.
  private let trustsRoot: Bool

  init(of pod: KubernetesObject) {
    let context = pod.spec["securityContext"]
    group = context["fsGroup"].int.flatMap(UInt32.init(exactly:))
    trustsRoot = context["fsGroupChangePolicy"].string == "OnRootMismatch"
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

  /// Gives scratch space to the pod's group; what is in it is the pod's already.
  func take(scratch path: String) throws(SystemError) {
    if let group { try Directory.give(path, toGroup: group, isSkippedWhereRootFits: true) }
  }

  /// Gives a claim's file system that is mounted at `path` to the pod's group, as a kubelet does for drivers with the usual
  /// `fsGroupPolicy` (`ReadWriteOnceWithFSType`): before the pod sees it, and not if it is read-only.
  func take(_ volume: CSIVolume, at path: String) async throws {
    guard let group, !volume.isBlock, !volume.isReadOnly, !volume.fsType.isEmpty,
      ["ReadWriteOnce", "ReadWriteOncePod"].contains(volume.accessMode)
    else { return }
    let trustsRoot = trustsRoot
    _ = try await BlockingWork.run {
      // Another pod of the same volume may move directories meanwhile.
      for attempt in 1... {
        do throws(SystemError) {
          return try Directory.give(path, toGroup: group, isSkippedWhereRootFits: trustsRoot)
        } catch {
          // Mounted read-only by its class: it stays as it is.
          if error.errno == EROFS { return false }
          guard error.errno == EAGAIN, attempt < 5 else { throw error }
        }
      }
      return false
    }
  }

  /// A token: nobody's but the user's that the pod runs as, where that is known.
  func token(_ bytes: [UInt8], mode: UInt32) -> PublishedFiles.File {
    PublishedFiles.File(bytes: bytes, mode: user == nil && group == nil ? mode : 0o600, user: user ?? 0)
  }
}
