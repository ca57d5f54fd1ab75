import ArgumentParser
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import NodeAgent
import Placement
import Tenancy

/// Where an instance of Nagaya keeps its state and its sockets.
struct DirectoryOptions: ParsableArguments {
  @Option(help: "Where state is kept: objects, volumes, certificates, images.")
  var stateDir = "/var/lib/nagaya"

  @Option(help: "Where sockets and the lock are.")
  var runDir = "/run/nagaya"

  var layout: Layout { Layout(state: Installation.absolute(stateDir), run: Installation.absolute(runDir)) }
}

/// What else can be chosen when an instance starts.
struct PlatformOptions: ParsableArguments {
  @OptionGroup var directories: DirectoryOptions

  @Option(
    help: """
      Directory with containerd, runc and kubectl in bin/ and the CNI plugins in cni/. Default: $NAGAYA_ENGINES, or \
      engines beside the nagaya binary, or the nearest .engines above it.
      """)
  var engines: String?

  @Option(
    help:
      "Directory with the OCI archives pause.tar and hello.tar. Default: images beside the binary, or the nearest .build/images."
  )
  var images: String?

  @Option(help: "Port of the Kubernetes API, on the loopback address. 0: any free one.")
  var apiPort = 6443

  @Option(
    help: ArgumentHelp(
      "Address of this machine at which others reach the Kubernetes API, besides the loopback address. Default: none.",
      valueName: "address"))
  var apiAddress: String?

  @Option(
    help: ArgumentHelp(
      """
      Host name or address by which users call the API from elsewhere; may be repeated. The first one stands in the \
      kubeconfigs of `nagaya create user`. Default: the address above.
      """, valueName: "name"))
  var apiName: [String] = []

  @Option(help: "Address of the https edge.")
  var edgeAddress = "127.0.0.1"

  @Option(help: "Port of the https edge. 0: any free one.")
  var edgePort = 8443

  @Option(help: "Domain of apps' hosts, which are <app>.<environment>.<tenant>.DOMAIN.")
  var domain = "localhost"

  @Option(help: "Name of this node. Default: the host name.")
  var nodeName: String?

  @Option(help: "Addresses of pods, as a CIDR block.")
  var podCIDR = "10.244.0.0/16"

  @Option(
    name: [.long, .customLong("bridge", withSingleDash: false)],
    help: "Name of the pods' network: of its tables in nftables. One per instance on a machine.")
  var network = "nagaya0"

  @Option(help: "Bytes that the file pool may hand out (a quantity such as 100Gi). Default: what the file system has.")
  var poolSize: String?

  @Option(help: LVMPoolArgument.help, transform: LVMPoolArgument.transform)
  var lvmPool: [LVMPoolArgument] = []

  @Option(
    help: """
      On which node a new volume goes, among those with room: expected-loss keeps the holes that large volumes need \
      (`nagaya simulate` calls it default); the others are what people use elsewhere.
      """)
  var placement: SnapshotPolicy = .expectedLoss

  @Option(
    help: """
      How images come to containers: nagaya (lazily: containers start before their image is here), overlayfs (unpacked \
      first), or auto: nagaya if this machine can do it.
      """)
  var snapshotter = SnapshotterChoice.auto

  @Option(help: "Processes and threads that one pod may have.")
  var podProcesses = NodeLimits().podProcesses

  @Option(
    help: ArgumentHelp(
      """
      A bound of each environment of new tenants that say none; may be repeated, none: no bounds. Default: counts of \
      pods, services, claims and other objects.
      """, valueName: "resource=quantity"))
  var tenantQuota: [QuotaArgument] = []

  @Option(
    help: ArgumentHelp(
      """
      The limit of containers in new tenants that say none; may be repeated, none: no limits. Default: memory=1Gi, \
      ephemeral-storage=4Gi.
      """, valueName: "resource=quantity"))
  var containerLimit: [QuotaArgument] = []

  @Option(
    help: """
      How long the certificates hold by which the platform's parts know each other (15s at least). They are renewed while \
      all runs, when two thirds of it are over.
      """)
  var certificateLifetime = TimeSpan(seconds: Int(PlatformAuthorities.Lives().leaf))

  @Option(
    help: """
      How long new roots of the authorities hold, twice as long as certificates at least. Each is followed by one that was \
      trusted long before. Default: ten years.
      """)
  var rootLifetime: TimeSpan?

