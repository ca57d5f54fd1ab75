import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle
import VolumePools

extension NodeVolumeMoves {
  /// A move is over, and its node may have missed how it ended: what is here is put in order by where the volume lies.
  func tidy(_ move: VolumeMove) async throws {
    guard !move.handle.isEmpty, [move.sourceNode, move.targetNode].contains(place.node) else { return }
    for pool in pools.values {
      guard let state = try await pool.movingVolumes()[move.handle] else { continue }
      switch (try await lies(move.volumeName), state) {
      case (place.node, .sealed): try await pool.unseal(move.handle)
      case (.some(let node), _) where node != place.node: try await drop(move.handle)
      case (nil, .receiving): try await drop(move.handle)
      default: break
      }
    }
  }

  /// Looks once, when all moves are known, for what none of them asks for.
  struct Leftovers: Service {
    let moves: Informer
    let body: @Sendable (ObjectCache) async -> Void

    func run() async throws {
      try await cancelWhenGracefulShutdown {
        try await moves.waitUntilSynced()
        await body(moves.cache)
        while !Task.isCancelled { try await Task.sleep(for: .seconds(3600)) }
      }
    }
  }

  @Sendable func removeLeftovers(_ cache: ObjectCache) async {
    let wanted = Set(cache.list().map(VolumeMove.init).filter { !$0.phase.isOver }.map(\.handle))
    for pool in pools.values {
      guard let moving = try? await pool.movingVolumes() else { continue }
      for (handle, state) in moving where !wanted.contains(handle) {
        do {
          switch state {
          case .receiving:
            try await pool.delete(handle)
            capacityChanged()
          case .sealed:
            // A volume's object is called as the volume.
            guard try await lies(handle) == place.node else {
              logger.warning("a sealed volume that no move asks for is left alone", metadata: ["volume": "\(handle)"])
              continue
            }
            try await pool.unseal(handle)
          }
          logger.info("what a move left was put in order", metadata: ["volume": "\(handle)", "was": "\(state)"])
        } catch { logger.warning("what a move left stays", metadata: ["volume": "\(handle)", "error": "\(error)"]) }
      }
    }
  }
}
