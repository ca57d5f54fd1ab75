import CRI
import GRPCCore
import GRPCSockets
import LinuxSystem
import Testing

/// What the kubelet asks of a container runtime.
struct RuntimeClient: Sendable {
  let runtime: Runtime_V1_RuntimeService.Client<SnapshotterFixture.Transport>
  let images: Runtime_V1_ImageService.Client<SnapshotterFixture.Transport>
  /// Where its containers' output goes.
  let logs: String

  var options: CallOptions {
    var options = CallOptions.defaults
    options.timeout = .seconds(500)
    options.waitForReady = true
    return options
  }

  /// A pod with the node's network.
  struct Pod: Sendable {
    let id: String
    let config: Runtime_V1_PodSandboxConfig
  }

  /// Runs a body with a client of a containerd that has the image `pause:1`.
  /// - Parameter imageSocket: where images are pulled, if not from containerd itself.
  static func with(
    _ containerd: ContainerdFixture, imageSocket: String? = nil, _ body: @Sendable (RuntimeClient) async throws -> Void
  ) async throws {
    try await containerd.push("pause:1", ["true"], command: ["wait"])
    let logs = "\(containerd.directory)/logs"
    try Directory.make(logs)
    let connection = GRPCClient(transport: try LocalTransport.client(socket: containerd.address))
    let pulling = GRPCClient(transport: try LocalTransport.client(socket: imageSocket ?? containerd.address))
    let client = RuntimeClient(runtime: .init(wrapping: connection), images: .init(wrapping: pulling), logs: logs)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await connection.runConnections() }
      group.addTask { try await pulling.runConnections() }
      defer { group.cancelAll() }
      try await body(client)
      connection.beginGracefulShutdown()
      pulling.beginGracefulShutdown()
      try await group.waitForAll()
    }
  }

  /// - Parameter password: of the user `ali`.
  func pull(_ image: String, password: String? = nil) async throws {
    _ = try await images.pullImage(
      .with {
        $0.image.image = image
        if let password {
          $0.auth.username = "ali"
          $0.auth.password = password
        }
      }, options: options)
  }

  func remove(image: String) async throws {
    _ = try await images.removeImage(.with { $0.image.image = image }, options: options)
  }

  func runPod(_ name: String = "pod") async throws -> Pod {
    let config = Runtime_V1_PodSandboxConfig.with {
      $0.metadata = .with {
        $0.name = name
        $0.uid = name
        $0.namespace = "test"
      }
      $0.logDirectory = logs
      $0.linux.securityContext.namespaceOptions.network = .node
    }
    return Pod(
      id: try await runtime.runPodSandbox(.with { $0.config = config }, options: options).podSandboxID, config: config)
  }

  func remove(_ pod: Pod) async throws {
    _ = try await runtime.stopPodSandbox(.with { $0.podSandboxID = pod.id }, options: options)
    _ = try await runtime.removePodSandbox(.with { $0.podSandboxID = pod.id }, options: options)
  }

  /// Makes a container of an image, and starts it.
  /// - Parameter volume: an image that is mounted at `/model`.
  /// - Returns: its id.
  func start(_ name: String, in pod: Pod, image: String, _ arguments: [String], volume: String? = nil) async throws
    -> String
  {
    let id = try await runtime.createContainer(
      .with {
        $0.podSandboxID = pod.id
        $0.sandboxConfig = pod.config
        $0.config = .with {
          $0.metadata.name = name
          $0.image.image = image
          $0.args = arguments
          $0.logPath = "\(name).log"
          if let volume {
            $0.mounts = [
              .with {
                $0.containerPath = "/model"
                $0.image.image = volume
                $0.readonly = true
              }
            ]
          }
        }
      }, options: options
    ).containerID
    _ = try await runtime.startContainer(.with { $0.containerID = id }, options: options)
    return id
  }

  /// The names of the containers that run, sorted.
  func running() async throws -> [String] {
    try await runtime.listContainers(.init(), options: options).containers
      .filter { $0.state == .containerRunning }.map(\.metadata.name).sorted()
  }

  /// The containers that have ended, by name, each with its exit code.
  func ended() async throws -> [String: Int32] {
    var codes: [String: Int32] = [:]
    for container in try await runtime.listContainers(.init(), options: options).containers
    where container.state == .containerExited {
      let status = try await runtime.containerStatus(.with { $0.containerID = container.id }, options: options).status
      codes[container.metadata.name] = status.exitCode
    }
    return codes
  }

  /// What a container printed, line by line.
  func output(of name: String) -> [String] {
    let text = SmallFile.text("\(logs)/\(name).log") ?? ""
    // Each line has a time, a stream and a mark before it (CRI log format).
    return text.split(separator: "\n").compactMap { $0.split(separator: " ", maxSplits: 3).dropFirst(3).first }
      .map(String.init)
  }
}
