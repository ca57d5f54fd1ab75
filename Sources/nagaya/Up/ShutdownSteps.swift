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

/// Ends containerd and gives the pods' network back when `nagaya down` asked for it, after everything that uses them.
func engineShutdown(_ engine: EngineTakedown, _ request: DrainRequest) -> AtShutdown {
  AtShutdown {
    guard request.isMade else { return }
    await engine.run()
    request.clear()
  }
}

/// Ends containerd, unmounts images, removes the rules of the pods' network and gives the reservation back.
struct EngineTakedown: Sendable {
  let engine: ContainerdEngine
  let images: LazyImagesChoice
  let network: PodNetwork
  let layout: Layout
  let logger: Logger

  func run() async {
    await engine.stop()
    await images.takeDown()
    let links = PodLinks.present(in: network.subnet)
    guard links.isEmpty else {
      // A pod that lives on would lose its walls.
      logger.notice("the network stays: it is in use", metadata: ["links": "\(links.joined(separator: " "))"])
      return
    }
    do { try await PodFirewall.remove(network) } catch {
      logger.warning("the rules of the pods' network stay", metadata: ["error": "\(error)"])
    }
    do { try await NetworkReservations().release(state: layout.state) } catch {
      logger.warning("the pods' network stays reserved", metadata: ["error": "\(error)"])
    }
  }

  /// Whether containers, what holds them, or mounts of their volumes are there from an earlier start.
  static func isNeeded(_ engine: ContainerdLayout, _ layout: Layout) -> Bool {
    let tasks = "\(layout.containerdRun)/io.containerd.runtime.v2.task/k8s.io"
    return ContainerdEngine.isRunning(in: engine)
      || (try? FileManager.default.contentsOfDirectory(atPath: tasks))?.isEmpty == false
      || (try? Mounts.table())?.entries.contains { $0.mountPoint.hasPrefix("\(layout.node)/") } == true
  }
}
