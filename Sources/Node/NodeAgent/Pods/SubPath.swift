import KubernetesAPI
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// Finds the file or directory below a volume that a container mounts, without leaving the volume.
enum SubPath {
  /// Resolves a path in a volume whose links the node agent wrote itself (config maps, secrets) and containers can't change.
  static func resolveFollowingLinks(_ path: String, in volume: String) throws(PodProblem) -> String {
    guard let real = realpath("\(volume)/\(path)", nil), let top = realpath(volume, nil) else {
      throw PodProblem("CreateContainerConfigError", "subPath \"\(path)\" is not in the volume")
    }
    defer {
      free(real)
      free(top)
    }
    let (file, root) = (String(cString: real), String(cString: top))
    guard file == root || file.utf8.starts(with: "\(root)/".utf8) else {
      throw PodProblem("CreateContainerConfigError", "subPath \"\(path)\" leads out of the volume")
    }
    return file
  }

  /// Resolves `path` below `volume`; directories that are missing are made.
  ///
  /// Every component is opened with `O_NOFOLLOW` from its parent's descriptor, so a link that a container planted in the
  /// volume is refused, even one planted while this runs.
  static func resolve(_ path: String, in volume: String) throws(PodProblem) -> String {
    let components = path.pathSegments.map(String.init)
    guard !path.isAbsolutePath, !path.leadsUpwards else {
      throw PodProblem("CreateContainerConfigError", "subPath \"\(path)\" must be relative and must not contain \"..\"")
    }
    var parent = open(volume, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { throw PodProblem("CreateContainerConfigError", "\(SystemError.last("open", volume))") }
    defer { close(parent) }
    for (index, component) in components.enumerated() where component != "." {
      if mkdirat(parent, component, 0o755) != 0, errno != EEXIST {
        throw PodProblem("CreateContainerConfigError", "\(SystemError.last("mkdir", "\(volume)/\(path)"))")
      }
      var status = stat()
      guard fstatat(parent, component, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
        throw PodProblem("CreateContainerConfigError", "\(SystemError.last("stat", "\(volume)/\(path)"))")
      }
      let kind = status.st_mode & S_IFMT
      if kind == S_IFREG, index == components.count - 1 { break }
      guard kind == S_IFDIR else {
        throw PodProblem(
          "CreateContainerConfigError", "subPath \"\(path)\" leads through \"\(component)\", which is no directory")
      }
      let child = openat(parent, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard child >= 0 else {
        throw PodProblem("CreateContainerConfigError", "\(SystemError.last("open", "\(volume)/\(path)"))")
      }
      close(parent)
      parent = child
    }
    return ([volume] + components.filter { $0 != "." }).joined(separator: "/")
  }
}
