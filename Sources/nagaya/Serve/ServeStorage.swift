import ArgumentParser
import CSIDriver
import Foundation
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import ProcessMetrics
import ServiceLifecycle
import StorageControllers
import VolumeMoves
import VolumeTransfer

/// `nagaya serve storage`: the volumes of one node, below `nagaya up` or on somebody's Kubernetes.
struct ServeStorage: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "storage", abstract: "Serve this node's volumes: the CSI driver, and what makes and deletes them.",
    discussion: """
      Runs on each node, as root. Makes the volumes of claims that were given to this node, grows and deletes those that lie \
      on it, and publishes what it has left; it touches nothing of other nodes. No sidecar is needed: it registers with the \
      kubelet by itself. Binding is the cluster's; what else is done once for all nodes does `nagaya serve storage-controller`.

      With --driver-only it is a CSI driver and no more: for the official sidecars, which make claims' volumes by it and register \
      it, or for another orchestrator that speaks CSI. It asks no API then and needs no rights there.

      EXAMPLES
        nagaya serve storage                                        in a pod, on a node with a kubelet
        nagaya serve storage --lvm-pool fast=vg0,thin=pool0         with a pool in LVM, for classes that name it
        nagaya serve storage --kubeconfig f --node-name n --no-kubelet --csi-socket /run/x/csi.sock
        nagaya serve storage --driver-only --csi-socket /csi/csi.sock   beside external-provisioner --node-deployment
      """)

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var node: NodeStorageOptions

  func validate() throws {
    guard node.driverOnly else { return }
    let others = [
      ("--kubeconfig", cluster.kubeconfig != nil), ("--transfer-address", node.transferAddress != nil),
      ("--no-kubelet", node.noKubelet), ("--snapshots", node.snapshots),
    ]
    guard let other = others.first(where: \.1)?.0 else { return }
    throw ValidationError("--driver-only asks no API and registers nowhere: leave out \(other)")
  }

  func run() async throws {
    OwnMemory.keepSmall()
    let process = cluster.process(.storage)
    try await process.run { try await services(process) }
  }

  /// In the order in which they start; they stop in the opposite one.
  private func services(_ process: PartProcess) async throws -> [any Service] {
    // Before anything is opened: without an account there is nothing to serve.
    let client = node.driverOnly ? nil : try cluster.client(userAgent: "nagaya-storage")
    let name = node.resolvedName
    try FileManager.default.createDirectory(
      atPath: node.poolDir, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let volumes = try await LocalStorage(
      node: name, directory: node.poolDir,
      limit: try node.poolSize.map { try Sizes.bytes($0, option: "--pool-size", least: 1) },
      lvmPools: node.lvmPool, logger: process.log("pool"))
    MetricsRegistry.process.add { await volumes.metrics }
    let driver = volumes.driver(socket: node.csiSocket, logger: process.log("csi"))
    guard let client else {
      let startup = process.startup([
        .init("driver") {
          try await Startup.wait { try FileStatus(of: node.csiSocket) != nil }
          return node.csiSocket
        }
      ])
      return [driver, startup]
    }
    let controllers = try NodeStorageControllers(
      client: client, driverSocket: node.csiSocket, poolPath: node.poolDir, entersNode: node.noKubelet,
      takesSnapshots: node.noKubelet || node.snapshots, logger: process.log("storage"))
    var moves: [any Service] = []
    if let place = try node.transfer {
      moves.append(
        NodeVolumeMoves(
          client: client,
          place: .init(
            node: name, nodeLabel: StorageAccess.nodeLabel, poolAttribute: VolumeParameters.pool, address: place.host),
          pools: volumes.pools,
          receiver: TransferReceiver(
            identity: try TransferIdentity(), host: place.host, port: place.port, logger: process.log("moves")),
          capacityChanged: { controllers.capacityChanged() }, logger: process.log("moves")))
    }
    let registration: [any Service] =
      node.noKubelet
      ? []
      : [
        KubeletRegistration(
          driver: StorageAccess.driverName, endpoint: node.csiSocket, registry: node.kubeletRegistry,
          logger: process.log("kubelet"))
      ]
    let startup = process.startup([
      .init("storage") {
        // Entered by the kubelet, or here.
        try await Startup.wait {
          try await client.getIfPresent(.csiNodes, name: name)?.spec["drivers"].elements
            .contains { $0["name"].string == StorageAccess.driverName } == true
        }
        return node.poolDir
      }
    ])
    return [driver] + registration + [controllers] + moves + [startup]
  }
}

