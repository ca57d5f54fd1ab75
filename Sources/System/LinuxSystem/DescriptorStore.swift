import CLinux
import Glibc
import Locking

/// The service manager's store of open files (sd_notify(3), `FDSTORE=1`): what is in it outlives every process of a
/// service, and is given to the next one (sd_listen_fds_with_names(3)).
///
/// Managers take what has no place in silence (systemd: `FileDescriptorStoreMax=`, which is 0 if nothing is said), so
/// `keeps` tries it out.
public final class DescriptorStore: Sendable {
  private let socket: PacketSocket
  private let inherited: Mutex<[String: SharedDescriptor]>

  /// How long a message may wait for the manager, and the manager for being asked, in seconds.
  private static let timeoutSeconds: Int32 = 10

  /// Takes over what an earlier process of the service left.
  /// - Parameter environment: of this process; to be called once.
  /// - Returns: `nil` if no service manager started this process, or if it is not to be reached.
  public init?(environment: [String: String]) {
    guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@") else { return nil }
    let socket = nagaya_notify_connect(path, Self.timeoutSeconds)
    guard socket >= 0 else { return nil }
    self.socket = PacketSocket(SharedDescriptor(owning: socket))
    inherited = Mutex(Self.take(environment))
  }

  /// What is this process's own: the variables may have been meant for one that started it.
  private static func take(_ environment: [String: String]) -> [String: SharedDescriptor] {
    guard environment["LISTEN_PID"] == "\(getpid())", let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }),
      count > 0, count < 1 << 20
    else { return [:] }
    let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
    var files: [String: SharedDescriptor] = [:]
    for index in 0..<count {
      let number = firstNumber + index
      guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else { continue }
      files[Int(index) < names.count ? String(names[Int(index)]) : "\(number)"] = SharedDescriptor(owning: number)
    }
    return files
  }

  /// `SD_LISTEN_FDS_START`
  private static let firstNumber: Int32 = 3

  /// A file that an earlier process of the service put here.
  public func file(_ name: String) -> SharedDescriptor? { inherited.withLock { $0[name] } }

  /// Gives a file to the manager.
  /// - Parameter name: at most 255 printable characters without colons.
  public func put(_ name: String, _ file: SharedDescriptor) throws(SystemError) {
    try socket.send("FDSTORE=1\nFDNAME=\(name)", files: [file])
  }

  /// Has the manager forget all files of this name.
  /// - Parameter waits: returns when it has: what it closed is free then.
  public func remove(_ name: String, waits: Bool = false) throws(SystemError) {
    _ = inherited.withLock { $0.removeValue(forKey: name) }
    try socket.send("FDSTOREREMOVE=1\nFDNAME=\(name)")
    if waits { _ = try settle() }
  }

  /// Whether the manager keeps what it is given: it gets one end of a pipe, and the other end tells. Waits for the manager.
  public func keeps() -> Bool {
    do {
      let (reading, writing) = try Self.pipe()
      try give(writing) { file throws(SystemError) in try put(Self.trial, file) }
      guard try settle() else { return false }
      let isKept = !Self.isClosed(reading, milliseconds: 0)
      try remove(Self.trial)
      return isKept
    } catch { return false }
  }

  private static let trial = "trial"

  /// Waits until the manager has taken everything that was said to it.
  private func settle() throws(SystemError) -> Bool {
    let (reading, writing) = try Self.pipe()
    try give(writing) { file throws(SystemError) in try socket.send("BARRIER=1", files: [file]) }
    return Self.isClosed(reading, milliseconds: Self.timeoutSeconds * 1000)
  }

  /// Hands an open file on; here it is closed then.
  private func give(_ number: Int32, _ body: (SharedDescriptor) throws(SystemError) -> Void) throws(SystemError) {
    let file = SharedDescriptor(owning: number)
    try body(file)
  }

  private static func pipe() throws(SystemError) -> (reading: SharedDescriptor, writing: Int32) {
    var (reading, writing): (Int32, Int32) = (-1, -1)
    try check(nagaya_pipe(&reading, &writing), "pipe", "the service manager")
    return (SharedDescriptor(owning: reading), writing)
  }

  /// Whether nobody has the other end of a pipe any more.
  private static func isClosed(_ file: SharedDescriptor, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: file.number, events: 0, revents: 0)
    var answer: Int32
    repeat { answer = poll(&entry, 1, milliseconds) } while answer < 0 && errno == EINTR
    return answer > 0 && entry.revents & Int16(POLLHUP) != 0
  }
}