  @Flag(help: "Keep no audit log of the API (else: audit/audit.log and audit.log.1 below the state directory).")
  var noAudit = false

  @Option(help: "How much is logged: trace, debug, info, notice, warning or error.")
  var logLevel = "info"

  func validate() throws {
    if let fault = AppHost.fault(ofDomain: domain) { throw ValidationError("--domain \(domain) \(fault)") }
    try APIPlace(self).validate()
    guard certificateLifetime.seconds >= 15 else {
      throw ValidationError(
        "--certificate-lifetime \(certificateLifetime) is too short to be renewed in time: 15s or more")
    }
    guard lives.root >= lives.leaf * 2 else {
      throw ValidationError("--root-lifetime must be at least twice --certificate-lifetime")
    }
    try directories.layout.checkSockets()
  }

  /// The options of `nagaya up` that start the same instance again, from any working directory.
  var arguments: [String] {
    let layout = directories.layout
    var arguments = [
      "--state-dir", layout.state, "--run-dir", layout.run, "--api-port", String(apiPort), "--edge-address",
      edgeAddress,
      "--edge-port", String(edgePort), "--domain", domain, "--node-name", resolvedNodeName, "--pod-cidr", podCIDR,
      "--network", network, "--placement", placement.rawValue, "--snapshotter", snapshotter.rawValue, "--log-level",
      logLevel,
    ]
    if let engines = try? Installation.engines(engines) { arguments += ["--engines", engines] }
    if let images = try? Installation.images(images) { arguments += ["--images", images] }
    if noAudit { arguments.append("--no-audit") }
    if let apiAddress { arguments += ["--api-address", apiAddress] }
    for name in apiName { arguments += ["--api-name", name] }
    if let poolSize { arguments += ["--pool-size", poolSize] }
    for pool in lvmPool { arguments += ["--lvm-pool", pool.argument] }
    arguments += ["--pod-processes", String(podProcesses)]
    arguments += ["--certificate-lifetime", String(certificateLifetime.seconds)]
    if let rootLifetime { arguments += ["--root-lifetime", String(rootLifetime.seconds)] }
    for item in tenantQuota { arguments += ["--tenant-quota", item.argument] }
    for item in containerLimit { arguments += ["--container-limit", item.argument] }
    return arguments
  }

  /// How long what the authorities make holds.
  var lives: PlatformAuthorities.Lives {
    var lives = PlatformAuthorities.Lives()
    lives.leaf = TimeInterval(certificateLifetime.seconds)
    if let rootLifetime { lives.root = TimeInterval(rootLifetime.seconds) }
    return lives
  }

  /// How often it is looked whether something of it is to be renewed: there are several tries before anything ends.
  var renewalInterval: Duration { .seconds(min(3600, max(1, min(lives.leaf / 12, lives.root / 40)))) }

  /// What the node's pods may take.
  var nodeLimits: NodeLimits { NodeLimits(podProcesses: max(16, podProcesses)) }

  /// What new tenants get.
  var tenantDefaults: TenantDefaults {
    var defaults = TenantDefaults.standard
    if !tenantQuota.isEmpty { defaults.quota = QuotaArgument.list(tenantQuota).members }
    if !containerLimit.isEmpty {
      let limits = QuotaArgument.list(containerLimit)
      defaults.limits = limits.members.isEmpty ? [:] : defaults.limits.merging(["default": limits]) { $1 }
      // A request above the limit would be refused.
      for (name, limit) in limits.members {
        guard let most = limit.string.flatMap({ Quantity($0) }),
          let request = defaults.limits["defaultRequest"]?[name].string.flatMap({ Quantity($0) }), request > most
        else { continue }
        defaults.limits["defaultRequest"]?[name] = limit
      }
    }
    return defaults
  }

  /// The pods' network; the edge's port is open to pods where other machines reach it too, the API's, at their gateway, to
  /// those that ask for a token.
  func podNetwork() throws -> PodNetwork {
    guard let subnet = IPv4Block(podCIDR) else {
      throw CommandFailure("--pod-cidr \(podCIDR) is no block of addresses", remedy: "give one as 10.244.0.0/16")
    }
    let edge = PodNetwork.HostService(address: edgeAddress, port: edgePort)
    guard
      let network = PodNetwork(
        name: network, subnet: subnet, hostServices: edge.map { [$0] } ?? [], apiPort: apiPort == 0 ? nil : apiPort)
    else {
      throw CommandFailure("--network \(network) is no name", remedy: "use letters, digits, - and _; at most 15")
    }
    return network
  }

