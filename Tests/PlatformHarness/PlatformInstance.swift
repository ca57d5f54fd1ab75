import Foundation
import JSONDocument

/// A whole instance of Nagaya, built from this tree: own directories, ports, network and containerd.
public struct PlatformInstance: Sendable {
  /// Holds everything that the instance keeps on disk; removed by `destroy()`.
  public let directory: String
  public let shell: Shell
  /// The options that every `nagaya up` of this instance gets.
  public let flags: String
  public let apiPort: Int
  public let edgePort: Int
  /// Pods have addresses of 10.`subnet`.0.0/16.
  public let subnet: Int
  /// An address of the node at which others reach the API (`publicName` names it, too); `nil`: they do not.
  public let publicAddress: String?
  public static let publicName = "api.nagaya.test"

  /// The root of the source tree.
  public static var root: String {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { url.deleteLastPathComponent() }
    return url.path
  }

  public var state: String { "\(directory)/state" }
  public var run: String { "\(directory)/run" }
  /// What visitors of apps trust: the root of the edge.
  public var authority: String { "\(state)/pki/ca.crt" }

  /// The address of an app at the edge.
  public func url(_ app: String, environment: String = "dev", tenant: String = "demo", path: String = "/") -> String {
    "https://\(app).\(environment).\(tenant).localhost:\(edgePort)\(path)"
  }

  /// - Parameters:
  ///   - configuration: `debug` or `release`, the build whose binary runs.
  ///   - programs: a directory with another `nagaya`, instead of this tree's.
  ///   - isPublic: whether the API is reached by others.
  public init(
    name: String, configuration: String = "debug", programs: String? = nil, poolSize: String = "8Gi",
    isPublic: Bool = false
  ) throws {
    directory = "/tmp/nagaya-\(name)-\(UInt32.random(in: 0..<1 << 24))"
    apiPort = Int.random(in: 20_000..<26_000)
    edgePort = apiPort + 6_000
    subnet = Int.random(in: 10..<250)
    publicAddress = isPublic ? "203.0.113.\(Int.random(in: 1..<255))" : nil
    let place = publicAddress.map { " --api-address \($0) --api-name \($0) --api-name \(Self.publicName)" } ?? ""
    let engines = ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(Self.root)/.engines"
    // `--bridge` is what earlier builds call `--network`: the same instance may run one of those.
    flags = """
      --state-dir \(directory)/state --run-dir \(directory)/run --api-port \(apiPort) --edge-port \(edgePort) \
      --engines \(engines) --images \(Self.root)/.build/images --node-name testnode --pod-cidr 10.\(subnet).0.0/16 \
      --bridge nt\(apiPort) --pool-size \(poolSize)\(place)
      """
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
    shell = Shell(environment: [
      "PATH": "\(programs ?? "\(Self.root)/.build/\(configuration)"):\(engines)/bin:\(path):/usr/sbin:/sbin",
      "KUBECONFIG": "\(directory)/state/kubeconfig", "HOME": directory, "NO_COLOR": "1",
      "CA": "\(directory)/state/pki/ca.crt", "API_CA": "\(directory)/state/pki/api/ca.crt",
    ])
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  }

  /// Starts the instance and waits until it is ready.
  public func up(logLevel: String = "debug") async throws {
    if let publicAddress { try await shell.succeed("ip addr replace \(publicAddress)/32 dev lo") }
    try await shell.succeed("nagaya up --detach --log-level \(logLevel) \(flags)", seconds: 180)
  }

  /// Stops the instance and its containers.
  public func down() async throws {
    try await shell.succeed("nagaya down --state-dir \(state) --run-dir \(run)", seconds: 120)
  }

  /// What `nagaya status` says, whatever state the instance is in.
  public func status() async throws -> JSONValue {
    try JSONValue(parsing: try await shell("nagaya status -o json --state-dir \(state) --run-dir \(run)").out)
  }

  /// The process that runs the instance, or one part of it; 0 if none does.
  public func pid(of part: String? = nil) async throws -> Int32 {
    let status = try await status()
    guard let part else { return Int32(clamping: status["pid"].int ?? 0) }
    return Int32(clamping: status["parts"].elements.first { $0["name"].string == part }?["pid"].int ?? 0)
  }

  /// The instance's containerd; 0 if it does not run.
  public func containerd() async throws -> Int32 {
    let pid = try await shell("pgrep -f -- '[b]in/containerd --config \(directory)/'").out
    return pid.split(separator: "\n").first.flatMap { Int32($0) } ?? 0
  }

  /// The last lines of its log.
  public func log(lines: Int = 60) async -> String {
    (try? await shell("tail -n \(lines) \(state)/nagaya.log").out) ?? ""
  }

  /// What the instance left on the machine: mounts, loop devices, processes, network namespaces.
  public func leftovers() async throws -> [String] {
    func lines(_ kind: String, _ command: String) async throws -> [String] {
      try await shell(command).out.split(separator: "\n").map { "\(kind) \($0)" }
    }
    return try await lines("mount", "grep -F '\(directory)/' /proc/self/mountinfo")
      + lines("loop", "losetup -l -n -O NAME,BACK-FILE | grep -F '\(directory)/'")
      + lines("process", "pgrep -af -- '\(directory)/' | grep -vE 'pgrep|bash|timeout'")
      + lines("table", "nft list tables | grep -F ' pods_nt\(apiPort)'")
      + lines("route", "ip route show | grep -F '10.\(subnet).'")
      + lines("lease", "find \(run)/containerd/cni-leases -name '10.*' 2>/dev/null")
      + lines("container", "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F '\(directory)/run/' | grep -F exec.fifo")
  }

  /// Stops what is left by force and removes the directory.
  public func destroy() async {
    _ = try? await shell("nagaya down --state-dir \(state) --run-dir \(run)", seconds: 120)
    _ = try? await shell(
      """
      pkill -9 -f -- '\(directory)/[s]tate|\(directory)/[r]un'
      for family in inet arp; do nft delete table $family pods_nt\(apiPort); done
      grep -F '\(directory)/' /proc/self/mountinfo | awk '{print $5}' | sort -r | xargs -r -n1 umount -l
      losetup -l -n -O NAME,BACK-FILE | grep -F '\(directory)/' | awk '{print $1}' | xargs -r -n1 losetup -d
      \(publicAddress.map { "ip addr del \($0)/32 dev lo" } ?? "")
      rm -rf '\(directory)'
      """)
  }
}
