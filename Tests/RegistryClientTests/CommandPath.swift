import Glibc

/// Adds a directory to PATH for a while.
struct CommandPath {
  private let before = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"

  init(adding directory: String) { setenv("PATH", "\(directory):\(before)", 1) }

  func restore() { setenv("PATH", before, 1) }
}