/// What one node's storage needs to know.
struct NodeStorageOptions: ParsableArguments {
  @Option(help: "The name of this node's Node object. Default: $NODE_NAME, or the host name.")
  var nodeName: String?

  @Option(help: "The directory of the pool: on the file system that volumes are to take.", completion: .directory)
  var poolDir = "/var/lib/nagaya/pools/default"

  @Option(help: "Bytes that the pool may hand out (a quantity such as 100Gi). Default: what the file system has.")
  var poolSize: String?

  @Option(help: LVMPoolArgument.help, transform: LVMPoolArgument.transform)
  var lvmPool: [LVMPoolArgument] = []

  @Option(help: "The CSI driver's socket; its path must be the host's.", completion: .file())
  var csiSocket = "/var/lib/kubelet/plugins/\(StorageAccess.driverName)/csi.sock"

  @Option(help: "Where the kubelet looks for plugins.", completion: .directory)
  var kubeletRegistry = "/var/lib/kubelet/plugins_registry"

  @Option(
    help: ArgumentHelp(
      """
      The address of this machine at which other nodes send volumes that move here, and a port if it must be a certain one. \
      Without it no volume moves to or from this node.
      """, valueName: "host[:port]"))
  var transferAddress: String?

  @Flag(help: "Be the CSI driver alone: ask no API, register nowhere.")
  var driverOnly = false

  @Flag(help: "There is no kubelet: enter the driver in the CSINode object here.")
  var noKubelet = false

  @Flag(
    help:
      "Take the snapshots of this node's volumes, for a cluster whose snapshot-controller runs with --enable-distributed-snapshotting: without the sidecar external-snapshotter. Always so with --no-kubelet."
  )
  var snapshots = false

  /// Where volumes come in; port 0: any that is free while one is expected.
  var transfer: (host: String, port: Int)? {
    get throws {
      guard let transferAddress else { return nil }
      func refuse() -> CommandFailure {
        CommandFailure(
          "--transfer-address \(transferAddress.prefix(200)) is no address of a machine",
          remedy: "give an IP address of this machine, such as 10.0.0.7, [fd00::7] or 10.0.0.7:7644",
          exitCode: CommandFailure.usage)
      }
      var host = transferAddress[...]
      var port = 0
      if let colon = host.lastIndex(of: ":"), host.hasSuffix("]") == false,
        host.hasPrefix("[") || host.firstIndex(of: ":") == colon
      {
        guard let number = Int(host[host.index(after: colon)...]), (1...65535).contains(number) else { throw refuse() }
        port = number
        host = host[..<colon]
      }
      if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
      guard !host.isEmpty, host.allSatisfy({ $0.isHexDigit || $0 == "." || $0 == ":" }) else { throw refuse() }
      return (String(host), port)
    }
  }

  var resolvedName: String {
    nodeName ?? ProcessInfo.processInfo.environment["NODE_NAME"] ?? Installation.hostName
  }
}

/// `nagaya serve storage-controller`: what is done for claims and volumes once for all nodes.
struct ServeStorageController: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "storage-controller", abstract: "Serve what the cluster does for claims and volumes.",
    discussion: """
      Binds claims and volumes, keeps their phases, and gives claims that wait for no pod to the node with the most room: all \
      that Kubernetes' own controllers do for volumes, for API servers that have none of those, such as `nagaya up`'s.

      EXAMPLES
        nagaya serve storage-controller --kubeconfig storage-controller.kubeconfig
      """)

  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    OwnMemory.keepSmall()
    let process = cluster.process(.storageController)
    try await process.run {
      let client = try cluster.client(userAgent: "nagaya-storage-controller")
      return [
        StorageControllers(client: client, logger: process.log("volumes")),
        process.startup([
          .init("volumes") {
            try await Startup.wait {
              try await client.getIfPresent(.csiDrivers, name: StorageAccess.driverName) != nil
            }
            return StorageAccess.driverName
          }
        ]),
      ]
    }
  }
}
