import LinuxSystem

extension LVMPool {
  /// Compares the tags with the world after a start: half-made volumes go, half-done deletions and expansions are finished,
  /// devices that nobody uses are let go.
  func recover() async throws {
    let state = try await state()
    try check(state)
    strays = state.strays.map { "\(configuration.group)/\($0)" }
    if !strays.isEmpty {
      logger.warning(
        "logical volumes of no volume are left alone",
        metadata: ["volumes": "\(strays.prefix(20).joined(separator: " "))"])
    }
    // What cannot be mended now keeps no other volume from being served, nor the node's other pools.
    do throws(LVMError) { try await removeGrowths(state.leftovers) } catch {
      logger.warning("what an interrupted growth left stays for now", metadata: ["error": "\(error)"])
    }
    await recoverSnapshots(state)
    for (name, entry) in state.volumes.sorted(by: { $0.key < $1.key }) {
      switch entry.record.state {
      case .ready, .receiving, .sealed: break
      case .creating, .deleting:
        do { try await deleteLocked(name) } catch let error as VolumeError {
          logger.warning("volume stays for now", metadata: ["volume": "\(name)", "error": "\(error)"])
        }
      case .expanding:
        do { try await expandLocked(name) } catch let error as VolumeError {
          logger.warning("volume does not grow for now", metadata: ["volume": "\(name)", "error": "\(error)"])
        }
      }
    }
    try await deactivateUnused()
  }

  /// What the pool lies in must be there and be what it is taken for.
  private func check(_ state: LVMPoolState) throws(VolumeError) {
    guard case .thin(let name) = configuration.kind else { return }
    let shown = "\(configuration.group)/\(name)"
    guard let pool = state.thinPool else {
      throw .poolUnavailable(
        pool: poolName,
        reason:
          "thin pool \(shown) is not there; make it (lvcreate --type thin-pool -n \(name) -L SIZE \(configuration.group))"
      )
    }
    guard pool.clearsBlocks || configuration.wipes == .none else {
      throw .poolUnavailable(
        pool: poolName,
        reason:
          "thin pool \(shown) gives blocks out with what earlier volumes left in them; let it clear them (lvchange -Zy \(shown))"
      )
    }
  }

  /// Lets every device of this pool go that is neither mounted nor shown as a raw block volume, nor open elsewhere.
  private func deactivateUnused() async throws {
    let entries = try await state().volumes.values.filter { $0.logical.isActive && !$0.logical.isOpen }
    for entry in entries where try user(of: entry) == nil {
      do { try await letGo(entry) } catch let error as VolumeError {
        logger.warning("a device stays for now", metadata: ["volume": "\(entry.record.name)", "error": "\(error)"])
        continue
      }
      logger.info("let an unused device go", metadata: ["volume": "\(entry.record.name)"])
    }
  }
}
