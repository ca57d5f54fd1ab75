import JSONDocument
import KubernetesAPI
import Locking
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import KubernetesClient

/// Services that run together.
@Suite struct ServiceSetTests {
  private struct Brief: Service {
    func run() async throws {}
  }
  private struct Lasting: Service {
    func run() async throws { try await Task.sleep(for: .seconds(86_400)) }
  }

  @Test func `one that ends though nobody asked it ends all, by its name`() async throws {
    let ended = await #expect(throws: ServiceSet.Ended.self) { try await ServiceSet([Lasting(), Brief()]).run() }
    #expect(ended?.description == "Brief has ended though nobody asked it to")
  }

  @Test func `those that are cancelled end by that, not as if they had failed`() async throws {
    let lasting = Task { try await ServiceSet([Lasting()]).run() }
    lasting.cancel()
    await #expect(throws: CancellationError.self) { try await lasting.value }
  }
}

@Suite(.timeLimit(.minutes(15)))
struct ReconcilingTests {
  @Test func aConditionMovesItsTransitionTimeOnlyWithItsStatus() {
    var object = KubernetesObject(.pods, namespace: "n", name: "p")
    let first = Timestamp(seconds: 100)
    func set(_ status: Condition.Status, _ reason: String, at seconds: Int64) -> Bool {
      object.setCondition(Condition("Ready", status, reason: reason), now: Timestamp(seconds: seconds))
    }
    let changes = [
      set(.no, "A", at: 100), set(.no, "A", at: 200), set(.no, "B", at: 300),
    ]
    #expect(changes == [true, false, true])
    #expect(object.condition("Ready")?["lastTransitionTime"].string == first.description)
    let moves = set(.yes, "B", at: 400)
    #expect(moves)
    #expect(object.condition("Ready")?["lastTransitionTime"].string == Timestamp(seconds: 400).description)
    #expect(object.isConditionTrue("Ready"))
    let removals = [object.removeCondition("Ready"), object.removeCondition("Ready")]
    #expect(removals == [true, false])
  }

  @Test(arguments: [
    (#"{"a":1}"#, #"{"a":1,"b":2}"#, true),
    (#"{"a":2}"#, #"{"a":1,"b":2}"#, false),
    (#"{"a":{"b":[{"x":1}]}}"#, #"{"a":{"b":[{"x":1,"y":2}],"c":3}}"#, true),
    (#"{"b":[{"x":1}]}"#, #"{"b":[{"x":1},{"x":1}]}"#, false),
    (#"{"a":null}"#, #"{"b":2}"#, true),
    (#"{"a":null}"#, #"{"a":2}"#, false),
    (#"{"a":[]}"#, #"{}"#, true),
    (#"{"a":{}}"#, #"{}"#, true),
    (#"{"a":{"b":1}}"#, #"{}"#, false),
  ])
  func desiredStateIsASubset(desired: String, actual: String, isMet: Bool) throws {
    let desired = try JSONValue(parsing: desired.utf8)
    let actual = try JSONValue(parsing: actual.utf8)
    #expect(DesiredState.isMet(desired, by: actual) == isMet)
    #expect(DesiredState.isMet(desired, by: DesiredState.merged(desired, into: actual)))
  }

  @Test func aFailingReconcileIsRepeatedAndAConflictIsNoFailure() async throws {
    let queue = WorkQueue<ObjectKey>()
    let attempts = Mutex(0)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let controller = Controller(name: "test", queue: queue, logger: logger) { key in
      switch attempts.withLock({
        $0 += 1
        return $0
      }) {
      case 1: throw APIStatus.conflict(.pods, key.name, "moved on")
      case 2: throw APIStatus(.internalError, "no")
      case 3: return .requeueAfter(.milliseconds(1))
      default: return .done
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await controller.run() }
      controller.enqueue(ObjectKey(name: "a"))
      try await eventually("four reconciles") { controller.counters.reconciles == 4 }
      #expect(controller.counters.conflicts == 1)
      #expect(controller.counters.failures == 1)
      group.cancelAll()
    }
  }

  @Test func aSignalRaisedBeforeWaitingIsNotLost() async {
    let signal = Signal()
    signal.raise()
    await signal.wait()
    let waiter = Task { await signal.wait() }
    waiter.cancel()
    await waiter.value
    let latch = Latch()
    let failed = Task { try await latch.wait() }
    failed.cancel()
    await #expect(throws: CancellationError.self) { try await failed.value }
  }
}
