import ArgumentParser
import Foundation
import LayerStore
import LazyImages
import LinuxSystem
import Logging
import RegistryClient
import ServiceLifecycle

/// `nagaya serve images`: the snapshotter for a containerd that is there already.
struct ServeImages: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "images", abstract: "Serve lazy images to containerd: a snapshotter on a unix socket.",
    discussion: """
      Containers start before their image is here: what they read is fetched while they run. Layers with a table of \
      contents (eStargz, zstd:chunked) are lazy from the first pull on; plain layers are streamed once, without being \
      unpacked, and are lazy from then on.

      Needs root, and Linux 6.12 or newer. Incomplete layers are read through FUSE, complete ones by the kernel alone. \
      From Linux 6.14 on, with a root directory on ext4, xfs or btrfs and a service manager that keeps open files for this \
      program, the kernel asks for what is missing, and nothing of ours is in the path of what is here (fanotify). \
      Running containers survive the end of this program; readers wait until it is back.

      EXAMPLES
        nagaya serve images --print-config >> /etc/containerd/config.toml
        nagaya serve images
        nagaya serve images --containerd-socket /run/containerd/containerd.sock
        nagaya images
      """)

  @OptionGroup var directories: ImagesDirectories

  @Option(
    help: "The directory with containerd's hosts.toml files.", completion: .directory)
  var hostsDirectory = "/etc/containerd/certs.d"

  @Option(
    help: ArgumentHelp("Credentials of registries: Docker's config.json.", valueName: "file"), completion: .file())
  var dockerConfig = "/root/.docker/config.json"

  @Option(
    help: ArgumentHelp(
      "Credentials of registries: kubelet's --image-credential-provider-config; its plugins are run.", valueName: "file"
    ),
    completion: .file())
  var credentialProviderConfig: String?

  @Option(
    help: ArgumentHelp("kubelet's --image-credential-provider-bin-dir.", valueName: "directory"),
    completion: .directory)
  var credentialProviderBinDir: String?

  @Option(
    help: ArgumentHelp(
      "containerd's socket. CRI's image service is then also served at RUN/image-service.sock: give that to the kubelet as "
        + "--image-service-endpoint, and layers are read with the credentials that pods' imagePullSecrets brought.",
      valueName: "path"), completion: .file())
  var containerdSocket: String?

  @Option(help: "How much content of unused layers to keep, as 20Gi. Without it all is kept.")
  var cacheSize: String?

  @Option(help: "How much to fetch in the background, in bytes a second, as 50Mi. Without it: as much as comes.")
  var backgroundRate: String?

  @Option(
    help: ArgumentHelp(
      "How the kernel asks for missing bytes: fanotify, fuse, or auto, which is fanotify where the service manager keeps "
        + "open files for this program (systemd's FileDescriptorStoreMax=), otherwise fuse."))
  var fill = FillChoice.auto

  @Option(
    help: ArgumentHelp(
      "How long a call of containerd may wait for this machine's disk, kernel or processes before it is given up.",
      valueName: "seconds"))
  var callLimit = 120

  @Flag(help: "Print what containerd's configuration needs, and end.")
  var printConfig = false

  @Option(help: "How much to log: debug, info, notice, warning, error.")
  var logLevel = Logger.Level.notice

  func validate() throws {
    guard (credentialProviderConfig == nil) == (credentialProviderBinDir == nil) else {
      throw ValidationError("--credential-provider-config and --credential-provider-bin-dir go together")
    }
    guard (1...86_400).contains(callLimit) else { throw ValidationError("--call-limit is 1 to 86400 seconds") }
  }

  func run() async throws {
    var configuration = LazyImagesConfiguration(
      root: directories.root, run: directories.runDirectory, hostsDirectory: hostsDirectory,
      keeper: [Installation.executable])
    configuration.credentials = [DockerConfigCredentials(path: dockerConfig)]
    if let credentialProviderConfig, let credentialProviderBinDir {
      configuration.credentials.append(
        KubeletCredentialProviders(configuration: credentialProviderConfig, programs: credentialProviderBinDir))
    }
    configuration.containerdSocket = containerdSocket
    configuration.callLimit = .seconds(callLimit)
    configuration.fill = fill
    configuration.descriptorStore = DescriptorStore(environment: ProcessInfo.processInfo.environment)
    configuration.cacheBytes = try cacheSize.map { try Sizes.bytes($0, option: "--cache-size") }
    configuration.backgroundBytesPerSecond = try backgroundRate.map { try Sizes.bytes($0, option: "--background-rate") }
    if printConfig {
      Console.current.write(ImagesPlugin(configuration).toml)
      return
    }
    guard geteuid() == 0 else {
      throw CommandFailure("the snapshotter mounts file systems", remedy: "run it as root")
    }
    OwnMemory.keepSmall()
    var logger = Logger(label: "nagaya.images")
    logger.logLevel = logLevel
    do {
      let images = try await LazyImages(configuration, logger: logger)
      if images.fill.path == .fanotify, !images.fill.isHeldOutside {
        logger.warning(
          "containers read zeros if all processes of this program are killed: nobody else holds their reads")
      }
      logger.notice(
        "serving",
        metadata: [
          "socket": "\(configuration.snapshotSocket)", "fill": "\(images.fill.path)", "why": "\(images.fill.why)",
        ])
      let reporter = SignalReport(images.calls)
      defer { withExtendedLifetime(reporter) {} }
      try await ServiceGroup(
        configuration: ServiceGroupConfiguration(
          services: images.services.map {
            .init(
              service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
              failureTerminationBehavior: .gracefullyShutdownGroup)
          }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
      ).run()
    } catch let error as LayerStoreError {
      throw CommandFailure("\(error)", remedy: "use containerd's overlayfs snapshotter on this machine")
    }
  }
}

extension FillChoice: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}

/// Where the snapshotter's files and sockets are.
struct ImagesDirectories: ParsableArguments {
  @Option(help: "Snapshots and layers.", completion: .directory)
  var root = "/var/lib/nagaya/images"

  @Option(name: .customLong("run"), help: "Sockets, and what is true until the next boot.", completion: .directory)
  var runDirectory = "/run/nagaya/images"
}
