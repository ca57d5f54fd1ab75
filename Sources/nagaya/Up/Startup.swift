import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Follows how the parts come up and keeps the instance's record in step; the last service to start, the first to end.
final class Startup: Service, Sendable {
  /// One part: its name, and what says that it is up (with a detail to show).
  struct Part: Sendable {
    let name: String
    let isUp: @Sendable () async throws -> String

    init(_ name: String, isUp: @escaping @Sendable () async throws -> String) {
      self.name = name
      self.isUp = isUp
    }
  }

  private let layout: Layout
  private let parts: [Part]
  private let began = ContinuousClock.now
  private let instance: Mutex<Instance>
  private let ready = Mutex(false)
  private let finish: @Sendable (inout Instance) async throws -> Void

  /// Whether all parts have come up.
  var wasReady: Bool { ready.withLock { $0 } }

  /// - Parameter finish: completes the record once all parts are up.
  init(
    layout: Layout, instance: Instance, parts: [Part],
    finish: @escaping @Sendable (inout Instance) async throws -> Void
  ) {
    self.layout = layout
    self.parts = parts
    self.instance = Mutex(instance)
    self.finish = finish
  }

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown { try await self.follow() }
    } catch {
      if !(error is CancellationError) {
        change {
          $0.phase = .failed
          $0.failure = "\(error)"
        }
        throw error
      }
    }
    change { $0.phase = .stopping }
  }

  private func follow() async throws {
    for part in parts {
      let detail = try await part.isUp()
      let step = Instance.Step(
        name: part.name, detail: detail, milliseconds: Int((ContinuousClock.now - began) / .milliseconds(1)))
      change { $0.steps.append(step) }
      if isatty(1) == 1 { StartupProgress.show(step) }
    }
    var complete = instance.withLock { $0 }
    try await finish(&complete)
    complete.phase = .ready
    ready.withLock { $0 = true }
    let record = complete
    change { $0 = record }
    try await Task.sleep(for: .seconds(Int64.max / 4))
  }

  private func change(_ body: (inout Instance) -> Void) {
    let record = instance.withLock { instance in
      body(&instance)
      return instance
    }
    try? record.write(to: layout)
  }
}
