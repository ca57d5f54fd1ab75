import EStargz
import Foundation
import JSONDocument
import LayerStore
import LinuxSystem
import Locking
import Logging
import OCI

/// A store in a process of its own, which tests kill: `serve ROOT [ACTION…]`, and the two helpers that it starts.
///
/// Actions: `fill:PATH`, `add:HEX`, `mount:HEX`, `complete:HEX`, `unmount:HEX`, `remove:HEX`, `crash:STEP:N` (the process kills itself
/// at that step's N-th time). When they are done the file `ready` appears; `SIGTERM` ends it in an orderly way.
/// `supervise ROOT N` is a service manager that keeps N open files; it starts what `ROOT/actions` names. `read …`: see `Reader`.
/// Layers come from `ROOT/specs/HEX.{json,content,metadata,blob}`; `ROOT/down` makes the registry fail; `ROOT/fetches`
/// gets a line for every request.
@main enum LayerStoreDriver {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3 else { exit(64) }
    switch arguments[1] {
    case LayerKeeper.command: exit(LayerKeeper.run(runDirectory: arguments[2]))
    case LayerGuard.command: exit(LayerGuard.run(runDirectory: arguments[2]))
    case "supervise": try ServiceManager(root: arguments[2], capacity: Int(arguments[3]) ?? 0).run()
    case "read": try Reader(arguments).run()
    default:
      do { try await serve(arguments[2], Array(arguments.dropFirst(3))) } catch {
        FileHandle.standardError.write(Data("driver: \(error)\n".utf8))
        exit(1)
      }
    }
  }

  private static func serve(_ root: String, _ actions: [String]) async throws {
    var configuration = LayerStore.Configuration(
      directory: "\(root)/layers", runDirectory: "\(root)/run",
      keeper: actions.contains("unprotected") ? nil : [CommandLine.arguments[0]], demandDeadline: .seconds(30),
      backgroundBytesPerSecond: actions.contains("background") ? nil : 0, windowBytes: (64 << 10)...(1 << 20),
      saveInterval: .milliseconds(200))
    if let path = actions.last(where: { $0.hasPrefix("fill:") }) {
      configuration.fill = FillChoice(rawValue: String(path.dropFirst(5))) ?? .auto
    }
    configuration.descriptorStore = DescriptorStore(environment: ProcessInfo.processInfo.environment)
    for action in actions where action.hasPrefix("crash:") {
      let words = action.split(separator: ":")
      let left = Mutex(Int(words[2]) ?? 1)
      configuration.onStep = { step in
        guard step.rawValue == words[1] else { return }
        if left.withLock({ left in
          left -= 1; return left == 0
        }) {
          kill(getpid(), SIGKILL)
        }
      }
    }
    var logger = Logger(label: "driver") { StreamLogHandler.standardError(label: $0) }
    // A line for every read is too much where programs do nothing else.
    logger.logLevel = actions.contains("quiet") ? .info : .debug
    let store = try await LayerStore.open(configuration, sources: FileSources(root: root), logger: logger)
    logger.notice("opened", metadata: ["fill": "\(store.fill.path)", "why": "\(store.fill.why)"])
    signal(SIGTERM, SIG_IGN)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await store.run() }
      let source = DispatchSource.makeSignalSource(signal: SIGTERM)
      let (signals, input) = AsyncStream<Void>.makeStream()
      source.setEventHandler { input.yield() }
      source.resume()
      for action in actions { try await perform(action, store, root) }
      try SmallFile.write(Array("\(getpid())".utf8), to: "\(root)/ready")
      group.addTask { for await _ in signals { return } }
      try await group.next()
      group.cancelAll()
      source.cancel()
    }
  }

  private static func perform(_ action: String, _ store: LayerStore, _ root: String) async throws {
    let words = action.split(separator: ":")
    guard words.count == 2, let digest = Digest(hex: String(words[1])) else { return }
    let key = LayerKey(digest)
    switch words[0] {
    case "add":
      let spec = "\(root)/specs/\(digest.hex)"
      let json = try JSONValue(parsing: try SmallFile.read("\(spec).json"))
      let bytes = try SmallFile.read("\(spec).content")
      let content: LayerContent =
        if let format = json["format"].string.flatMap({ LayerFormat(rawValue: $0) }) {
          .chunks(try ChunkTable(decoding: bytes), format)
        } else { try StoredContent.spans(decoding: bytes) }
      let layer = LayerDescription(
        key: key, origin: try ImageReference("registry.test/layers:1"), content: content,
        deviceBytes: Int64(json["deviceBytes"].int ?? 0), inodes: 1, blobBytes: Int64(json["blobBytes"].int ?? 0))
      let metadata = try SmallFile.read("\(spec).metadata")
      try await store.add(layer) { try $0.write(metadata) }
    case "mount": _ = try await store.mount(key)
    case "complete": try await store.complete(key)
    case "unmount": try await store.unmount(key)
    case "remove": try await store.remove(key)
    default: break
    }
  }
}

/// Blobs in files.
private struct FileSources: BlobSources {
  let root: String

  func blob(_ key: LayerKey, blobBytes: Int64, origin: ImageReference) -> any BlobFetching {
    FileBlob(path: "\(root)/specs/\(key.blob.hex).blob", root: root)
  }
}

private struct FileBlob: BlobFetching {
  struct Down: Error {}
  let path: String
  let root: String

  func fetch(_ range: Range<Int64>, urgency: FetchUrgency) async throws -> [UInt8] {
    let log = open("\(root)/fetches", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    let line = Array("\(range.lowerBound) \(range.count)\n".utf8)
    _ = write(log, line, line.count)
    close(log)
    while FileStatus.exists("\(root)/held") { try await Task.sleep(for: .milliseconds(5)) }
    if FileStatus.exists("\(root)/down") { throw Down() }
    return try OpenFile(path, .read).read(limit: range.count, at: range.lowerBound)
  }

  func stream(urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void) async throws {
    try await body(try SmallFile.read(path)[...])
  }
}
