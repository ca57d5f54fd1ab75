/// Where a private containerd keeps what is its own, and where its programs are. All paths are absolute.
public struct ContainerdLayout: Sendable, Hashable {
  /// Images, snapshots and metadata: survive a reboot.
  public var root: String
  /// Sockets and running state: gone after a reboot.
  public var state: String
  /// Holds `containerd`, `containerd-shim-runc-v2`, `runc` and `ctr`.
  public var programs: String
  /// Holds the CNI plugins `ptp` and `host-local`.
  public var networkPlugins: String

  public init(root: String, state: String, programs: String, networkPlugins: String) {
    self.root = root
    self.state = state
    self.programs = programs
    self.networkPlugins = networkPlugins
  }

  /// The layout for a state and a run directory (S and R of the documentation) and an engines directory with `bin`
  /// and `cni` in it.
  public init(stateDirectory: String, runDirectory: String, enginesDirectory: String) {
    self.init(
      root: "\(stateDirectory)/containerd", state: "\(runDirectory)/containerd",
      programs: "\(enginesDirectory)/bin", networkPlugins: "\(enginesDirectory)/cni")
  }

  /// The gRPC socket, mode 0600.
  public var socket: String { "\(state)/containerd.sock" }
  public var configurationFile: String { "\(root)/config.toml" }
  var runtimeSpecification: String { "\(root)/runtime-spec.json" }
  public var logFile: String { "\(root)/containerd.log" }
  /// The process id of the running containerd, in decimal.
  public var processFile: String { "\(state)/containerd.pid" }
  public var networkConfigurations: String { "\(root)/cni/net.d" }
  /// Addresses that `host-local` has given out.
  public var networkLeases: String { "\(state)/cni-leases" }
  public var nriSocket: String { "\(state)/nri.sock" }

  func program(_ name: String) -> String { "\(programs)/\(name)" }

  /// `PATH` of containerd: its own programs first, then the system's (mount helpers).
  var searchPath: String { "\(programs):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }
}
