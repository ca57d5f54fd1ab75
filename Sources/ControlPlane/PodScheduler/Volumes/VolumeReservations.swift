import KubernetesAPI
import Synchronization

/// Space promised to claims whose volumes are on the way, so that two pods never count on the same bytes.
///
/// A promise begins when the node is chosen, and ends when the volume is bound and the driver has published a capacity
/// since (or 10 s later), when provisioning failed, or when the claim is gone.
final class VolumeReservations: Sendable {
  private enum Progress {
    /// Chosen here; the annotation is being written.
    case chosen
    /// The claim carries the node; the provisioner works.
    case announced
    case bound(since: ContinuousClock.Instant)
  }

  private struct Reservation {
    var node: String
    var storageClass: String
    var bytes: Int64
    var progress: Progress
    /// A capacity of the node was published since the choice.
    var hasNewCapacity = false
  }

  private let reservations = Mutex<[String: Reservation]>([:])
  private let patience: Duration

  init(patience: Duration = .seconds(10)) { self.patience = patience }

  /// Takes the space of all these claims on a node.
  func reserve(_ claims: [KubernetesObject], on node: String) {
    reservations.withLock { reservations in
      for claim in claims {
        reservations[claim.uid] = Reservation(
          node: node, storageClass: claim.spec["storageClassName"].string ?? "", bytes: PodVolumes.bytes(of: claim),
          progress: .chosen)
      }
    }
  }

  func release(_ uids: [String]) { reservations.withLock { for uid in uids { $0[uid] = nil } } }

  /// What a claim's event says about it.
  /// - Returns: the node on which provisioning has failed, if the claim tells so by losing its annotation.
  func observe(_ claim: KubernetesObject) -> String? {
    reservations.withLock { reservations in
      let isBound = claim.spec["volumeName"].string?.isEmpty == false
      let selected = claim.annotations[ClaimAnnotations.selectedNode]
      if isBound {
        guard var reservation = reservations[claim.uid] else { return nil }
        if reservation.hasNewCapacity {
          reservations[claim.uid] = nil
        } else if case .bound = reservation.progress {
        } else {
          reservation.progress = .bound(since: .now)
          reservations[claim.uid] = reservation
        }
        return nil
      }
      if let selected {
        let known = reservations[claim.uid]
        reservations[claim.uid] = Reservation(
          node: selected, storageClass: claim.spec["storageClassName"].string ?? "",
          bytes: PodVolumes.bytes(of: claim), progress: .announced,
          hasNewCapacity: known?.node == selected ? known?.hasNewCapacity ?? false : false)
        return nil
      }
      guard let reservation = reservations[claim.uid], case .announced = reservation.progress else { return nil }
      reservations[claim.uid] = nil
      return reservation.node
    }
  }

  /// A driver has published a capacity of this class for these nodes.
  func capacityChanged(of storageClass: String, on nodes: Set<String>) {
    reservations.withLock { reservations in
      for (uid, reservation) in reservations
      where reservation.storageClass == storageClass && nodes.contains(reservation.node) {
        if case .bound = reservation.progress {
          reservations[uid] = nil
        } else {
          reservations[uid]?.hasNewCapacity = true
        }
      }
    }
  }

  /// Bytes promised on each node, by class, to others than these claims.
  func reserved(except uids: Set<String>) -> [String: [String: Int64]] {
    reservations.withLock { reservations in
      var sums: [String: [String: Int64]] = [:]
      for (uid, reservation) in reservations {
        if case .bound(let since) = reservation.progress, since.duration(to: .now) > patience {
          reservations[uid] = nil
          continue
        }
        guard !uids.contains(uid) else { continue }
        sums[reservation.node, default: [:]][reservation.storageClass, default: 0] += reservation.bytes
      }
      return sums
    }
  }
}

/// Annotations of PersistentVolumeClaims.
public enum ClaimAnnotations {
  /// The node for which a volume is to be provisioned; the scheduler writes it, a provisioner that fails removes it.
  public static let selectedNode = "volume.kubernetes.io/selected-node"
}
