import KubernetesAPI
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// Parts of volumes that containers mount (core/v1 `VolumeMount.subPath`).
///
/// Containers can change what is in a volume at any moment, so a path that was checked means nothing a moment later. What
/// was found is therefore shown, by its descriptor, at a place that only the node agent can write,
/// `pods/<uid>/volumes/subpath/<container>/<number>`; that place is what the runtime gets. It is there until the
/// container's next start or the pod's end, and is found again on the disk alone.
struct SubPath {
  /// As the pod names it, variables replaced.
  let path: String
  /// The volume's directory on the host.
  let volume: String
  /// The volume's files are the node agent's own (config maps, secrets): links in it are its, and nothing is made.
  let isFiles: Bool

  /// Mounts it.
  /// - Parameters:
  ///   - directory: the container's, `pods/<uid>/volumes/subpath/<container>`.
  ///   - number: of the container's mount.
  /// - Returns: where it is mounted.
  /// - Throws: `PodProblem` for a path that leads out of the volume or through something that is no directory.
  func mount(in directory: String, number: Int) throws(PodProblem) -> String {
    let found = try find()
    let place = "\(directory)/\(number)"
    do throws(SystemError) {
      try Self.unmount(place)
      switch found.kind {
      case .directory: try Directory.make(place)
      case .file:
        try Directory.make(directory)
        try SmallFile.write([], to: place)
      default: throw SystemError("open_tree", place, errno: ENOTDIR)
      }
      try found.bind(at: place)
    } catch { throw problem(error) }
    return place
  }

  private func find() throws(PodProblem) -> RootedFile {
    guard !path.isAbsolutePath, !path.leadsUpwards else {
      throw problem("must be relative and must not contain \"..\"")
    }
    do throws(SystemError) {
      let directory = try RootedDirectory(volume)
      return isFiles ? try directory.find(path, links: .within) : try directory.findOrMake(path)
    } catch { throw problem(error) }
  }

  private func problem(_ error: SystemError) -> PodProblem {
    switch error.errno {
    case ELOOP: problem("leads through a symbolic link")
    case EXDEV: problem("leads out of the volume")
    case ENOTDIR: problem("leads through or to something that is neither a directory nor a regular file")
    default: problem("can't be mounted: \(SystemError.message(error.errno))")
    }
  }

  private func problem(_ what: String) -> PodProblem {
    PodProblem("CreateContainerConfigError", "subPath \"\(path)\" \(what)")
  }

  // MARK: Taking back

  /// Takes all mounts of a pod's sub-paths away, and their places.
  /// - Parameter directory: `pods/<uid>/volumes/subpath`.
  static func unmountAll(in directory: String) throws(SystemError) {
    for container in Directory.namesIfReadable(in: directory) {
      for number in Directory.namesIfReadable(in: "\(directory)/\(container)") {
        try unmount("\(directory)/\(container)/\(number)")
      }
    }
  }

  /// A start that a crash cut off may have left one mount more.
  private static func unmount(_ place: String) throws(SystemError) {
    try Mounts.unmountAll(place)
    // Never a whole tree: whatever else happened, a volume's files are not what is removed here.
    if FileStatus.isDirectory(place) { try Directory.removeIfEmpty(place) } else { try Directory.removeFile(place) }
  }
}
