import CSI
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import LinuxSystem
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import CSIDriver

/// What a kubelet's plugin watcher does with a socket that it finds in its registry.
@Suite struct KubeletRegistrationTests {
  typealias Transport = HTTP2ClientTransport.Posix

  /// Dials a socket, as a kubelet does anew for every registration.
  private func dial<Answer: Sendable>(
    _ socket: String, _ body: @Sendable (GRPCClient<Transport>, CallOptions) async throws -> Answer
  ) async throws -> Answer {
    var options = CallOptions.defaults
    options.timeout = .seconds(180)
    options.waitForReady = true
    let (body, asked) = (body, options)
    return try await withGRPCClient(
      transport: try .http2NIOPosix(
        target: .unixDomainSocket(path: socket, authority: "localhost"), transportSecurity: .plaintext)
    ) { try await body($0, asked) }
  }

  @Test func `a kubelet finds the driver, asks for its node and tells the end of it, as often as it restarts`()
    async throws
  {
    try await Driver.with { driver in
      let registry = "\(driver.path)/registry"
      let socket = "\(registry)/local.nagaya.dev-reg.sock"
      try Directory.make(registry)
      let registration = KubeletRegistration(
        driver: "local.nagaya.dev", endpoint: driver.socket, registry: registry,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      let services = ServiceGroup(services: [registration], logger: Logger(label: "test"))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await services.run() }
        try await eventually("its socket is there") { FileStatus.exists(socket) }
        #expect(try await Command.run("stat", ["-c", "%a %F", socket]).standardOutput == "600 socket\n")
        for isTaken in [true, false, true] {
          let info = try await dial(socket) { client, options in
            try await Pluginregistration_Registration.Client(wrapping: client).getInfo(.init(), options: options)
          }
          #expect(info.type == "CSIPlugin" && info.name == "local.nagaya.dev" && info.supportedVersions == ["1.0.0"])
          #expect(info.endpoint == driver.socket)
          // What the kubelet enters in the CSINode object.
          let node = try await dial(info.endpoint) { client, options in
            let name = try await Csi_V1_Identity.Client(wrapping: client).getPluginInfo(.init(), options: options).name
            #expect(name == info.name)
            return try await Csi_V1_Node.Client(wrapping: client).nodeGetInfo(.init(), options: options)
          }
          #expect(node.nodeID == "node-1" && !node.accessibleTopology.segments.isEmpty)
          _ = try await dial(socket) { client, options in
            try await Pluginregistration_Registration.Client(wrapping: client).notifyRegistrationStatus(
              .with {
                $0.pluginRegistered = isTaken
                $0.error = isTaken ? "" : "another driver has this name"
              }, options: options)
          }
        }
        await services.triggerGracefulShutdown()
        try await group.waitForAll()
      }
      // Gone with the driver: the kubelet takes it off the node.
      #expect(!FileStatus.exists(socket))
    }
  }
}
