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
    let instance = try PlatformInstance(name: "it", isPublic: true)
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
