import CRI
import Foundation
import LinuxSystem
import Logging
import Testing

@testable import NodeAgent

/// A containerd of one test run: own directories, own network, nothing left afterwards.
struct TestEngine: Sendable {
  let directory: String
  let layout: ContainerdLayout
  let engine: ContainerdEngine
  let network: PodNetwork

  static let image = "nagaya.test/box:1"
  static let pause = "nagaya.test/pause:1"

  /// `NAGAYA_ENGINES`, or `.engines` at the package's root.
  static var enginesDirectory: String {
    if let path = ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] { return path }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return root.appendingPathComponent(".engines").path
  }

  var logger: Logger {
    var logger = Logger(label: "test")
    logger.logLevel = ProcessInfo.processInfo.environment["NAGAYA_TEST_LOG"] == nil ? .critical : .debug
    return logger
  }

  init() throws {
    let number = UInt16.random(in: 0...UInt16.max)
    let name = String(number, radix: 16)
    directory = "/tmp/nagaya-node-test-\(ProcessInfo.processInfo.processIdentifier)-\(name)"
    // A /24 of 10.200.0.0/10: 16,384 of them.
    network = try .test("ngt\(name)", "10.\(192 + number % 64).\(number / 256).0/24")
    layout = ContainerdLayout(
      stateDirectory: "\(directory)/S", runDirectory: "\(directory)/R", enginesDirectory: Self.enginesDirectory)
    var quiet = Logger(label: "test")
    quiet.logLevel = ProcessInfo.processInfo.environment["NAGAYA_TEST_LOG"] == nil ? .critical : .debug
    engine = ContainerdEngine(
      layout: layout,
      network: network,
      sandboxImage: Self.pause, logger: quiet)
  }

  /// Runs a body with containerd and the test image; cleans up whatever the body did.
  static func with<Result: Sendable>(
    _ body: @Sendable (TestEngine) async throws -> Result
  ) async throws -> Result {
    let test = try TestEngine()
    do {
      try Directory.make(test.directory)
      try await test.engine.start()
      try await ImageImport(layout: test.layout).load(archive: try await TestImage.shared.archive())
      let result = try await body(test)
      await test.cleanUp()
      return result
    } catch {
      if ProcessInfo.processInfo.environment["NAGAYA_TEST_LOG"] != nil {
        print(SmallFile.tail(of: test.layout.logFile, bytes: 6000))
      }
      await test.cleanUp()
      throw error
    }
  }

  /// A second supervisor of the same containerd, as after a restart of the process.
  func anotherEngine() -> ContainerdEngine {
    ContainerdEngine(
      layout: layout, network: network, sandboxImage: Self.pause,
      logger: logger)
  }

  private func cleanUp() async {
    let runtime = try? RuntimeClient(socket: layout.socket)
    if let runtime, engine.isRunning {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { try? await runtime.run() }
        let options = RuntimeClient.within(.seconds(30))
        let sandboxes = try? await runtime.runtime.listPodSandbox(.init(), options: options).items
        for sandbox in sandboxes ?? [] {
          _ = try? await runtime.runtime.stopPodSandbox(.with { $0.podSandboxID = sandbox.id }, options: options)
          _ = try? await runtime.runtime.removePodSandbox(.with { $0.podSandboxID = sandbox.id }, options: options)
        }
        group.cancelAll()
      }
    }
    await engine.stop()
    for mount in Self.mounts().filter({ $0.hasPrefix(directory + "/") }).reversed() {
      umount2(mount, Int32(MNT_DETACH))
    }
    for place in [directory, "\(directory)/pool/volumes"] {
      for (device, _) in (try? LoopDevice.below(place)) ?? [] { try? device.detach() }
    }
    try? await PodFirewall.remove(network)
    try? Directory.removeTree(directory)
  }

  /// Mount points, in the order of mounting.
  static func mounts() -> [String] {
    (SmallFile.text("/proc/self/mounts") ?? "").split(separator: "\n").map {
      String($0.split(separator: " ")[1])
    }
  }
}

/// The test image's archive, made once a run.
actor TestImage {
  static let shared = TestImage()
  private var making: Task<String, any Error>?

  func archive() async throws -> String {
    if let making { return try await making.value }
    let task = Task {
      let scratch = "/tmp/nagaya-node-image-\(ProcessInfo.processInfo.processIdentifier)"
      try Directory.make(scratch)
      try SmallFile.write(Array(TestProgram.source.utf8), to: "\(scratch)/box.c")
      try SmallFile.write(Array(TestProgram.packer.utf8), to: "\(scratch)/pack.sh")
      try await Command.run(
        "/bin/bash",
        [
          "\(scratch)/pack.sh", "\(scratch)/box.c", "\(scratch)/box.tar", "\(scratch)/work", TestEngine.image,
          "serve", TestEngine.pause, "pause",
        ])
      let archive = "/tmp/nagaya-node-image-\(ProcessInfo.processInfo.processIdentifier).tar"
      guard rename("\(scratch)/box.tar", archive) == 0 else { throw SystemError.last("rename", archive) }
      try Directory.removeTree(scratch)
      atexit {
        unlink("/tmp/nagaya-node-image-\(getpid()).tar")
      }
      return archive
    }
    making = task
    return try await task.value
  }
}

/// A program run to its end.
enum Command {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  @discardableResult
  static func run(_ program: String, _ arguments: [String]) async throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    let text = String(decoding: bytes, as: UTF8.self)
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(program) \(arguments): \(process.terminationStatus): \(text)")
    }
    return text
  }
}

extension TestEngine {
  /// Command lines of all processes.
  static func processes() -> [String] {
    Directory.namesIfReadable(in: "/proc").compactMap { name in
      guard Int(name) != nil, let text = SmallFile.text("/proc/\(name)/cmdline"), !text.isEmpty else { return nil }
      return text.split(separator: "\0").joined(separator: " ")
    }
  }
}
