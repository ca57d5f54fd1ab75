import Foundation
import JSONDocument
import Testing

/// A whole instance of Nagaya, built from this tree: own directories, ports, bridge and containerd.
struct RunningNagaya: Sendable {
  let directory: String
  let shell: Shell
  let flags: String
  let apiPort: Int
  let edgePort: Int

  /// The instance of the running suite.
  @TaskLocal static var current: RunningNagaya?

  static var root: String {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url.path
  }

  var state: String { "\(directory)/state" }
  var run: String { "\(directory)/run" }
  var authority: String { "\(state)/pki/ca.crt" }
  /// curl that trusts the platform's authority and speaks to the edge.
  func url(_ app: String, _ namespace: String, path: String = "/") -> String {
    "https://\(app).\(namespace).nagaya.localhost:\(edgePort)\(path)"
  }

  init(name: String, poolSize: String = "8Gi") throws {
    directory = "/tmp/nagaya-\(name)-\(UInt32.random(in: 0..<1 << 24))"
    apiPort = Int.random(in: 20_000..<26_000)
    edgePort = apiPort + 6_000
    let subnet = Int.random(in: 10..<250)
    let engines = ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(Self.root)/.engines"
    flags = """
      --state-dir \(directory)/state --run-dir \(directory)/run --api-port \(apiPort) --edge-port \(edgePort) \
      --engines \(engines) --images \(Self.root)/.build/images --node-name testnode --pod-cidr 10.\(subnet).0.0/16 \
      --bridge nt\(apiPort) --pool-size \(poolSize)
      """
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
    shell = Shell(environment: [
      "PATH": "\(Self.root)/.build/debug:\(engines)/bin:\(path):/usr/sbin:/sbin",
      "KUBECONFIG": "\(directory)/state/kubeconfig", "HOME": directory, "NO_COLOR": "1",
      "CA": "\(directory)/state/pki/ca.crt",
    ])
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  }

  func up() async throws { try await shell.succeed("nagaya up --detach --log-level debug \(flags)", seconds: 180) }

  func down() async throws {
    try await shell.succeed("nagaya down --state-dir \(state) --run-dir \(run)", seconds: 120)
  }

  /// The process that runs the instance.
  var pid: Int {
    get throws {
      let data = try #require(FileManager.default.contents(atPath: "\(run)/nagaya.json"))
      return try #require(try JSONValue(parsing: Array(data))["pid"].int)
    }
  }

  /// What the instance left on the machine: mounts, loop devices, containers' processes.
  func leftovers() async throws -> [String] {
    var found: [String] = []
    found += try await shell("grep -F '\(directory)' /proc/self/mountinfo").out.split(separator: "\n").map { "mount \($0)" }
    found += try await shell("losetup -l -n -O NAME,BACK-FILE | grep -F '\(directory)'").out.split(separator: "\n").map {
      "loop \($0)"
    }
    found += try await shell("pgrep -af -- '\(directory)' | grep -v pgrep | grep -v bash").out.split(separator: "\n").map {
      "process \($0)"
    }
    return found
  }

  /// Stops what is left by force and removes the directory.
  func destroy() async {
    _ = try? await shell("nagaya down --state-dir \(state) --run-dir \(run)", seconds: 120)
    _ = try? await shell(
      """
      pkill -9 -f -- '\(directory)/'; ip link delete nt\(apiPort)
      grep -F '\(directory)' /proc/self/mountinfo | awk '{print $5}' | sort -r | xargs -r -n1 umount -l
      losetup -l -n -O NAME,BACK-FILE | grep -F '\(directory)' | awk '{print $1}' | xargs -r -n1 losetup -d
      rm -rf '\(directory)'
      """)
  }
}

/// Gives a suite one running instance for all its tests, and requires that it leaves nothing behind.
struct RunningNagayaTrait: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void)
    async throws
  {
    let instance = try RunningNagaya(name: "it")
    do {
      try await instance.up()
      try await RunningNagaya.$current.withValue(instance) { try await function() }
      try await instance.down()
      let leftovers = try await instance.leftovers()
      #expect(leftovers.isEmpty, "left behind: \(leftovers)")
    } catch {
      let log = try? await instance.shell("tail -n 40 \(instance.state)/nagaya.log")
      await instance.destroy()
      Issue.record("\(error)\n\(log?.out ?? "")")
      throw error
    }
    await instance.destroy()
  }
}

extension Trait where Self == RunningNagayaTrait {
  static var runningNagaya: RunningNagayaTrait { RunningNagayaTrait() }
}

/// The running instance, for tests of suites with the trait.
func nagaya(sourceLocation: SourceLocation = #_sourceLocation) throws -> RunningNagaya {
  try #require(RunningNagaya.current, "the suite lacks the .runningNagaya trait", sourceLocation: sourceLocation)
}
