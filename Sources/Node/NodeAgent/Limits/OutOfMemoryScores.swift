import LinuxSystem

/// Who goes first when the machine has no memory left (`oom_score_adj` of proc(5), -1000…1000, higher goes first).
///
/// Containers, then their shims, then containerd, then this process. Raising a score needs no capability, so the order holds
/// on machines too that let nobody lower one.
public struct OutOfMemoryScores: Hashable, Sendable {
  /// This process.
  let own: Int

  /// - Parameter own: what this process has.
  init(own: Int) { self.own = max(-1000, min(own, 400)) }

  /// The order above what this process has now.
  static var current: OutOfMemoryScores {
    OutOfMemoryScores(own: SmallFile.text("/proc/self/oom_score_adj").flatMap { Int($0.filter { $0 != "\n" }) } ?? 0)
  }

  /// containerd itself.
  var engine: Int { own + 300 }
  /// What stands between containerd and a container.
  var shim: Int { own + 400 }
  /// Containers that get all they may use; what is below is the platform's.
  var guaranteed: Int { max(500, own + 500) }
  var bestEffort: Int { 1000 }

  /// Containers that get a part of what they may use: the more of the node's memory they asked for, the later they go.
  func burstable(memoryRequest: Int64, nodeMemoryBytes: Int64) -> Int {
    guard nodeMemoryBytes > 0 else { return bestEffort - 1 }
    let share = min(1, max(0, Double(memoryRequest) / Double(nodeMemoryBytes)))
    let range = Double(bestEffort - guaranteed - 2)
    return bestEffort - 1 - Int((range * share).rounded())
  }

  /// Lowers the score of this process where the machine lets it; children inherit it.
  /// - Returns: whether it did.
  @discardableResult
  public static func protectThisProcess() -> Bool {
    (try? KernelSetting.write("-900", to: "/proc/self/oom_score_adj")) != nil
  }
}
