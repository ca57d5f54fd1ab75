import CRI
import Foundation
import GRPCCore
import GRPCSockets
import LinuxSystem
import OCI
import PlatformHarness
import Testing

@testable import LazyImages

/// As the kubelet does it: images, pods and image volumes by the Container Runtime Interface.
@Suite(.serialized) struct KubernetesTests {
  @Test func `a pod's container and its image volume are lazy`() async throws {
    try await ImagesDaemon.with { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        try await containerd.push("pause:1", ["true"], command: ["wait"])
        try await containerd.push("box:1", ContainerdTests.layers, compressing: true)
        try await containerd.push("model:1", ["mkdir weights && echo heavy > weights/first && echo x > other"])
        let connection = GRPCClient(transport: try LocalTransport.client(socket: containerd.address))
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await connection.runConnections() }
          try await run(
            containerd, .init(wrapping: connection), .init(wrapping: connection), root: "\(daemon.root)/snapshots")
          connection.beginGracefulShutdown()
          try await group.waitForAll()
        }
      }
    }
  }

  private func run(
    _ containerd: ContainerdFixture, _ runtime: Runtime_V1_RuntimeService.Client<SnapshotterFixture.Transport>,
    _ images: Runtime_V1_ImageService.Client<SnapshotterFixture.Transport>, root: String
  ) async throws {
    var options = CallOptions.defaults
    options.timeout = .seconds(60)
    options.waitForReady = true
    let (box, model) = ("\(containerd.registry)/box:1", "\(containerd.registry)/model:1")
    for image in [box, model] {
      _ = try await images.pullImage(.with { $0.image.image = image }, options: options)
    }
    let logs = "\(containerd.directory)/logs"
    try Directory.make(logs)
    let sandboxConfig = Runtime_V1_PodSandboxConfig.with {
      $0.metadata = .with {
        $0.name = "pod"
        $0.uid = "uid"
        $0.namespace = "test"
      }
      $0.logDirectory = logs
      $0.linux.securityContext.namespaceOptions.network = .node
    }
    let sandbox = try await runtime.runPodSandbox(.with { $0.config = sandboxConfig }, options: options).podSandboxID
    let container = try await runtime.createContainer(
      .with {
        $0.podSandboxID = sandbox
        $0.sandboxConfig = sandboxConfig
        $0.config = .with {
          $0.metadata.name = "main"
          $0.image.image = box
          $0.args = ["/a/file", "/b/new", "/model/weights/first"]
          $0.logPath = "main.log"
          $0.mounts = [
            .with {
              $0.containerPath = "/model"
              $0.image.image = model
              $0.readonly = true
            }
          ]
        }
      }, options: options
    ).containerID
    _ = try await runtime.startContainer(.with { $0.containerID = container }, options: options)
    let isOver = try await eventually {
      try await runtime.containerStatus(.with { $0.containerID = container }, options: options).status.state
        == .containerExited
    }
    #expect(isOver)
    let text = (try? String(contentsOfFile: "\(logs)/main.log", encoding: .utf8)) ?? ""
    let lines = text.split(separator: "\n").compactMap { $0.split(separator: " ", maxSplits: 3).last }
    #expect(lines == ["one", "new", "heavy"], "\(text)")
    // None of it was unpacked by containerd, not even the pause image.
    let content = try await containerd.shell.succeed("ctr -n k8s.io content list")
    #expect(!content.contains("application/vnd.oci.image.layer"), "\(content)")

    _ = try await runtime.stopPodSandbox(.with { $0.podSandboxID = sandbox }, options: options)
    _ = try await runtime.removePodSandbox(.with { $0.podSandboxID = sandbox }, options: options)
    for image in [box, model, "\(containerd.registry)/pause:1"] {
      _ = try await images.removeImage(.with { $0.image.image = image }, options: options)
    }
    #expect(try await eventually { try Directory.names(in: "\(root)/s").isEmpty })
  }
}
