import EROFS
import Foundation
import JSONDocument
import LayerStore
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A store in a process of its own that can be killed, with keeper and guard as in real life.
final class Daemon: Sendable {
  let place: TestPlace
  /// How many open files its service manager keeps; `nil`: it has none.
  let kept: Int?
  static var program: String {
    URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
      "LayerStoreDriver"
    )
    .path
  }

  init(_ layers: [TestLayer], _ path: FillPath, kept: Int? = nil) throws {
    place = try TestPlace(path)
    self.kept = kept
    try Directory.make("\(place.root)/specs")
    for layer in layers {
      let spec = "\(place.root)/specs/\(layer.key.blob.hex)"
      var json: JSONValue = [
        "deviceBytes": .integer(layer.description.deviceBytes), "blobBytes": .integer(layer.description.blobBytes),
      ]
      if case .chunks(_, let format) = layer.description.content { json["format"] = .string(format.rawValue) }
      let content = StoredContent.encoded(layer.description.content)
      var metadata: [UInt8] = []
      try EROFSWriter(layer.tree, options: layer.metadataOptions).write(to: &metadata)
      try SmallFile.write(json.encoded(), to: "\(spec).json")
      try SmallFile.write(content, to: "\(spec).content")
      try SmallFile.write(metadata, to: "\(spec).metadata")
      try SmallFile.write(layer.blob.bytes, to: "\(spec).blob")
      try Directory.make("\(spec).truth")
      for name in layer.digests.keys where !name.contains("/") {
        try SmallFile.write(layer.file(name), to: "\(spec).truth/\(name)")
      }
    }
  }

  /// Starts the process and waits until its actions are done, or until it is dead.
  /// - Returns: whether it lives.
  @discardableResult
  func start(_ actions: [String] = [], under tracer: String = "") async throws -> Bool {
    try Directory.removeFile("\(place.root)/ready")
    let log = "\(place.root)/log"
    if let kept {
      try await supervise(kept, actions, under: tracer)
      return FileStatus.exists("\(place.root)/ready")
    }
    try await shell.succeed(
      "SWIFT_BACKTRACE=enable=no \(tracer) '\(Self.program)' serve '\(place.root)' fill:\(place.path.rawValue) \(actions.joined(separator: " ")) >>'\(log)' 2>&1 </dev/null & echo $! > '\(place.root)/pid'"
    )
    try await eventually("the daemon is ready: \(SmallFile.tail(of: log, bytes: 2000))") {
      try FileStatus.exists("\(place.root)/ready") || !isAlive(pid())
    }
    return FileStatus.exists("\(place.root)/ready")
  }

  /// Has the service manager start it, which is started first if it is not there.
  private func supervise(_ kept: Int, _ actions: [String], under tracer: String) async throws {
    try Directory.removeFile("\(place.root)/pid")
    let words = tracer.split(separator: " ").map(String.init)
    let arguments = [Self.program, "serve", place.root, "fill:\(place.path.rawValue)"] + actions
    try DurableFile.write(Array((words + arguments).joined(separator: "\n").utf8), to: "\(place.root)/actions")
    if !isAlive(Int32(SmallFile.text("\(place.root)/manager") ?? "") ?? 0) {
      try await shell.succeed(
        "'\(Self.program)' supervise '\(place.root)' \(kept) >>'\(place.root)/log' 2>&1 </dev/null & printf $! > '\(place.root)/manager'"
      )
    }
    try await eventually("the daemon is ready: \(SmallFile.tail(of: "\(place.root)/log", bytes: 2000))") {
      if FileStatus.exists("\(place.root)/ready") { return true }
      return try FileStatus.exists("\(place.root)/pid") && !isAlive(pid())
    }
  }

  /// The daemon itself, whatever started it.
  func processes() -> [Int32] {
    Directory.namesIfReadable(in: "/proc").compactMap { Int32($0) }.filter { pid in
      guard let bytes = try? SmallFile.read("/proc/\(pid)/cmdline"), !bytes.isEmpty else { return false }
      let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return words.count > 2 && words[0] == Self.program && words[1] == "serve" && words[2] == place.root
    }
  }

  func pid() throws -> Int32 {
    Int32(String(decoding: try SmallFile.read("\(place.root)/pid"), as: UTF8.self).prefix { $0 != "\n" }) ?? 0
  }

  func isAlive(_ pid: Int32) -> Bool {
    guard let text = SmallFile.text("/proc/\(pid)/stat") else { return false }
    // The first thread may be gone before the others, and with them the files.
    return !text.contains(") Z ") || Directory.namesIfReadable(in: "/proc/\(pid)/task").count > 1
  }

  func kill() async throws {
    let pid = try pid()
    Glibc.kill(pid, SIGKILL)
    try await eventually("the daemon is dead") { !isAlive(pid) }
  }

  func terminate() async throws {
    // Below a tracer the daemon is another process than the one that was started.
    let pid = try pid()
    let own = Int32(SmallFile.text("\(place.root)/ready") ?? "") ?? pid
    // A signal is lost that comes while it is ignored already and its source is not there yet: on a busy machine that takes a while.
    try await eventually("the daemon has ended") {
      Glibc.kill(own, SIGTERM)
      return !isAlive(own)
    }
  }

  /// Processes of this store's helpers.
  func helpers(_ command: String? = nil) -> [Int32] {
    Directory.namesIfReadable(in: "/proc").compactMap { Int32($0) }.filter { pid in
      guard let bytes = try? SmallFile.read("/proc/\(pid)/cmdline"), !bytes.isEmpty else { return false }
      let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return words.count == 3 && words[2] == place.runDirectory && words[1] != "serve"
        && (command.map { words[1] == $0 } ?? true)
    }
  }

  func killHelpers(_ command: String) async throws {
    let pids = helpers(command)
    for pid in pids { Glibc.kill(pid, SIGKILL) }
    try await eventually("the \(command) is dead") { pids.allSatisfy { !isAlive($0) } }
  }

  /// Kernel functions in which readers wait: for an answer, or for a page that somebody reads.
  private static let waitingPlaces: Set<String> = ["fanotify_handle_event", "folio_wait_bit_common"]

  /// Programs that wait for bytes of this store, as the kernel tells it.
  func waitingReaders() throws -> Int {
    Directory.namesIfReadable(in: "/proc").filter { name in
      guard Int32(name) != nil, let waitsIn = SmallFile.text("/proc/\(name)/wchan"),
        Self.waitingPlaces.contains(waitsIn)
      else { return false }
      let files = Directory.namesIfReadable(in: "/proc/\(name)/fd")
      return files.contains { (try? Directory.canonicalPath("/proc/\(name)/fd/\($0)"))?.hasPrefix(place.root) == true }
    }.count
  }

  /// Starts and waits until keeper and guard are in place: what tests of their work begin with.
  func startProtected(_ actions: [String]) async throws {
    try await start(actions)
    try await settled()
  }

  /// Waits until keeper and guard hold what they should. Not by counting: two that die at once may be told, and replaced, in
  /// one go or in two.
  func settled() async throws {
    let commands = [LayerKeeper.command] + (place.path == .fanotify ? [LayerGuard.command] : [])
    try await eventually("keeper and guard are in place") {
      // One that is gone and not yet missed does not live; one that is replaced is told before its successor lives.
      commands.allSatisfy { helpers($0).contains(where: isAlive) } && isProtected
    }
  }

  /// Whether the last it said of keeper and guard is that they are in place.
  private var isProtected: Bool {
    let last = log.split(separator: "\n").last { line in
      ["[LayerStoreDriver] opened", "is gone; starting another", Self.protected].contains { line.contains($0) }
    }
    return last?.contains(Self.protected) == true
  }

  private static let protected = "layers are protected against a crash"

  /// What it said so far. The whole of it: it goes on, about what it fetches in the background, and a line that a test
  /// waits for is soon not among the last ones any more.
  var log: String { SmallFile.tail(of: "\(place.root)/log", bytes: 16 << 20) }

  /// How often keeper and guard were put in place.
  var timesProtected: Int { log.split(separator: "\n").count { $0.contains(Self.protected) } }

  func mountPoint(_ layer: TestLayer) -> String { "\(place.runDirectory)/mounts/\(layer.key.blob.hex)" }
  var fetches: Int { (SmallFile.text("\(place.root)/fetches") ?? "").split(separator: "\n").count }
  func forgetFetches() throws { try Directory.removeFile("\(place.root)/fetches") }
  func set(_ flag: String, _ isSet: Bool) throws {
    if isSet {
      try SmallFile.write([], to: "\(place.root)/\(flag)")
    } else {
      try Directory.removeFile("\(place.root)/\(flag)")
    }
  }

  /// Ends everything, whatever state it is in.
  func cleanUp() throws {
    // The daemon, below a tracer or not, before the helpers, which it would start again.
    for words in [
      ["supervise", place.root], ["read", place.root], ["serve", place.root],
      [LayerKeeper.command, place.runDirectory], [LayerGuard.command, place.runDirectory],
    ] {
      for name in Directory.namesIfReadable(in: "/proc") {
        guard let pid = Int32(name), let line = try? SmallFile.read("/proc/\(pid)/cmdline") else { continue }
        let found = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        if found.contains(words[0]), found.contains(words[1]) { Glibc.kill(pid, SIGKILL) }
      }
    }
    try place.cleanUp()
  }
}

/// A few daemons at a time: the kernel allows a user 128 fanotify groups.
private actor DaemonSlots {
  static let shared = DaemonSlots()
  private var free = 5
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func take() async {
    if free > 0 { free -= 1 } else { await withCheckedContinuation { waiting.append($0) } }
  }

  func give() { if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() } }
}

/// Runs `body` with a daemon; processes, mounts and files are gone at the end.
func withDaemon<Result: Sendable>(
  _ layers: [TestLayer], by path: FillPath = .fanotify, kept: Int? = nil, _ body: (Daemon) async throws -> Result
) async throws -> Result {
  await DaemonSlots.shared.take()
  defer { Task { await DaemonSlots.shared.give() } }
  let daemon = try Daemon(layers, path, kept: kept)
  do {
    let result = try await body(daemon)
    try daemon.cleanUp()
    return result
  } catch {
    let log = SmallFile.tail(of: "\(daemon.place.root)/log", bytes: 3000)
    Issue.record("the daemon said: \(log)")
    try? daemon.cleanUp()
    throw error
  }
}
