/// A condition did not come true in time.
public struct NotInTime: Error, CustomStringConvertible {
  /// What was waited for, and for how long.
  public let description: String

  init(what: String, limit: Duration) { description = "not within \(limit): \(what)" }
}

/// Waits until a condition holds, for what has no event to wait for.
///
/// The limit is long, because it is only reached by a test that fails: a busy machine is no defect.
/// - Parameters:
///   - what: what is waited for, for the failure's text.
///   - pause: how long to wait between two questions.
/// - Throws: `NotInTime`, or what the condition threw.
public func eventually(
  _ what: String, within limit: Duration = .seconds(180), every pause: Duration = .milliseconds(10),
  _ condition: () async throws -> Bool
) async throws {
  guard try await eventually(within: limit, every: pause, condition) else { throw NotInTime(what: what, limit: limit) }
}

/// Waits until a condition holds.
/// - Returns: whether it did in time.
public func eventually(
  within limit: Duration = .seconds(180), every pause: Duration = .milliseconds(10),
  _ condition: () async throws -> Bool
) async rethrows -> Bool {
  let deadline = ContinuousClock.now + limit
  while ContinuousClock.now < deadline {
    if try await condition() { return true }
    do { try await Task.sleep(for: pause) } catch { break }  // cancelled
  }
  return try await condition()
}
