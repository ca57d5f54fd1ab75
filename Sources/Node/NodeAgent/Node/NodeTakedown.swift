import CRI
import GRPCCore
import LinuxSystem
public import Logging

/// Takes down what pods left on a node, from what the runtime and the disk know alone: no API server is asked, so it works
/// when the platform is gone or cannot start. No hooks run. `NodeAgent.drainForShutdown()` is for a node that runs.
///
/// Every step may be repeated; what cannot be taken down is left and named, the rest goes on.
public struct NodeTakedown: Sendable {
  private let directory: String
  private let limits: NodeLimits
  private let longestGrace: Int
  private let runtime: RuntimeClient
  private let volumes: VolumeMounts
  private let logger: Logger

  /// - Parameters:
  ///   - directory: the node agent's.
  ///   - runtimeSocket: of a containerd that runs.
  ///   - csiSockets: by driver; the drivers must run, too.
  ///   - longestGrace: seconds after which a container is killed, however long its pod may take to end.
  public init(
    directory: String, runtimeSocket: String, csiSockets: [String: String], limits: NodeLimits, longestGrace: Int,
    logger: Logger
  ) throws {
    self.directory = directory
    self.limits = limits
    self.longestGrace = longestGrace
    self.logger = logger
    runtime = try RuntimeClient(socket: runtimeSocket)
    volumes = VolumeMounts(
      directory: directory, client: nil, drivers: csiSockets,
      images: ImageVolumes(runtime: runtime, snapshotter: SnapshotterPlugin.overlayfs.name), logger: logger)
  }

  /// Stops all containers, each in its pod's time, removes their sandboxes and unmounts their volumes. Logs stay.
  /// - Returns: what could not be taken down, a line each.
  public func run() async -> [String] {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await self.runtime.run() }
      defer { group.cancelAll() }
      return await takeDown()
    }
  }

  private func takeDown() async -> [String] {
    var left: [String] = []
    do { try await stopContainers() } catch { left.append("containers: \(Self.words(error))") }
    do {
      for sandbox in try await runtime.runtime.listPodSandbox(.init(), options: RuntimeClient.within(.seconds(60)))
        .items
      {
        do { try await remove(sandbox.id) } catch {
          left.append("pod \(sandbox.metadata.namespace)/\(sandbox.metadata.name): \(Self.words(error))")
        }
      }
    } catch { left.append("sandboxes: \(Self.words(error))") }
    for uid in volumes.knownPods {
      do {
        try await volumes.unmount(podUID: uid)
        try PodSmallFiles(podDirectory: volumes.podDirectory(uid)).remove()
        try await volumes.removeDirectory(podUID: uid)
      } catch { left.append("volumes of the pod with uid \(uid): \(Self.words(error))") }
      do throws(SystemError) { try PodControlGroup.of(uid, limits).remove() } catch {
        logger.debug("a control group stays", metadata: ["pod": .string(uid), "error": "\(error)"])
      }
    }
    await volumes.removeOrphans()
    return left
  }

  /// All at once: their pods' times pass side by side.
  private func stopContainers() async throws {
    let running = try await runtime.runtime.listContainers(
      .with { $0.filter.state = .with { $0.state = .containerRunning } }, options: RuntimeClient.within(.seconds(60))
    ).containers
    await withTaskGroup(of: Void.self) { group in
      for container in running {
        group.addTask {
          let grace = min(max(0, PodLabels.grace(in: container.annotations)), longestGrace)
          do {
            _ = try await self.runtime.runtime.stopContainer(
              .with {
                $0.containerID = container.id
                $0.timeout = Int64(grace)
              }, options: RuntimeClient.within(.seconds(grace + 30)))
          } catch {
            self.logger.warning(
              "a container can't be stopped",
              metadata: ["container": .string(container.metadata.name), "error": "\(Self.words(error))"])
          }
        }
      }
    }
  }

  private func remove(_ sandbox: String) async throws {
    let options = RuntimeClient.within(.seconds(120))
    _ = try await runtime.runtime.stopPodSandbox(.with { $0.podSandboxID = sandbox }, options: options)
    _ = try await runtime.runtime.removePodSandbox(.with { $0.podSandboxID = sandbox }, options: options)
  }

  private static func words(_ error: any Error) -> String { (error as? RPCError)?.message ?? "\(error)" }
}
