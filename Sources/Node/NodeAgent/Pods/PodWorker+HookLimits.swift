import JSONDocument
import KubernetesAPI

/// What the pod's object says of the limits that the runtime's hooks gave its containers.
///
/// It travels with the status: a start costs no further write. Whatever somebody else wrote there is put right with it.
extension PodWorker {
  /// The hooks changed what a running container has.
  func limitsChanged(_ lines: [String], of id: String) {
    guard hookLimits[id] != lines else { return }
    hookLimits[id] = lines
    noteStatusChange()
  }

  /// A change of the pod's annotation that is due; `nil`: it is right, or can't be told yet.
  var limitsToWrite: JSONValue? {
    guard case .known(let wanted) = limitsAnnotation, pod.annotations[HookLimits.annotation] != wanted else {
      return nil
    }
    return wanted.map { .string($0) } ?? .null
  }

  /// The annotation as it should be.
  private enum LimitsAnnotation {
    /// `nil`: there should be none.
    case known(String?)
    /// Of some container it is not known what it has: the hooks say it soon.
    case notYet
  }

  private var limitsAnnotation: LimitsAnnotation {
    var limits: [String: [String]] = [:]
    guard context.hooks != nil else { return .known(nil) }
    for name in names {
      guard let run = PodStatusBuilder.runs(of: name, in: records).first else { continue }
      if let lines = hookLimits[run.id] {
        limits[name] = lines
      } else if run.exit == nil {
        // Made before this agent began.
        return .notYet
      }
    }
    return .known(HookLimits.annotation(limits))
  }

  /// Forgets containers that are no more, once they are many: one that was just made may not be among those that are known.
  func forgetLimits() {
    guard hookLimits.count > 2 * records.count + 16 else { return }
    let present = Set(records.map(\.id))
    hookLimits = hookLimits.filter { present.contains($0.key) }
  }
}
