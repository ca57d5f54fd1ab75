import ArgumentParser
import KubernetesAPI
import LinuxSystem
import Logging
import NRI
import NodeHooks
import ServiceLifecycle

/// `nagaya serve hooks`: node hooks for a containerd that is there already.
struct ServeHooks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hooks", abstract: "Serve node hooks to containerd: limits and injections before containers are made.",
    discussion: """
      A plugin of the Node Resource Interface (NRI, on by default since containerd 2.0). Limits of processes come from pods' \
      annotations (ulimits.noderesource.dev/container.NAME: a YAML list of type, soft and hard) and from policies, which \
      also bound what annotations may ask for, cap memory, CPU and processes, and inject variables and mounts.

      Needs the right to open containerd's NRI socket, nothing else. It connects again whenever containerd or it was away. \
      The policies' file is read anew when it changes; one that is wrong is not used.

      EXAMPLES
        nagaya serve hooks
        nagaya serve hooks --policies /etc/nagaya/policies.yaml --audit
        nagaya serve hooks --nri-socket /run/nagaya/containerd/nri.sock --on-error Ignore
        nagaya hooks test -f pod.yaml --policies policies.yaml
      """)

  @Option(name: .customLong("nri-socket"), help: "The runtime's NRI socket.", completion: .file())
  var runtimeSocket = "/var/run/nri/nri.sock"

  @OptionGroup var directories: HooksDirectories
  @OptionGroup var rules: HookRules

  @Option(help: "The plugin's name.")
  var name = "nagaya-hooks"

  @Option(help: "Two digits: plugins with lower ones are asked before.")
  var index = "50"

  @Option(help: "How much to log: debug, info, notice, warning, error.")
  var logLevel = Logger.Level.notice

  func validate() throws {
    guard NRIIdentity(name: name, index: index) != nil else {
      throw ValidationError("--name is made of letters, digits and _.+-, --index of two digits")
    }
  }

  func run() async throws {
    guard let identity = NRIIdentity(name: name, index: index) else { return }
    OwnMemory.keepSmall()
    var configuration = NodeHooksConfiguration(runtimeSocket: runtimeSocket, identity: identity)
    configuration.statusSocket = directories.statusSocket
    configuration.policyFile = rules.policies
    configuration.failure = rules.onError
    configuration.isAudit = rules.audit
    var logger = Logger(label: "nagaya.hooks")
    logger.logLevel = logLevel
    let hooks: NodeHooks
    do throws(PolicyFile.Fault) {
      let logger = logger
      hooks = try NodeHooks(configuration, logger: logger) { notice in
        logger.warning(
          "\(notice.kind.rawValue)",
          metadata: ["pod": "\(notice.namespace)/\(notice.pod)", "why": "\(notice.message)"])
      }
    } catch { throw CommandFailure(error.description, remedy: "mend the policies; nagaya hooks test reads them, too") }
    logger.notice("serving", metadata: ["runtime": "\(runtimeSocket)", "status": "\(directories.statusSocket)"])
    try await ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(
            service: hooks, successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup)
        ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    ).run()
  }
}

/// Where the hooks' own socket is.
struct HooksDirectories: ParsableArguments {
  @Option(name: .customLong("run"), help: "The directory of the status socket.", completion: .directory)
  var runDirectory = "/run/nagaya/hooks"

  var statusSocket: String { "\(runDirectory)/status.sock" }
}

/// What hooks go by.
struct HookRules: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "NodePolicy objects (and Namespaces, where policies name tenants), as YAML. Without it, annotations alone count.",
      valueName: "file"), completion: .file())
  var policies: String?

  @Option(
    name: .customLong("on-error"),
    help: "What becomes of a container whose annotations are wrong, where no policy says so: Fail or Ignore.")
  var onError = FailPolicy.fail

  @Flag(help: "Say what would be changed, and change nothing.")
  var audit = false
}

extension FailPolicy: ExpressibleByArgument {}
