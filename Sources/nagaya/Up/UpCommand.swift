import ArgumentParser
import Foundation
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import NodeAgent

/// `nagaya up`: runs the whole platform below this process, or below one in the background.
struct Up: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run Nagaya on this machine.",
    discussion: """
      Runs its parts as processes of their own and starts again what dies: the API server; this node's storage and what \
      the cluster does for volumes; the controllers with the scheduler; the node agent; the node hooks; the https edge. \
      Each knows the API as itself, with no more rights than it needs. In the foreground it runs until interrupted. \
      Containers go on when it ends and are found again when it starts; `nagaya down` stops them.

      EXAMPLES
        nagaya up                                   run in the foreground
        nagaya up --detach                          run in the background, return when everything is ready
        nagaya up --edge-address 0.0.0.0            let other machines call the apps
        nagaya up --state-dir /srv/n --run-dir /run/n --api-port 7443 --edge-port 9443
      """)

  @OptionGroup var options: PlatformOptions

  @Flag(name: [.long, .short], help: "Run in the background; return when everything is ready.")
  var detach = false

  @Flag(help: "With --detach: start a sample app once everything is ready.")
  var sample = false

  @Option(help: "With --detach: seconds to wait until everything is ready.")
  var timeout = 120

  func validate() throws {
    guard Logger.Level(rawValue: options.logLevel) != nil else {
      throw ValidationError("--log-level must be trace, debug, info, notice, warning or error")
    }
    guard (0...65_535).contains(options.apiPort), (0...65_535).contains(options.edgePort) else {
      throw ValidationError("a port is a number from 0 to 65535")
    }
    guard options.apiPort != options.edgePort || options.apiPort == 0 else {
      throw ValidationError("--api-port and --edge-port must differ")
    }
    guard let subnet = IPv4Block(options.podCIDR) else {
      throw ValidationError("--pod-cidr must be a block of IPv4 addresses such as 10.244.0.0/16")
    }
    guard PodNetwork(name: options.network, subnet: subnet) != nil else {
      throw ValidationError("--network must be a name of letters, digits, - and _, at most 15 characters")
    }
  }

  func run() async throws {
    guard geteuid() == 0 else {
      throw CommandFailure("nagaya up mounts volumes and runs containers", remedy: "run it as root")
    }
    if detach { try await runInBackground() } else { try await runInForeground() }
  }

  private func runInForeground() async throws {
    // The parts inherit it.
    OutOfMemoryScores.protectThisProcess()
    let layout = options.directories.layout
    let lock = try InstanceLock(layout)
    var logger = Logger(label: "nagaya")
    logger.logLevel = Logger.Level(rawValue: options.logLevel) ?? .info
    try await InstanceSupervision(options: options, layout: layout, logger: logger).run()
    withExtendedLifetime(lock) {}
  }

  private func runInBackground() async throws {
    let layout = options.directories.layout
    if let pid = try InstanceLock.holder(layout) { throw InstanceLock.alreadyRuns(layout, pid: pid) }
    try FileManager.default.createDirectory(
      atPath: layout.state, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try? FileManager.default.removeItem(atPath: layout.instance)
    let process = try BackgroundProcess.start(arguments: ["up"] + options.arguments, log: layout.log)
    let instance = try await waitUntilReady(process, layout: layout)
    try await showNextSteps(layout, instance)
  }

  private func showNextSteps(_ layout: Layout, _ instance: Instance) async throws {
    let transport = try HTTPSTransport(Kubeconfig.load(explicit: layout.kubeconfig).connection())
    let client = KubernetesClient(transport, userAgent: Session.userAgent)
    do {
      let hasTenant = try await client.getIfPresent(.namespaces, name: SampleApp.namespace) != nil
      if sample, hasTenant { try await SampleApp.start(client) }
      let tour: NextSteps.Tour =
        if !hasTenant {
          .tenantDeleted
        } else if try await client.getIfPresent(
          .applications, namespace: SampleApp.namespace, name: NextSteps.app) != nil
        {
          .appExists
        } else {
          .fresh
        }
      NextSteps(
        layout: layout, instance: instance, domain: options.domain, withSample: sample && hasTenant, tour: tour
      ).show()
    } catch {
      await transport.shutdown()
      throw error
    }
    await transport.shutdown()
  }

  /// Shows each part as it comes up.
  private func waitUntilReady(_ process: DetachedProcess, layout: Layout) async throws -> Instance {
    var shown = 0
    let deadline = ContinuousClock.now + .seconds(timeout)
    while ContinuousClock.now < deadline {
      if let instance = Instance(reading: layout), instance.pid == process.id {
        for step in instance.steps.dropFirst(shown) { StartupProgress.show(step) }
        shown = instance.steps.count
        switch instance.phase {
        case .ready: return instance
        case .failed:
          throw CommandFailure(instance.failure ?? "Nagaya did not start", remedy: "the whole log is \(layout.log)")
        case .starting, .stopping, .degraded: break
        }
        if let part = instance.parts.first(where: \.keepsEnding) { throw failure(part, layout: layout) }
      }
      guard process.isRunning else { throw failure("Nagaya ended while it started", layout: layout) }
      try await Task.sleep(for: .milliseconds(25))
    }
    throw failure("Nagaya was not ready after \(timeout) s", layout: layout)
  }

  private func failure(_ part: Instance.Part, layout: Layout) -> CommandFailure {
    let words = (part.failure.map { [$0] } ?? part.lastWords.suffix(5)).map { "\n  \($0)" }.joined()
    return CommandFailure(
      "the part \(part.name) keeps ending: \(part.lastEnd ?? "unknown")\(words)",
      remedy: "it is tried again and again, the other parts run: see `nagaya status`; stop all with `nagaya down`. "
        + "The whole log is \(layout.log)")
  }

  private func failure(_ what: String, layout: Layout) -> CommandFailure {
    let log = (try? String(contentsOfFile: layout.log, encoding: .utf8)) ?? ""
    let tail = log.split(separator: "\n").suffix(8).map { "  \($0)" }.joined(separator: "\n")
    return CommandFailure("\(what)\n\(tail)", remedy: "the whole log is \(layout.log)")
  }
}
