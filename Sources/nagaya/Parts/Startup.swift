import KubernetesAPI
import ProcessSupervision
import ServiceLifecycle

/// Follows how a part comes up and tells the supervisor; the last service to start, the first to end.
struct Startup: Service {
  /// Something that comes up: its name, and what says that it is up (with a detail to show).
  struct Step: Sendable {
    let name: String
    let isUp: @Sendable () async throws -> String

    init(_ name: String, isUp: @escaping @Sendable () async throws -> String) {
      self.name = name
      self.isUp = isUp
    }
  }

  private let steps: [Step]
  private let reporter: StatusReporter

  init(_ steps: [Step], reporter: StatusReporter) {
    self.steps = steps
    self.reporter = reporter
  }

  func run() async throws {
    try await cancelWhenGracefulShutdown {
      do {
        for step in steps { reporter.step(step.name, try await step.isUp()) }
        reporter.ready()
        try await Task.sleep(for: .seconds(Int64.max / 4))
      } catch is CancellationError where Task.isCancelled {}
    }
  }

  /// Waits for something that another service does, a minute at most. While the API server is away the minute does not
  /// pass: that is for its own supervisor to mend, and no reason for this process to end.
  static func wait(_ condition: @Sendable () async throws -> Bool) async throws {
    var deadline = ContinuousClock.now + .seconds(60)
    while true {
      do {
        if try await condition() { return }
      } catch let status as APIStatus where status.mayPass {
        deadline = .now + .seconds(60)
      }
      guard ContinuousClock.now < deadline else {
        throw CommandFailure("a part did not come up within 60 s", remedy: "see the log for its last messages")
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
