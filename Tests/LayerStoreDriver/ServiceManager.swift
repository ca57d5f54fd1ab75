import CLinux
import Foundation
import LinuxSystem

/// The part of a service manager that keeps open files for its services, as sd_notify(3) and
/// sd_listen_fds_with_names(3) have it: it starts what `ROOT/actions` names, a word a line, as often as that file appears.
final class ServiceManager {
  private let root: String
  private let capacity: Int
  private var kept: [(name: String, file: SharedDescriptor)] = []
  private var child: pid_t = 0

  /// - Parameter capacity: as systemd's `FileDescriptorStoreMax=`: what is more is closed in silence.
  init(root: String, capacity: Int) {
    self.root = root
    self.capacity = capacity
  }

  private var socketPath: String { "\(root)/notify" }
  private var actions: String { "\(root)/actions" }

  func run() throws -> Never {
    let socket = try listen()
    while true {
      var entry = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
      if poll(&entry, 1, 5) > 0 { receive(socket) }
      if child > 0, waitpid(child, nil, WNOHANG) == child {
        say("\(child) ended")
        child = 0
      }
      if child == 0, let text = SmallFile.text(actions) {
        try Directory.removeFile(actions)
        child = try start(text.split(separator: "\n").map(String.init))
        say("\(child) was started with \(kept.map(\.name))")
        // As a whole: whoever sees it may read it.
        try DurableFile.write(Array("\(child)\n".utf8), to: "\(root)/pid")
      }
    }
  }

  private func say(_ what: String) { FileHandle.standardError.write(Data("manager: \(what)\n".utf8)) }

  private func listen() throws -> SharedDescriptor {
    let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let file = SharedDescriptor(owning: number)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socketPath.utf8) }
    let isBound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    guard isBound else { throw SystemError.last("bind", socketPath) }
    return file
  }

  private func receive(_ socket: SharedDescriptor) {
    var bytes = [UInt8](repeating: 0, count: 4096)
    var numbers = [Int32](repeating: -1, count: 4)
    var count: Int32 = 0
    let length = nagaya_packet_receive(socket.number, &bytes, bytes.count, &numbers, &count)
    // Closed at the end of this unless they are kept.
    let files = numbers.prefix(Int(count)).map { SharedDescriptor(owning: $0) }
    guard length > 0 else { return }
    let lines = String(decoding: bytes[..<length], as: UTF8.self).split(separator: "\n")
    let name = lines.first { $0.hasPrefix("FDNAME=") }.map { String($0.dropFirst(7)) } ?? "stored"
    if lines.contains("FDSTORE=1") {
      for file in files where kept.count < capacity {
        guard let identity = try? file.identity(),
          !kept.contains(where: { (try? $0.file.identity()) == identity && $0.name == name })
        else { continue }
        // Out of the way of the numbers that a service gets them by.
        let moved = fcntl(file.number, F_DUPFD_CLOEXEC, 400)
        if moved >= 0 { kept.append((name, SharedDescriptor(owning: moved))) }
      }
    }
    if lines.contains("FDSTOREREMOVE=1") { kept.removeAll { $0.name == name } }
  }

  private func start(_ words: [String]) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (index, entry) in kept.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, entry.file.number, Int32(3 + index))
    }
    // The shell that becomes the service knows its number, in whichever namespace that is.
    let become = #"LISTEN_PID=$$ exec "$@""#
    let split = words.firstIndex(of: CommandLine.arguments[0]) ?? 0
    let command = Array(words[..<split]) + ["/bin/sh", "-c", become, "sh"] + words[split...]
    let environment = ProcessInfo.processInfo.environment.merging([
      "NOTIFY_SOCKET": socketPath, "LISTEN_FDS": "\(kept.count)",
      "LISTEN_FDNAMES": kept.map(\.name).joined(separator: ":"), "SWIFT_BACKTRACE": "enable=no",
    ]) { $1 }
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in arguments + variables { free(text) } }
    var process = pid_t()
    let failure = posix_spawnp(&process, command[0], &actions, nil, &arguments, &variables)
    guard failure == 0 else { throw SystemError("posix_spawn", command[0], errno: failure) }
    return process
  }
}
