public import CRI
import Foundation
public import GRPCCore
public import GRPCSockets
import LinuxSystem
public import PlatformHarness
import TestSupport

/// A containerd of one test with NRI, and a client of its CRI; everything is gone afterwards.
public struct ContainerdStage: Sendable {
  public let directory: String
  public let shell: Shell
  private let connection: GRPCClient<WaitingTransport>
  public let runtime: Runtime_V1_RuntimeService.Client<WaitingTransport>

  public static let image = "nagaya.test/limits:1"
  public static let pause = "nagaya.test/pause:1"

  public static var programs: String {
    "\(ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(PlatformInstance.root)/.engines")/bin"
  }

  public var nriSocket: String { "\(directory)/nri.sock" }
  public var logs: String { "\(directory)/logs" }

  /// A pod with the node's network.
  public struct Pod: Sendable {
    public let id: String
    public let config: Runtime_V1_PodSandboxConfig
  }

  private init(directory: String, configuration: String) throws {
    self.directory = directory
    let build = "\(PlatformInstance.root)/.build/\(configuration)"
    shell = Shell(environment: [
      "PATH": "\(build):\(Self.programs):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "CONTAINERD_ADDRESS": "\(directory)/c.sock", "CONTAINERD_NAMESPACE": "k8s.io", "NO_COLOR": "1",
    ])
    connection = GRPCClient(transport: try LocalTransport.client(socket: "\(directory)/c.sock"))
    runtime = Runtime_V1_RuntimeService.Client(wrapping: connection)
  }

  /// Runs a body with it; what it logged last is printed if the body throws.
  /// - Parameter configuration: the build of `nagaya` that comes first in the shell's path.
  public static func with(
    configuration: String = "debug", _ body: @Sendable (ContainerdStage) async throws -> Void
  ) async throws {
    guard FileStatus.exists("\(programs)/containerd") else {
      throw ContainerdMissing(description: "no containerd in \(programs): run `make engines`, or set NAGAYA_ENGINES")
    }
    let stage = try ContainerdStage(
      directory: "/tmp/nshk\(String(UInt32.random(in: 0 ... .max), radix: 36))", configuration: configuration)
    try Directory.make(stage.logs)
    let connecting = Task { try? await stage.connection.runConnections() }
    let result: Result<Void, any Error>
    do {
      try stage.configure()
      try await stage.startContainerd()
      try await stage.load()
      result = .success(try await body(stage))
    } catch {
      print((try? await stage.shell("grep -vE 'level=(info|debug)' \(stage.directory)/log | tail -n 20").out) ?? "")
      result = .failure(error)
    }
    stage.connection.beginGracefulShutdown()
    connecting.cancel()
    let cleaning: Result<Void, any Error>
    do { cleaning = .success(try await stage.cleanUp()) } catch { cleaning = .failure(error) }
    try result.get()
    try cleaning.get()
  }

  private func configure() throws {
    try """
    version = 3
    root = "\(directory)/root"
    state = "\(directory)/state"
    disabled_plugins = ["io.containerd.tracing.processor.v1.otlp"]
    [grpc]
      address = "\(directory)/c.sock"
    [ttrpc]
      address = "\(directory)/c.sock.ttrpc"
    [plugins.'io.containerd.nri.v1.nri']
      socket_path = "\(nriSocket)"
      plugin_path = "\(directory)/nri-plugins"
      plugin_config_path = "\(directory)/nri-conf"
      # Tests may wait for processor time longer than the 2 s after which hooks are dropped.
      plugin_registration_timeout = "60s"
      plugin_request_timeout = "60s"
    [plugins.'io.containerd.cri.v1.images'.pinned_images]
      sandbox = "\(Self.pause)"
    [plugins.'io.containerd.cri.v1.runtime']
      restrict_oom_score_adj = true
      cdi_spec_dirs = ["\(directory)/cdi"]
      [plugins.'io.containerd.cri.v1.runtime'.containerd]
        default_runtime_name = 'runc'
        [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
          runtime_type = 'io.containerd.runc.v2'
          [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
            BinaryName = "\(Self.programs)/runc"
            Root = "\(directory)/state/runc"
            SystemdCgroup = false
      [plugins.'io.containerd.cri.v1.runtime'.cni]
        conf_dir = "\(directory)/cni"
    [plugins.'io.containerd.internal.v1.opt']
      path = "\(directory)/opt"
    """.write(toFile: "\(directory)/config.toml", atomically: true, encoding: .utf8)
  }

  /// Starts containerd and waits until it answers.
  public func startContainerd() async throws {
    try await shell.succeed(
      """
      cd \(directory)
      setsid containerd --config config.toml >> log 2>&1 < /dev/null & echo $! > containerd.pid
      until ctr version > /dev/null 2>&1; do kill -0 $(cat containerd.pid) || { cat log; exit 1; }; sleep 0.05; done
      """, seconds: 120)
  }

  /// Ends containerd, by a signal that it can or cannot hear; containers go on.
  public func endContainerd(_ signal: String = "TERM") async throws {
    try await shell.succeed(
      "p=$(cat \(directory)/containerd.pid); kill -\(signal) $p; while kill -0 $p 2>/dev/null; do sleep 0.02; done",
      seconds: 120)
  }

  private func load() async throws {
    try SmallFile.write(Array(LimitProgram.source.utf8), to: "\(directory)/box.c")
    try SmallFile.write(Array(ImageArchiveScript.text.utf8), to: "\(directory)/pack.sh")
    try await shell.succeed(
      """
      cd \(directory) && bash pack.sh box.c image.tar \(directory)/work \(Self.image) limits \(Self.pause) wait
      ctr images import image.tar
      """, seconds: 120)
  }

  private func cleanUp() async throws {
    // Not by way of containerd: it may be gone, and a hundred containers one by one take it minutes.
    _ = try? await shell(
      """
      p=$(cat \(directory)/containerd.pid)
      kill $p; for i in {1..100}; do kill -0 $p 2>/dev/null || break; sleep 0.05; done
      """)
    LeftProcesses.kill(naming: "\(directory)/")
    let left = try? await shell(
      """
      cd \(directory)
      for id in $(ls state/runc/k8s.io); do runc --root state/runc/k8s.io delete --force $id; done
      grep -F '\(directory)/' /proc/self/mountinfo | awk '{print $5}' | sort -r | xargs -r -n1 umount -l
      rm -rf \(directory)
      """, seconds: 600)
    guard FileStatus.exists(directory) else { return }
    throw ContainerdLeft(description: "\(directory) is left behind: \(left?.error ?? "it took more than 600 s")")
  }

  // MARK: CRI

  public var options: CallOptions {
    var options = CallOptions.defaults
    options.timeout = .seconds(500)
    options.waitForReady = true
    return options
  }

  /// Makes a sandbox.
  public func runPod(_ annotations: [String: String] = [:], name: String = "pod", namespace: String = "shop-dev")
    async throws
    -> Pod
  {
    let config = Runtime_V1_PodSandboxConfig.with {
      $0.metadata = .with {
        $0.name = name
        $0.uid = name
        $0.namespace = namespace
      }
      $0.annotations = annotations
      $0.logDirectory = logs
      $0.linux.securityContext.namespaceOptions.network = .node
    }
    return Pod(
      id: try await runtime.runPodSandbox(.with { $0.config = config }, options: options).podSandboxID, config: config)
  }

  /// Makes a container.
  /// - Parameter mounts: places of the host, by where the container finds them.
  /// - Returns: its id.
  public func create(_ name: String, in pod: Pod, mounts: [String: String] = [:]) async throws -> String {
    try await runtime.createContainer(
      .with {
        $0.podSandboxID = pod.id
        $0.sandboxConfig = pod.config
        $0.config = .with {
          $0.metadata.name = name
          $0.image.image = Self.image
          $0.logPath = "\(pod.config.metadata.name)-\(name).log"
          $0.mounts = mounts.map { target, source in
            .with {
              $0.containerPath = target
              $0.hostPath = source
            }
          }
        }
      }, options: options
    ).containerID
  }

  /// Makes a container and starts it.
  /// - Returns: its id.
  @discardableResult
  public func start(_ name: String, in pod: Pod, mounts: [String: String] = [:]) async throws -> String {
    let id = try await create(name, in: pod, mounts: mounts)
    _ = try await runtime.startContainer(.with { $0.containerID = id }, options: options)
    return id
  }

  public func remove(_ id: String) async throws {
    _ = try await runtime.removeContainer(.with { $0.containerID = id }, options: options)
  }

  /// What a container printed until it waits: `NOFILE 10:20`.
  public func output(of name: String, in pod: Pod) async throws -> [String] {
    let path = "\(logs)/\(pod.config.metadata.name)-\(name).log"
    var lines: [String] = []
    try await eventually("container \(name) has printed all") {
      // Each line has a time, a stream and a mark before it (CRI log format).
      lines = (SmallFile.text(path) ?? "").split(separator: "\n")
        .compactMap { $0.split(separator: " ", maxSplits: 3).dropFirst(3).first }.map(String.init)
      return lines.contains("done")
    }
    return lines
  }
}

/// There is no containerd to test with.
public struct ContainerdMissing: Error, CustomStringConvertible {
  public let description: String
}

/// Something of a test's containerd could not be taken away.
public struct ContainerdLeft: Error, CustomStringConvertible {
  public let description: String
}
