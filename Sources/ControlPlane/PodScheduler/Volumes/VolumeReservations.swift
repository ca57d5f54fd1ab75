import BoundedNumbers
import KubernetesAPI
import Locking

/// Space promised to claims whose volumes are on the way, so that two pods never count on the same bytes.
///
/// A promise begins when the node is chosen. It ends when the volume is bound and the driver's figures show it, when
/// provisioning failed, or when the claim is gone. That the figures show it is seen by how far they have fallen: what
/// the published capacity of a node fell by while promises were open stands against them, so that neither a figure from
/// between two volumes frees both promises, nor a volume counts twice, once promised and once made. A driver whose
/// figures never fall by as much is believed 10 s after the volume was bound.
final class VolumeReservations: Sendable {
  private enum Progress {
    /// Somebody else's scheduler will probably choose it, or has and did not say so yet.
    case expected(until: ContinuousClock.Instant)
    /// Chosen here; the annotation is being written.
    case chosen
    /// The claim carries the node; the provisioner works.
    case announced
    case bound(since: ContinuousClock.Instant)
  }

  fileprivate struct Place: Hashable {
    var node: String
    var storageClass: String
  }

  private struct Reservation {
    var place: Place
    var bytes: Int64
    var progress: Progress
  }

  private struct Figure {
    var storageClass: String
    var bytes: Int64
  }

  private struct State {
    /// By the claims' uids.
    var reservations: [String: Reservation] = [:]
    /// By how much a class's published capacity has fallen that no settled promise accounts for; below zero where
    /// figures of another class of the same pool came first. Only while the pool has promises there.
    var fallen: [Place: Int64] = [:]
    /// Claims for which room was expected on anybody's word.
    var expectedOnce: Set<String> = []
    /// What was published last, by the capacity's key.
    var published: [ObjectKey: Figure] = [:]
  }

  /// What a claim's event meant.
  struct Change: Equatable {
    /// The node on which provisioning has failed: the claim tells so by losing its annotation.
    var failedNode: String?
    /// A promise ended: others may count on its space, or know better what there is.
    var isReleased = false
  }

  private let state = Mutex(State())
  /// How long a bound volume is waited for in the driver's figures.
  let patience: Duration
  /// What a class, by its name, takes volumes from.
  private let poolOf: @Sendable (String) -> String

  init(patience: Duration = .seconds(10), poolOf: @escaping @Sendable (String) -> String = { $0 }) {
    self.patience = patience
    self.poolOf = poolOf
  }

  /// Takes the space of all these claims on a node.
  func reserve(_ claims: [KubernetesObject], on node: String) {
    state.withLock { state in
      for claim in claims { state.reservations[claim.uid] = Self.reservation(for: claim, on: node, .chosen) }
    }
  }

  /// Takes the space of these claims on a node that somebody else will probably choose for them, for a while: a claim that
  /// says its node has that.
  /// - Parameter once: a claim for which that was said before has no room expected again.
  func expect(_ claims: [KubernetesObject], on node: String, for time: Duration, once: Bool = false) {
    let until = ContinuousClock.now + time
    state.withLock { state in
      for claim in claims {
        if once, !state.expectedOnce.insert(claim.uid).inserted { continue }
        let known = state.reservations[claim.uid]
        switch known?.progress {
        case .chosen, .announced, .bound: continue
        case .expected, nil: break
        }
        let expected = Self.reservation(for: claim, on: node, .expected(until: until))
        state.reservations[claim.uid] = expected
        if let known, known.place != expected.place { forgetIfUnused(known.place, &state) }
      }
    }
  }

  /// Gives back what was promised to claims that get no volume.
  /// - Returns: whether there was anything.
  @discardableResult
  func release(_ uids: [String]) -> Bool {
    state.withLock { state in
      state.expectedOnce.subtract(uids)
      let known = uids.compactMap { state.reservations.removeValue(forKey: $0) }
      for reservation in known { forgetIfUnused(reservation.place, &state) }
      return !known.isEmpty
    }
  }

  /// Follows a claim's way.
  func observe(_ claim: KubernetesObject) -> Change {
    state.withLock { state in
      let known = state.reservations[claim.uid]
      if claim.spec["volumeName"].string?.isEmpty == false {
        state.expectedOnce.remove(claim.uid)
        guard var known else { return Change() }
        if case .bound = known.progress { return Change() }
        if case .expected = known.progress {
          // What was expected counts no more: its node has it, if any was chosen.
          let expected = known.place
          guard let selected = claim.annotations[ClaimAnnotations.selectedNode] else {
            state.reservations[claim.uid] = nil
            forgetIfUnused(expected, &state)
            return Change(isReleased: true)
          }
          known = Self.reservation(for: claim, on: selected, .announced)
          state.reservations[claim.uid] = known
          if known.place != expected { forgetIfUnused(expected, &state) }
        }
        state.reservations[claim.uid]?.progress = .bound(since: .now)
        return Change(isReleased: settle(known.place, &state))
      }
      if let selected = claim.annotations[ClaimAnnotations.selectedNode] {
        let announced = Self.reservation(for: claim, on: selected, .announced)
        state.reservations[claim.uid] = announced
        if let known, known.place != announced.place { forgetIfUnused(known.place, &state) }
        return Change()
      }
      guard let known, case .announced = known.progress else { return Change() }
      state.reservations[claim.uid] = nil
      forgetIfUnused(known.place, &state)
      return Change(failedNode: known.place.node, isReleased: true)
    }
  }

