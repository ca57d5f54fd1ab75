import CLinux
import Glibc
import LinuxSystem

/// A process that was started for a part, with what is read of it.
final class ChildProcess {
  let id: pid_t
  /// Readable once it has ended (pidfd_open(2)).
  let end: SharedDescriptor
  let output: SharedDescriptor
  let status: SharedDescriptor
  private(set) var outputLines = LineSplitter(limit: 8 << 10)
  private(set) var statusLines = LineSplitter(limit: StatusMessage.lineLimit)
  private(set) var lastWords: [String] = []
  var isOutputOpen = true
  var isStatusOpen = true

  static let lastWordsLimit = 10

  /// Starts it; it dies with the calling thread.
  init(_ program: SupervisedProgram) throws(SystemError) {
    let (outputRead, outputWrite) = try Self.pipe()
    let (statusRead, statusWrite) = try Self.pipe()
    var environment = program.environment
    environment[StatusReporter.variable] = "\(StatusReporter.descriptor)"
    environment[InheritedSockets.variable] =
      program.sockets.isEmpty ? nil : program.sockets.map(\.name).joined(separator: ":")
    let arguments = ([program.program] + program.arguments).map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in arguments + variables { free(text) } }
    var handle: Int32 = -1
    let answer = nagaya_start_child(
      program.program, arguments, variables, outputWrite.number, statusWrite.number,
      program.sockets.map(\.descriptor), Int32(clamping: program.sockets.count),
      program.oomScoreAdjustment.map { "\($0)" } ?? "", &handle)
    guard answer > 0 else { throw SystemError("fork", program.program, errno: -answer) }
    id = answer
    end = SharedDescriptor(owning: handle)
    output = outputRead
    status = statusRead
  }

  private static func pipe() throws(SystemError) -> (read: SharedDescriptor, write: SharedDescriptor) {
    var (read, write): (Int32, Int32) = (-1, -1)
    let answer = nagaya_pipe(&read, &write)
    guard answer == 0 else { throw SystemError("pipe2", "a part's output", errno: -answer) }
    return (SharedDescriptor(owning: read), SharedDescriptor(owning: write))
  }

  /// The output that is there, in lines; at most 64 KiB, so that no part keeps the others waiting.
  func readOutput() -> [[UInt8]] {
    let (bytes, isOpen) = Self.read(output)
    isOutputOpen = isOpen
    var lines = outputLines.take(bytes)
    if !isOpen, let last = outputLines.finish() { lines.append(last) }
    for line in lines {
      lastWords.append(String(decoding: line.prefix(500), as: UTF8.self))
      if lastWords.count > Self.lastWordsLimit { lastWords.removeFirst() }
    }
    return lines
  }

  func readStatus() -> [StatusMessage] {
    let (bytes, isOpen) = Self.read(status)
    isStatusOpen = isOpen
    return statusLines.take(bytes).compactMap { StatusMessage(line: $0) }
  }

  private static func read(_ descriptor: SharedDescriptor) -> (bytes: ArraySlice<UInt8>, isOpen: Bool) {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    let count = Glibc.read(descriptor.number, &chunk, chunk.count)
    if count > 0 { return (chunk[..<count], true) }
    return ([], count < 0 && (errno == EAGAIN || errno == EINTR))
  }

  func signal(_ kind: SupervisionPlan.Action.Kind) { kill(id, kind == .kill ? SIGKILL : SIGTERM) }

  /// How it ended; `nil` while it runs.
  func reap() -> ProcessEnd? {
    var status: Int32 = 0
    let answer = waitpid(id, &status, WNOHANG)
    if answer == id { return ProcessEnd(waitStatus: status) }
    // Somebody else has waited for it.
    if answer < 0, errno == ECHILD { return .exited(code: -1) }
    return nil
  }
}
