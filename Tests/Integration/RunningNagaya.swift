import PlatformHarness
import Testing

/// Gives a suite one running instance for all its tests, and requires that it leaves nothing behind.
struct RunningNagayaTrait: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  /// The instance of the running suite.
  @TaskLocal static var current: PlatformInstance?

  func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void)
    async throws
  {
    let instance = try PlatformInstance(name: "it")
    do {
      try await instance.up()
      try await Self.$current.withValue(instance) { try await function() }
      try await instance.down()
      let leftovers = try await instance.leftovers()
      #expect(leftovers.isEmpty, "left behind: \(leftovers)")
    } catch {
      Issue.record("\(error)\n\(await instance.log())")
    }
    await instance.destroy()
  }
}

extension Trait where Self == RunningNagayaTrait {
  /// The suite runs against one whole instance of the platform.
  static var runningNagaya: RunningNagayaTrait { RunningNagayaTrait() }
}

/// The running instance, for tests of suites with the trait.
func running(sourceLocation: SourceLocation = #_sourceLocation) throws -> PlatformInstance {
  try #require(RunningNagayaTrait.current, "the suite lacks the .runningNagaya trait", sourceLocation: sourceLocation)
}

/// Waits until a condition holds; fails with `what` if it does not in time.
func eventually(
  _ what: String, seconds: Int = 60, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while ContinuousClock.now < deadline {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(100))
  }
  Issue.record("not within \(seconds) s: \(what)", sourceLocation: sourceLocation)
}
