import Glibc

/// Why a path of the host is not shown to a container.
struct HostPathFault: Error, Hashable, CustomStringConvertible {
  let description: String
}

/// Paths of the host that an administrator lets containers see.
///
/// The runtime looks the path up by itself, later. So everything on the way must belong to root, and nobody else may write
/// there: then it still leads to what was looked at.
enum HostPath {
  /// - Throws: for what is missing, a symbolic link on the way, or a place where others may put something else.
  static func check(_ path: String) throws(HostPathFault) {
    var names = ["/"]
    var current = ""
    for part in path.split(separator: "/") {
      current += "/\(part)"
      names.append(current)
    }
    for (index, name) in names.enumerated() {
      var status = stat()
      guard lstat(name, &status) == 0 else {
        throw HostPathFault(description: "\(name): \(String(cString: strerror(errno)))")
      }
      guard status.st_mode & S_IFMT != S_IFLNK else {
        throw HostPathFault(description: "\(name) is a symbolic link: name the place itself")
      }
      guard status.st_uid == 0 else {
        throw HostPathFault(description: "\(name) belongs to user \(status.st_uid), not to root")
      }
      // At the end others may write, if that is what the administrator wants; they can't put something else there.
      guard index == names.count - 1 || status.st_mode & 0o022 == 0 else {
        throw HostPathFault(description: "others than root may write in \(name), and put something else below it")
      }
    }
  }
}
