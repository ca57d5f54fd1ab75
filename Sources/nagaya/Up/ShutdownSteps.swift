import Foundation
import LinuxSystem
import Logging
import NodeAgent
import ServiceLifecycle

/// A service that does nothing until the graceful stop reaches it; then it acts.
///
/// Services stop in the opposite order of their start: what stands after this one has ended by then, what stands before
/// still runs.
struct AtShutdown: Service {
  let act: @Sendable () async -> Void

  func run() async throws {
    try? await gracefulShutdown()
    await act()
  }
}

/// Takes the node's pods down when `nagaya down` asked for it, while storage, containerd and the API still run.
func podShutdown(_ agent: NodeAgent, _ request: DrainRequest) -> AtShutdown {
  AtShutdown { if request.isMade { await agent.drainForShutdown() } }
}

/// Ends containerd and removes the pods' bridge when `nagaya down` asked for it, after everything that uses them.
func engineShutdown(_ engine: ContainerdEngine, bridge: String, _ request: DrainRequest, logger: Logger) -> AtShutdown {
  AtShutdown {
    guard request.isMade else { return }
    await engine.stop()
    do { try await Command.run("ip", ["link", "delete", bridge]) } catch {
      logger.debug("the bridge is not there", metadata: ["bridge": "\(bridge)", "error": "\(error)"])
    }
    request.clear()
  }
}
