/// What becomes of a container for which a hook fails.
public enum FailPolicy: String, Sendable, Hashable, CaseIterable {
  /// It is not made; the reason is told to whoever wanted it.
  case fail = "Fail"
  /// It is made without what this hook wanted, and that is told.
  case ignore = "Ignore"
}

/// A small pure function from what is known of a container, before it is made, to what is to be changed of it.
///
/// It reads what it closed over and nothing else: no files, no network, so that the answer takes microseconds and a test needs
/// no socket.
public struct Hook: Sendable {
  public typealias Body = @Sendable (NRIPodSandbox, NRIContainer) throws -> Adjustment

  /// As logs and metrics call it.
  public let name: String
  let failure: @Sendable (NRIPodSandbox, NRIContainer) -> FailPolicy
  let adjust: Body

  public init(_ name: String, failure: FailPolicy = .fail, _ adjust: @escaping Body) {
    self.init(name, failure: { _, _ in failure }, adjust)
  }

  /// - Parameter failure: may differ from container to container.
  public init(
    _ name: String, failure: @escaping @Sendable (NRIPodSandbox, NRIContainer) -> FailPolicy, _ adjust: @escaping Body
  ) {
    self.name = name
    self.failure = failure
    self.adjust = adjust
  }
}

/// Why a container is not made as it was wanted.
public struct HookRefusal: Error, Hashable, CustomStringConvertible {
  public let hook: String
  public let reason: String

  public init(hook: String, reason: String) {
    self.hook = hook
    self.reason = reason
  }

  public var description: String { "\(hook): \(reason)" }
}
