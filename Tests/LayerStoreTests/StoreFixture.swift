import Foundation
import LayerStore
import LinuxSystem
import Logging
import OCI
import PlatformHarness
import Testing

/// A store in directories of its own, running; everything is gone at the end, whatever happened.
@discardableResult func withStore<Result: Sendable>(
  _ layers: [TestLayer], by path: FillPath = .fanotify,
  configure: (inout LayerStore.Configuration) -> Void = { _ in },
  _ body: (LayerStore, TestPlace) async throws -> Result
) async throws -> Result {
  let place = try TestPlace(path)
  do {
    let result = try await place.run(layers, configure: configure) { try await body($0, place) }
    try place.cleanUp()
    return result
  } catch {
    try? place.cleanUp()
    throw error
  }
}

/// Directories of a store.
final class TestPlace: Sendable {
  let root = "/tmp/nagaya-layers-\(UInt32.random(in: 0 ... .max))"
  var directory: String { "\(root)/layers" }
  var runDirectory: String { "\(root)/run" }

  let path: FillPath

  init(_ path: FillPath = .fanotify) throws {
    self.path = path
    try Directory.make(root)
  }

  func configuration(_ configure: (inout LayerStore.Configuration) -> Void = { _ in }) -> LayerStore.Configuration {
    var configuration = LayerStore.Configuration(
      directory: directory, runDirectory: runDirectory, demandDeadline: .seconds(20), backgroundBytesPerSecond: 0,
      windowBytes: (64 << 10)...(1 << 20))
    configuration.fill = path == .fuse ? .fuse : .fanotify
    configure(&configuration)
    return configuration
  }

  /// Opens the store, runs it for the time of `body`, and ends it in an orderly way.
  @discardableResult func run<Result: Sendable>(
    _ layers: [TestLayer], configure: (inout LayerStore.Configuration) -> Void = { _ in },
    _ body: (LayerStore) async throws -> Result
  ) async throws -> Result {
    let sources = TestSources(blobs: Dictionary(layers.map { ($0.key, $0.blob) }) { first, _ in first })
    var logger = Logger(label: "layers")
    logger.logLevel = .critical
    let store = try await LayerStore.open(configuration(configure), sources: sources, logger: logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await store.run() }
      let result: Result
      do { result = try await body(store) } catch {
        // Readers that wait would keep mounts busy: they are let go with an error by the end of `run`.
        group.cancelAll()
        throw error
      }
      group.cancelAll()
      try await group.waitForAll()
      return result
    }
  }

  func cleanUp() throws {
    for mount in try Mounts.table().mounts(under: root) { try Mounts.unmount(mount.mountPoint, lazily: true) }
    try Directory.removeTree(root)
  }
}

let shell = Shell()

/// Digests of all files below a directory, read by another program.
func digests(_ directory: String) async throws -> [String: String] {
  let lines = try await shell.succeed("cd '\(directory)' && find . -type f -print0 | xargs -0 sha256sum", seconds: 120)
  var found: [String: String] = [:]
  for line in lines.split(separator: "\n") { found[String(line.dropFirst(68))] = String(line.prefix(64)) }
  return found
}

func sha256(_ file: String) async throws -> String {
  String(try await shell.succeed("sha256sum < '\(file)'").prefix(64))
}

struct Timeout: Error { let what: String }

extension LayerStore {
  /// Adds a test's layer and mounts it.
  func mounted(_ layer: TestLayer) async throws -> String {
    try await add(layer.description, of: layer)
    return try await mount(layer.key)
  }

  func add(_ description: LayerDescription, of layer: TestLayer) async throws {
    try await add(description) { try layer.writeMetadata(&$0) }
  }
}
