import Foundation

/// A directory under /tmp that is gone when the value's owner calls `remove`.
struct TemporaryDirectory {
  let path: String
  init() throws {
    path = "/tmp/nagaya-ca-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  func remove() { try? FileManager.default.removeItem(atPath: path) }
  func write(_ text: String, _ name: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }
  func mode(_ name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
    return (attributes[.posixPermissions] as? Int) ?? -1
  }
}

/// Runs a command and returns its status with what it printed on both streams.
func run(_ command: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
  // A file, not a pipe: a pipe's end could be inherited by a program that another test starts, and never close.
  let path = "/tmp/nagaya-ca-output-\(UUID().uuidString)"
  defer { try? FileManager.default.removeItem(atPath: path) }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  posix_spawn_file_actions_adddup2(&actions, 1, 2)
  // Neither the test's sockets nor its blocked signals are the program's.
  for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
    if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
  }
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
  var words = ([command] + arguments).map { strdup($0) } + [nil]
  defer { for word in words { free(word) } }
  var identifier: pid_t = 0
  let error = posix_spawnp(&identifier, command, &actions, &attributes, &words, environ)
  guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EINVAL) }
  var status: Int32 = 0
  while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
  let exit = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
  return (exit, try String(contentsOfFile: path, encoding: .utf8))
}
