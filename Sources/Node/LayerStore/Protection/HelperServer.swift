import Glibc
import LinuxSystem

/// The loop of a small process that holds open files for the store: one thread, no tasks, nothing that could fail later.
///
/// Messages are packets of text with open files: a command, its arguments, and one answer to each.
final class HelperServer {
  /// What a command is answered with; `nil` ends the process.
  typealias Answer = (text: String, files: [SharedDescriptor])

  private let listener: PacketSocket
  private let lock: FileLock
  private var clients: [PacketSocket] = []

  /// Leaves the parent and waits at `<name>.sock` in the run directory.
  /// - Returns: `nil` if such a process is there already.
  init?(_ name: String, runDirectory: String) throws {
    try BackgroundProgram.leaveParent()
    guard let lock = try FileLock("\(runDirectory)/\(name).lock") else { return nil }
    self.lock = lock
    listener = try PacketSocket.listen(Self.socket(name, runDirectory))
  }

  static func socket(_ name: String, _ runDirectory: String) -> String { "\(runDirectory)/\(name).sock" }

  /// Serves until told to end, or until nobody needs it.
  /// - Parameters:
  ///   - watched: descriptors besides the clients', asked for before each wait.
  ///   - isIdle: whether it holds nothing; with no client either, it ends after some seconds.
  func run(
    watched: () -> [Int32], onReadable: (Int32) -> Void, isIdle: () -> Bool,
    answer: (_ command: Substring, _ arguments: [Substring], [SharedDescriptor]) -> Answer?
  ) {
    while true {
      let extra = watched()
      var polled = ([listener.descriptor.number] + clients.map(\.descriptor.number) + extra).map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      let ready = poll(&polled, nfds_t(polled.count), Self.idleMilliseconds)
      if ready == 0, clients.isEmpty, isIdle() { return }
      guard ready > 0 else { continue }
      for entry in polled.suffix(extra.count) where entry.revents != 0 { onReadable(entry.fd) }
      var gone: [Int] = []
      for (index, entry) in polled.dropFirst().prefix(clients.count).enumerated() where entry.revents != 0 {
        guard let message = try? clients[index].receive() else {
          gone.append(index)
          continue
        }
        let words = message.text.split(separator: " ")
        guard let reply = answer(words.first ?? "", Array(words.dropFirst()), message.files) else {
          try? clients[index].send("ok")
          return
        }
        do { try clients[index].send(reply.text, files: reply.files) } catch { gone.append(index) }
      }
      for index in gone.reversed() { clients.remove(at: index) }
      if polled[0].revents != 0, let client = try? listener.accept(), (try? client.peerUser()) == getuid() {
        clients.append(client)
      }
    }
  }

  private static let idleMilliseconds: Int32 = 10_000
}
