import ContainerdAPI
import GRPCCore
import GRPCSockets
import LayerStore
import LinuxSystem
import Logging
import PlatformHarness
import Testing

@testable import LazyImages

typealias Snapshots = Containerd_Services_Snapshots_V1_Snapshots
typealias Info = Containerd_Services_Snapshots_V1_Info
typealias Mount = Containerd_Types_Mount

/// A snapshotter on a socket, and a client of it.
struct SnapshotterFixture: Sendable {
  typealias Transport = WaitingTransport

  /// Short: 128 layers of it have to fit into a page.
  let path: String
  let client: Snapshots.Client<Transport>
  let shell = Shell()

  var root: String { "\(path)/r" }
  var socket: String { "\(path)/sock" }

  static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

  /// Runs `body` with a snapshotter in a fresh root, and takes everything away after.
  static func with(
    layers: (@Sendable (String) -> any RemoteLayers)? = nil, logger: Logger = quiet,
    _ body: @Sendable (SnapshotterFixture) async throws -> Void
  ) async throws {
    let path = "/tmp/nst\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    try Directory.make(path)
    defer { clean(path) }
    try await serving(in: path, layers: layers?(path) ?? NoLayers(), logger: logger, body)
  }

  /// Runs `body` with a snapshotter in a directory that stays.
  static func serving(
    in path: String, layers: any RemoteLayers = NoLayers(), logger: Logger = quiet,
    _ body: @Sendable (SnapshotterFixture) async throws -> Void
  ) async throws {
    let server = SnapshotServer(
      configuration: SnapshotterConfiguration(root: "\(path)/r", socket: "\(path)/sock"), layers: layers, logger: logger
    )
    let connection = GRPCClient(transport: try LocalTransport.client(socket: "\(path)/sock"))
    let fixture = SnapshotterFixture(path: path, client: .init(wrapping: connection))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      defer { group.cancelAll() }
      // The client ends before the server does: one that is cancelled under calls may drop them half-made.
      try await withThrowingTaskGroup(of: Void.self) { clients in
        clients.addTask { try await connection.runConnections() }
        defer { clients.cancelAll() }
        // A client whose server failed would wait for its time limit.
        clients.addTask {
          _ = try await fixture.client.stat(.with { $0.key = "nobody" }, options: fixture.options) {
            _ = try? $0.message
          }
        }
        try await clients.next()
        try await body(fixture)
        connection.beginGracefulShutdown()
        try await clients.waitForAll()
      }
    }
  }

  static func clean(_ path: String) {
    for mount in (try? Mounts.table().mounts(under: path)) ?? [] { try? Mounts.unmount(mount.mountPoint, lazily: true) }
    try? Directory.removeTree(path)
  }

  var options: CallOptions {
    var options = CallOptions.defaults
    options.timeout = .seconds(120)
    options.waitForReady = true
    options.maxRequestMessageBytes = 16 << 20
    return options
  }

  // MARK: Calls

  @discardableResult
  func prepare(_ key: String, _ parent: String = "", _ labels: [String: String] = [:]) async throws -> [Mount] {
    try await client.prepare(
      .with {
        $0.snapshotter = "nagaya"
        $0.key = key
        $0.parent = parent
        $0.labels = labels
      }, options: options
    ).mounts
  }

  @discardableResult
  func view(_ key: String, _ parent: String = "", _ labels: [String: String] = [:]) async throws -> [Mount] {
    try await client.view(
      .with {
        $0.key = key
        $0.parent = parent
        $0.labels = labels
      }, options: options
    ).mounts
  }

  func mounts(_ key: String) async throws -> [Mount] {
    try await client.mounts(.with { $0.key = key }, options: options).mounts
  }

  func commit(_ name: String, _ key: String, _ labels: [String: String] = [:], parent: String = "") async throws {
    _ = try await client.commit(
      .with {
        $0.name = name
        $0.key = key
        $0.labels = labels
        $0.parent = parent
      }, options: options)
  }

  func remove(_ key: String) async throws { _ = try await client.remove(.with { $0.key = key }, options: options) }
  func stat(_ key: String) async throws -> Info { try await client.stat(.with { $0.key = key }, options: options).info }
  func cleanUp() async throws { _ = try await client.cleanup(.init(), options: options) }

  func usage(_ key: String) async throws -> LayerUsage {
    let answer = try await client.usage(.with { $0.key = key }, options: options)
    return LayerUsage(bytes: answer.size, inodes: Int(answer.inodes))
  }

  func update(_ info: Info, _ fields: [String] = []) async throws -> Info {
    try await client.update(
      .with {
        $0.info = info
        if !fields.isEmpty { $0.updateMask.paths = fields }
      }, options: options
    ).info
  }

  func list(_ filters: String...) async throws -> [Info] {
    try await client.list(.with { $0.filters = filters }, options: options) { response in
      var infos: [Info] = []
      for try await message in response.messages { infos += message.info }
      return infos
    }
  }

  func names(_ filters: [String]) async throws -> [String] {
    try await client.list(.with { $0.filters = filters }, options: options) { response in
      var names: [String] = []
      for try await message in response.messages { names += message.info.map(\.name) }
      return names.sorted()
    }
  }

  // MARK: Files

  /// Mounts as containerd does, and unmounts after the body.
  @discardableResult
  func mounted<Result: Sendable>(_ mounts: [Mount], _ body: (String) async throws -> Result) async throws -> Result {
    let target = "\(path)/m\(UInt32.random(in: 0 ... .max))"
    try Directory.make(target)
    for mount in mounts {
      if mount.type == "bind" {
        try Mounts.bind(mount.source, at: target, readOnly: mount.options.contains("ro"), recursive: true)
      } else {
        let length = mount.options.reduce(0) { $0 + $1.utf8.count + 1 }
        try #require(length < 4096, "the kernel takes one page of options")
        try Mounts.mount(mount.source, at: target, type: mount.type, options: mount.options)
      }
    }
    do {
      let result = try await body(target)
      try Mounts.unmount(target)
      return result
    } catch {
      try? Mounts.unmount(target, lazily: true)
      throw error
    }
  }

  /// A committed snapshot of what a script makes of its parent.
  func layer(_ name: String, on parent: String = "", labels: [String: String] = [:], _ script: String) async throws {
    try await mounted(try await prepare("making \(name)", parent, labels)) { directory in
      try await shell.succeed("cd '\(directory)' && umask 022 && \(script)", seconds: 120)
    }
    try await commit(name, "making \(name)", labels)
  }

  /// The files of a view of a snapshot.
  func listing(of name: String, times: Bool = false) async throws -> [String] {
    let key = "looking at \(name) \(UInt64.random(in: 0 ... .max))"
    let lines = try await mounted(try await view(key, name)) { try await files(in: $0, times: times) }
    try await remove(key)
    return lines
  }
}

/// Layers that are all unpacked in containerd's own way.
struct NoLayers: RemoteLayers {
  struct Unexpected: Error {}
  func resolve(_ request: LayerRequest) async -> LayerKey? { nil }
  func mount(_ key: LayerKey) async throws -> String { throw Unexpected() }
  func release(_ key: LayerKey) async throws { throw Unexpected() }
  func usage(of key: LayerKey) async throws -> LayerUsage { throw Unexpected() }
}

/// Every attribute and the content of every file below a directory, one line each, in order. Files that are links of one
/// another name the first of them.
func files(in directory: String, times: Bool = false, timesOfDirectories: Bool = true) async throws -> [String] {
  let arguments = "'\(directory)' \(times ? 1 : 0) \(timesOfDirectories ? 1 : 0)"
  return try await Shell().succeed("python3 '\(PlatformInstance.root)/scripts/list-files' \(arguments)", seconds: 300)
    .split(separator: "\n").map(String.init)
}

/// The code of what a call is refused with; nil if it is not.
func refusal(_ body: () async throws -> Void) async -> RPCError.Code? {
  do {
    try await body()
    return nil
  } catch { return (error as? RPCError)?.code ?? .unknown }
}
