import Dispatch
import Glibc
import LinuxSystem
import Locking

/// The store's side of a keeper or guard.
final class HelperConnection: Sendable {
  /// It is gone, or said something unexpected.
  struct Failure: Error, CustomStringConvertible {
    let name: String
    let why: String
    var description: String { "the layers' \(name): \(why)" }
  }

  let name: String
  let socket: PacketSocket
  /// One question at a time. Whether one failed: what would come then may be the answer to another.
  private let isBroken = Mutex(false)
  /// Asks, and waits for answers.
  private let queue: DispatchQueue

  private init(_ name: String, _ socket: PacketSocket) {
    self.name = name
    self.socket = socket
    queue = DispatchQueue(label: "nagaya.\(name)")
  }

  /// Connects to a process that runs; `nil` if there is none.
  static func existing(_ name: String, _ runDirectory: String) -> HelperConnection? {
    (try? PacketSocket.connect(HelperServer.socket(name, runDirectory))).map { HelperConnection(name, $0) }
  }

  /// Connects, and starts the process if there is none.
  /// - Parameter command: the program and its first arguments; the subcommand and the directory are added.
  static func open(_ name: String, subcommand: String, command: [String], runDirectory: String) async throws
    -> HelperConnection
  {
    if let found = existing(name, runDirectory) { return found }
    try await BlockingWork.run { try BackgroundProgram.start(command + [subcommand, runDirectory]) }
    let end = ContinuousClock.now + .seconds(10)
    while true {
      if let found = existing(name, runDirectory) { return found }
      guard .now < end else { throw Failure(name: name, why: "it did not start: \(command.joined(separator: " "))") }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Asks and waits for the answer: short, the other side does nothing else, unless the machine has no time for it.
  ///
  /// Questions are asked in the order of the calls of an actor.
  @discardableResult
  func ask(_ text: String, files: [SharedDescriptor] = [], isolation: isolated (any Actor)? = #isolation) async throws
    -> (text: String, files: [SharedDescriptor])
  {
    try await CallRegister.waiting(.machine, "the layers' \(name)") {
      try await withCheckedThrowingContinuation { continuation in
        queue.async { continuation.resume(with: Result { try self.askAtOnce(text, files: files) }) }
      }
    }
  }

  /// The same where nobody else waits for this thread.
  func askAtOnce(_ text: String, files: [SharedDescriptor] = []) throws -> (text: String, files: [SharedDescriptor]) {
    try isBroken.withLock { isBroken in
      guard !isBroken else { throw Failure(name: name, why: "it did not answer in time") }
      do {
        try socket.send(text, files: files)
        guard let answer = try socket.receive() else { throw Failure(name: name, why: "it is gone") }
        return answer
      } catch {
        isBroken = true
        // Whoever watches the connection sees that it is of no use any more.
        shutdown(socket.descriptor.number, Int32(SHUT_RDWR))
        throw error
      }
    }
  }

  /// Asks for what must be answered with ok.
  func tell(_ text: String, files: [SharedDescriptor] = [], isolation: isolated (any Actor)? = #isolation) async throws
  {
    let answer = try await ask(text, files: files).text
    guard answer == "ok" else { throw Failure(name: name, why: "\(text): \(answer)") }
  }

  /// A file that it holds; `nil` if it does not.
  func file(_ name: String, isolation: isolated (any Actor)? = #isolation) async throws -> SharedDescriptor? {
    try await ask("get \(name)").files.first
  }
}
