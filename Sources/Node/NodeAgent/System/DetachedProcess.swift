import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// A process that is not bound to this one's life: it leads its own session and outlives a `kill -9` of its parent.
public struct DetachedProcess: Hashable, Sendable {
  public let id: pid_t

  /// `POSIX_SPAWN_SETSID` of glibc's spawn.h, which only shows it with _GNU_SOURCE.
  private static let ownSession: Int16 = 0x80

  /// Starts a program with its own session, no input, and its output appended to a file.
  /// - Throws: `SystemError` if it cannot be started.
  public static func start(_ program: String, _ arguments: [String], environment: [String: String], output: String)
    throws(SystemError) -> DetachedProcess
  {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var everySignal = sigset_t()
    sigfillset(&everySignal)
    var noSignal = sigset_t()
    sigemptyset(&noSignal)
    posix_spawnattr_setsigdefault(&attributes, &everySignal)
    posix_spawnattr_setsigmask(&attributes, &noSignal)
    posix_spawnattr_setflags(
      &attributes, Self.ownSession | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // Descriptors that some library opened without O_CLOEXEC must not live as long as the new process does.
    for descriptor in Directory.namesIfReadable(in: "/proc/self/fd").compactMap({ Int32($0) }) where descriptor > 2 {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }

    let argumentPointers = ([program] + arguments).map { strdup($0) } + [nil]
    let environmentPointers = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
    var id: pid_t = 0
    let failure = posix_spawn(&id, program, &actions, &attributes, argumentPointers, environmentPointers)
    guard failure == 0 else { throw SystemError("start", program, errno: failure) }
    return DetachedProcess(id: id)
  }

  /// The running process whose arguments are these, whoever started it.
  static func find(program: String, arguments: [String]) -> DetachedProcess? {
    var wanted: [UInt8] = []
    for argument in [program] + arguments {
      wanted += Array(argument.utf8)
      wanted.append(0)
    }
    for name in Directory.namesIfReadable(in: "/proc") {
      guard let id = pid_t(name), let line = try? SmallFile.read("/proc/\(name)/cmdline"), line == wanted else {
        continue
      }
      let process = DetachedProcess(id: id)
      if process.isRunning { return process }
    }
    return nil
  }

  /// Every running process that has `argument` among its arguments.
  static func all(withArgument argument: String) -> [DetachedProcess] {
    Directory.namesIfReadable(in: "/proc").compactMap { name in
      guard let id = pid_t(name), let line = try? SmallFile.read("/proc/\(name)/cmdline") else { return nil }
      let arguments = line.split(separator: 0)
      let process = DetachedProcess(id: id)
      return arguments.contains { $0.elementsEqual(argument.utf8) } && process.isRunning ? process : nil
    }
  }

  /// Whether it runs; a child that has ended is reaped.
  public var isRunning: Bool {
    var status: Int32 = 0
    if waitpid(id, &status, WNOHANG) == id { return false }
    guard kill(id, 0) == 0 || errno == EPERM else { return false }
    // An orphan that nobody reaps (a container without an init) stays as a zombie.
    guard let stat = SmallFile.text("/proc/\(id)/stat"), let end = stat.lastIndex(of: ")") else { return false }
    return stat[end...].dropFirst(2).first != "Z"
  }

  /// Whether its name (at most 15 characters, as the kernel keeps it) is this.
  func isNamed(_ name: String) -> Bool { SmallFile.text("/proc/\(id)/comm")?.hasPrefix(name.prefix(15)) ?? false }

  /// Makes it go before others when memory runs out; one that goes earlier already stays so.
  func raiseOutOfMemoryScore(to score: Int) {
    let path = "/proc/\(id)/oom_score_adj"
    guard let present = SmallFile.text(path).flatMap({ Int($0.filter { $0 != "\n" }) }), present < score else { return }
    try? KernelSetting.write("\(score)", to: path)
  }

  func signal(_ number: Int32) { kill(id, number) }

  /// Waits until it has ended.
  /// - Returns: whether it has.
  func waitForExit(within limit: Duration) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while isRunning {
      guard ContinuousClock.now < deadline else { return false }
      try? await Task.sleep(for: .milliseconds(20))
      if Task.isCancelled { return !isRunning }
    }
    return true
  }
}