  var resolvedNodeName: String {
    nodeName ?? Installation.hostName
  }
}

/// What `--snapshotter` takes.
enum SnapshotterChoice: String, ExpressibleByArgument, CaseIterable {
  case auto, nagaya, overlayfs
}

/// The paths of an instance.
struct Layout: Sendable {
  let state: String
  let run: String

  var pki: String { "\(state)/pki" }
  var accountKeys: String { "\(pki)/accounts" }
  var revocations: String { "\(pki)/revocations.json" }
  var kubeconfig: String { "\(state)/kubeconfig" }
  var objects: String { "\(state)/api/objects.sqlite" }
  /// What seals secrets in `objects`. Without it they are lost: back it up, elsewhere than the objects.
  var encryptionKeys: String { "\(pki)/encryption/keys" }
  var pool: String { "\(state)/pools/default" }
  var node: String { "\(state)/node" }
  var containerdState: String { "\(state)/containerd" }
  var containerdRun: String { "\(run)/containerd" }
  var csiSocket: String { "\(run)/csi/local.nagaya.dev.sock" }
  var images: String { "\(state)/images" }
  var imagesRun: String { "\(run)/images" }
  var hooksSocket: String { "\(run)/hooks/status.sock" }
  /// - Throws: `ValidationError` where sockets would have longer paths than the kernel takes (unix(7): 107 bytes).
  func checkSockets() throws {
    let longest = PartKind.allCases.map { statusSocket(of: $0).utf8.count }.max() ?? 0
    guard longest <= 107 else {
      throw ValidationError(
        "--run-dir \(run) is \(longest - 107) bytes too long for the sockets in it: choose a shorter one")
    }
  }

  /// Where a part says how it is.
  func statusSocket(of part: PartKind) -> String { "\(run)/parts/\(part.rawValue).sock" }
  var log: String { "\(state)/nagaya.log" }
  var arguments: String { "\(state)/arguments.json" }
  var drain: String { "\(run)/drain" }
  var lock: String { "\(run)/nagaya.lock" }
  var instance: String { "\(run)/nagaya.json" }
}

/// Finds what lies beside the binary: a package has `engines` and `images` in its directory, a build tree `.engines` and
/// `.build/images` above it.
enum Installation {
  static func engines(_ option: String?) throws -> String {
    if let option { return absolute(option) }
    if let variable = ProcessInfo.processInfo.environment["NAGAYA_ENGINES"], !variable.isEmpty {
      return absolute(variable)
    }
    if let found = beside("engines", holding: "bin/containerd") { return found }
    if let found = nearest(".engines", holding: "bin/containerd") { return found }
    throw CommandFailure(
      "containerd, runc and the CNI plugins were not found",
      remedy: "install the package nagaya-engines, run `make engines` in the source tree, or name their directory with "
        + "--engines")
  }

  static func images(_ option: String?) throws -> String {
    if let option { return absolute(option) }
    if let found = beside("images", holding: "pause.tar") { return found }
    if let found = nearest(".build/images", holding: "pause.tar") { return found }
    throw CommandFailure(
      "the image archives pause.tar and hello.tar were not found",
      remedy: "run `make build` in the source tree, or name their directory with --images")
  }

  /// The machine's name, as nodes are called by it.
  static var hostName: String {
    ProcessInfo.processInfo.hostName.split(separator: ".").first.map { $0.lowercased() } ?? "node"
  }

  /// This binary's own path.
  static var executable: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  }

  /// A path that means the same in every working directory.
  static func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
  }

  /// The directory of this binary, behind all links.
  static var directory: URL { URL(fileURLWithPath: executable).deletingLastPathComponent() }

  private static func beside(_ name: String, holding file: String) -> String? {
    let candidate = directory.appendingPathComponent(name).path
    return FileManager.default.fileExists(atPath: "\(candidate)/\(file)") ? candidate : nil
  }

  private static func nearest(_ name: String, holding file: String) -> String? {
    var directory = directory
    while directory.path != "/" {
      let candidate = directory.appendingPathComponent(name).path
      if FileManager.default.fileExists(atPath: "\(candidate)/\(file)") { return candidate }
      directory.deleteLastPathComponent()
    }
    return nil
  }
}

extension SnapshotPolicy: ExpressibleByArgument {}
