import Foundation
public import NRI

/// What was decided for a container, and why.
public struct HookDecision: Sendable, Hashable {
  /// What the runtime is told to change.
  public var adjustment = Adjustment()
  /// Hooks that failed and were left out.
  public var ignored: [HookRefusal] = []
  /// What policies that only say what would be, would change beside; `nil` if none matched.
  public var audit: [String]?

  /// A line for each change: `ulimit NOFILE 1024:65536, by policy db-defaults`.
  public var lines: [String] {
    adjustment.lines + ignored.map { "left out: \($0)" } + (audit ?? []).map { "audit: \($0)" }
  }
}

extension Adjustment {
  /// Of a container that was made with hooks, whatever they changed: what has not got it was made without.
  public static let mark = "hooks.nagaya.dev/applied"

  public var lines: [String] {
    entries.sorted { $0.key < $1.key }.filter { $0.key != .annotation(Self.mark) }
      .map { "\($0.value.change), \($0.value.reason)" } + remarks
  }
}

/// Decides for containers; the same for a runtime that asks, for a dry run, and for a container that runs already.
public struct HookDecider: Sendable {
  private let enforced: HookChain
  /// With the policies that only say what would be.
  private let audited: HookChain
  /// Nothing is changed; all is said.
  private let isAudit: Bool
  private let source: PolicySource

  /// - Parameters:
  ///   - more: hooks behind the standard ones.
  ///   - isAudit: whether nothing is to be changed at all.
  public init(
    _ source: PolicySource, kernel: KernelLimits = .current, failure: FailPolicy = .fail, more: [Hook] = [],
    isAudit: Bool = false
  ) {
    enforced = HookChain(StandardHooks(source, kernel: kernel, failure: failure).hooks + more)
    audited = HookChain(StandardHooks(source, kernel: kernel, failure: failure, withAudit: true).hooks + more)
    self.isAudit = isAudit
    self.source = source
  }

  /// - Throws: `HookRefusal` if the container is not to be made.
  public func decide(_ pod: NRIPodSandbox, _ container: NRIContainer) throws(HookRefusal) -> HookDecision {
    guard !isAudit else { return HookDecision(audit: auditLines(pod, container)) }
    let outcome = try enforced.run(pod, container)
    var decision = HookDecision(adjustment: outcome.adjustment, ignored: outcome.ignored)
    guard source.policies.hasAudit else { return decision }
    let lines = auditLines(pod, container)
    if lines != outcome.adjustment.lines + outcome.ignored.map({ "left out: \($0)" }) { decision.audit = lines }
    return decision
  }

  private func auditLines(_ pod: NRIPodSandbox, _ container: NRIContainer) -> [String] {
    do throws(HookRefusal) {
      let outcome = try audited.run(pod, container)
      return outcome.adjustment.lines + outcome.ignored.map { "left out: \($0)" }
    } catch {
      return ["would not be made: \(error)"]
    }
  }
}