  /// A driver has published what is free.
  /// - Parameters:
  ///   - capacity: the CSIStorageCapacity.
  ///   - covers: whether it is about a node of this name.
  func capacityChanged(_ capacity: KubernetesObject, covers: (String) -> Bool) {
    let bytes = CapacityIndex.freeBytes(of: capacity)
    let storageClass = capacity["storageClassName"].string ?? ""
    let pool = poolOf(storageClass)
    state.withLock { state in
      let figure = Figure(storageClass: storageClass, bytes: bytes)
      guard let before = state.published.updateValue(figure, forKey: capacity.key)?.bytes, before != bytes else {
        return
      }
      let nodes = Set(state.reservations.values.filter { poolOf($0.place.storageClass) == pool }.map(\.place.node))
      for node in nodes where covers(node) {
        let place = Place(node: node, storageClass: storageClass)
        // What rises is no volume of ours; it may hide one that was made at the same time, until patience ends.
        let fallen = (state.fallen[place] ?? 0).clampedAdding(before.clampedSubtracting(bytes))
        state.fallen[place] = before > bytes ? fallen : max(min(0, state.fallen[place] ?? 0), fallen)
        settle(place, &state)
      }
    }
  }

  /// A capacity is no longer published.
  func capacityRemoved(_ key: ObjectKey) { state.withLock { _ = $0.published.removeValue(forKey: key) } }

  /// Bytes promised to others than these claims, and not seen in the driver's figures for a class yet.
  struct Promises: Sendable {
    fileprivate var byPool: [Place: Int64] = [:]
    fileprivate var fallen: [Place: Int64] = [:]

    func bytes(ofPool pool: String, storageClass: String, on node: String) -> Int64 {
      guard let sum = byPool[Place(node: node, storageClass: pool)] else { return 0 }
      return max(0, sum.clampedSubtracting(fallen[Place(node: node, storageClass: storageClass)] ?? 0))
    }
  }

  func promised(except uids: Set<String>) -> Promises {
    state.withLock { state in
      expire(&state)
      var promises = Promises(fallen: state.fallen)
      for (uid, reservation) in state.reservations where !uids.contains(uid) {
        let place = Place(node: reservation.place.node, storageClass: poolOf(reservation.place.storageClass))
        promises.byPool[place] = (promises.byPool[place] ?? 0).clampedAdding(reservation.bytes)
      }
      return promises
    }
  }

  /// A volume is bound that the driver's figures don't show: what is free will be known better after `patience`.
  var isUnsettled: Bool {
    state.withLock { state in
      state.reservations.values.contains { if case .bound = $0.progress { true } else { false } }
    }
  }

  private func expire(_ state: inout State) {
    for (uid, reservation) in state.reservations {
      if case .expected(let until) = reservation.progress, until < .now {
        state.reservations[uid] = nil
        forgetIfUnused(reservation.place, &state)
        continue
      }
      guard case .bound(let since) = reservation.progress, since.duration(to: .now) > patience else { continue }
      let seen = min(reservation.bytes, max(0, state.fallen[reservation.place] ?? 0))
      end(uid, reservation, seen: seen, &state)
    }
  }

  /// Ends the promises of a place whose volumes are bound and shown.
  @discardableResult
  private func settle(_ place: Place, _ state: inout State) -> Bool {
    var isReleased = false
    for (uid, reservation) in state.reservations where reservation.place == place {
      guard case .bound = reservation.progress, state.fallen[place] ?? 0 >= reservation.bytes else { continue }
      end(uid, reservation, seen: reservation.bytes, &state)
      isReleased = true
    }
    return isReleased
  }

  /// Ends a promise; so much of it has been seen in the figures of its class.
  private func end(_ uid: String, _ reservation: Reservation, seen: Int64, _ state: inout State) {
    state.reservations[uid] = nil
    let pool = poolOf(reservation.place.storageClass)
    for storageClass in Set(state.published.values.map(\.storageClass)) where poolOf(storageClass) == pool {
      let place = Place(node: reservation.place.node, storageClass: storageClass)
      state.fallen[place] = (state.fallen[place] ?? 0).clampedSubtracting(seen)
    }
    forgetIfUnused(reservation.place, &state)
  }

  /// What falls while nothing is promised is others' affair.
  private func forgetIfUnused(_ place: Place, _ state: inout State) {
    let pool = poolOf(place.storageClass)
    func isOfPool(_ other: Place) -> Bool { other.node == place.node && poolOf(other.storageClass) == pool }
    if state.reservations.values.contains(where: { isOfPool($0.place) }) { return }
    for other in state.fallen.keys where isOfPool(other) { state.fallen[other] = nil }
  }

  private static func reservation(
    for claim: KubernetesObject, on node: String, _ progress: Progress
  ) -> Reservation {
    Reservation(
      place: Place(node: node, storageClass: claim.spec["storageClassName"].string ?? ""),
      bytes: PodVolumes.bytes(of: claim), progress: progress)
  }
}

/// Annotations of PersistentVolumeClaims.
public enum ClaimAnnotations {
  /// The node for which a volume is to be provisioned; the scheduler writes it, a provisioner that fails removes it.
  public static let selectedNode = "volume.kubernetes.io/selected-node"
}
