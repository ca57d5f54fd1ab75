import ProcessSupervision

/// The processes of an instance, in the order of their start.
enum PartKind: String, CaseIterable, Sendable {
  /// The API server with its store.
  case api
  /// This node's volumes: the CSI driver, and what makes, grows and deletes volumes here.
  case storage
  /// What the cluster does for claims and volumes.
  case storageController = "storage-controller"
  /// The controllers, the scheduler, tenants and applications.
  case controllers
  /// The node agent, containerd and the images.
  case node
  /// The hooks that containerd asks before it makes a container.
  case hooks
  /// The https edge.
  case edge

  /// How much the kernel spares each when memory runs out (proc(5), oom_score_adj): apps go first, then the parts, the
  /// supervisor last. The one place where these are set; to lower a score takes a right that not every root has.
  var oomScoreAdjustment: Int {
    switch self {
    case .api: -900
    case .storage: -850
    case .controllers, .storageController: -820
    case .node: -800
    case .hooks: -750
    case .edge: -700
    }
  }

  /// How long it may take to end: the node's pods get their time.
  var stopLimit: Duration {
    switch self {
    case .api: .seconds(30)
    case .node: .seconds(120)
    case .storage, .storageController, .controllers, .hooks, .edge: .seconds(20)
    }
  }

  /// The subcommand of `nagaya serve` that is this part.
  var command: String { self == .hooks ? "node-hooks" : rawValue }

  /// Parts that stand alone know nothing of instances: they are told what they need.
  private func arguments(_ options: PlatformOptions) -> [String] {
    let layout = options.directories.layout
    func cluster(_ part: PartIdentity) -> [String] {
      ["--kubeconfig", part.kubeconfig(layout), "--run-dir", layout.run, "--log-level", options.logLevel]
    }
    switch self {
    case .storage:
      let node = options.resolvedNodeName
      return cluster(.storage(node))
        + ["--node-name", node, "--pool-dir", layout.pool, "--csi-socket", layout.csiSocket, "--no-kubelet"]
        + (options.poolSize.map { ["--pool-size", $0] } ?? [])
        + options.lvmPool.flatMap { ["--lvm-pool", $0.argument] }
    case .storageController: return cluster(.storageController)
    case .api, .controllers, .node, .hooks, .edge: return options.arguments
    }
  }

  /// The process that runs this part of the instance with `options`.
  func program(
    _ options: PlatformOptions, environment: [String: String], sockets: [SupervisedProgram.Socket] = []
  ) -> SupervisedProgram {
    // A process that traps would live on, with its sockets, until a second process has read its whole memory and symbols.
    // What it said last is kept anyway.
    let environment = ["SWIFT_BACKTRACE": "enable=no"].merging(environment) { $1 }
    return SupervisedProgram(
      name: rawValue, program: Installation.executable, arguments: ["serve", command] + arguments(options),
      environment: environment, startsAfter: self == .api ? [] : [Self.api.rawValue], stopLimit: stopLimit,
      oomScoreAdjustment: oomScoreAdjustment, sockets: sockets)
  }
}
