import TestSupport
import Testing

@testable import ProcessSupervision

/// The decisions, without a process: events and times in, actions out.
@Suite struct SupervisionPlanTests {
  private static let begin = ContinuousClock.now

  private func at(_ seconds: Double) -> ContinuousClock.Instant {
    Self.begin + .milliseconds(Int64((seconds * 1000).rounded()))
  }

  /// `a`, and `b` and `c` which need it.
  private func plan() -> SupervisionPlan {
    let programs = ["a", "b", "c"].map {
      SupervisedProgram(
        name: $0, program: "/bin/true", arguments: [], startsAfter: $0 == "a" ? [] : ["a"], stopLimit: .seconds(5))
    }
    return SupervisionPlan(programs, policy: RestartPolicy(), now: Self.begin)
  }

  /// All three are ready at second 1.
  private func complete() -> SupervisionPlan {
    var plan = plan()
    _ = plan.actions(at: at(0))
    plan.becameReady(0, at: at(0.5))
    _ = plan.actions(at: at(0.5))
    plan.becameReady(1, at: at(1))
    plan.becameReady(2, at: at(1))
    return plan
  }

  @Test("a part begins when those that it needs have been ready")
  func order() {
    var plan = plan()
    #expect(plan.actions(at: at(0)) == [.start(0)])
    #expect(plan.actions(at: at(0)) == [])
    plan.becameReady(0, at: at(1))
    #expect(plan.actions(at: at(1)) == [.start(1), .start(2)])
    #expect(!plan.isComplete)
    plan.becameReady(1, at: at(2))
    plan.becameReady(2, at: at(2))
    #expect(plan.isComplete && plan.wasComplete)
  }

  @Test("one that dies begins again, and no other is touched")
  func restart() {
    var plan = complete()
    plan.ended(1, .signaled(9), at: at(100))
    #expect(plan.actions(at: at(100)) == [])
    #expect(plan.nextDeadline == at(100.2))
    #expect(plan.actions(at: at(100.2)) == [.start(1)])
    #expect(plan.parts.map(\.restarts) == [0, 1, 0])
    #expect(plan.parts[1].lastEnd == .signaled(9))
  }

  @Test("each end without running well in between makes the wait longer, to a bound; running well makes it short again")
  func backOff() {
    var plan = complete()
    var now = 100.0
    var delays: [Double] = []
    for _ in 0..<10 {
      plan.ended(2, .signaled(4), at: at(now))
      let deadline = plan.nextDeadline ?? at(now)
      delays.append((deadline - at(now)) / .seconds(1))
      #expect(plan.actions(at: deadline - .milliseconds(1)) == [])
      now = ((deadline - Self.begin) / .milliseconds(1)).rounded() / 1000
      #expect(plan.actions(at: at(now)) == [.start(2)])
      now += 1
    }
    #expect(delays.map { ($0 * 10).rounded() / 10 } == [0.2, 1, 2, 4, 5, 5, 5, 5, 5, 5])
    plan.becameReady(2, at: at(now))
    plan.ended(2, .exited(code: 1), at: at(now + 30))
    #expect(plan.nextDeadline == at(now + 30.2))
  }

  @Test("it is said once that a part is to end, the last first, and a part that does not is killed")
  func stop() {
    var plan = complete()
    plan.stop()
    #expect(plan.actions(at: at(10)) == [.signal(2, .end)])
    #expect(plan.actions(at: at(11)) == [])
    plan.ended(2, .exited(code: 0), at: at(12))
    #expect(plan.actions(at: at(12)) == [.signal(1, .end)])
    #expect(plan.nextDeadline == at(17))
    #expect(plan.actions(at: at(17)) == [.signal(1, .kill)])
    #expect(plan.actions(at: at(18)) == [])
    #expect(plan.nextDeadline == nil)
    plan.ended(1, .signaled(9), at: at(18))
    #expect(plan.actions(at: at(18)) == [.signal(0, .end)])
    plan.ended(0, .exited(code: 0), at: at(19))
    #expect(plan.isOver)
  }

  @Test("what waits for its next try, or for others, is not started any more once all is to stop")
  func stopWhileBackingOff() {
    var plan = plan()
    _ = plan.actions(at: at(0))
    plan.ended(0, .signaled(11), at: at(1))
    plan.stop()
    #expect(plan.actions(at: at(60)) == [])
    #expect(plan.isOver)
  }

  @Test("a first start that is refused in words ends all; one that dies without a word is tried again")
  func firstStart() {
    var refused = plan()
    _ = refused.actions(at: at(0))
    refused.becameReady(0, at: at(1))
    _ = refused.actions(at: at(1))
    refused.failed(1, "pause.tar is missing")
    refused.ended(1, .exited(code: 1), at: at(2))
    #expect(refused.startFailure == "pause.tar is missing")
    #expect(refused.actions(at: at(2)) == [.signal(2, .end)])

    var trapped = plan()
    _ = trapped.actions(at: at(0))
    trapped.ended(0, .signaled(4), at: at(1))
    #expect(trapped.startFailure == nil && !trapped.isStopping)
    #expect(trapped.actions(at: at(2)) == [.start(0)])
  }

  @Test("a part that was ready once is tried again whatever it says")
  func laterRefusal() {
    var plan = complete()
    plan.failed(0, "the disk is full")
    plan.ended(0, .exited(code: 1), at: at(50))
    #expect(!plan.isStopping)
    #expect(plan.parts[0].failure == "the disk is full")
    #expect(plan.actions(at: at(60)) == [.start(0)])
    #expect(plan.parts[0].failure == nil)
  }

  @Test("no order of events makes it do what is senseless")
  func anyOrder() {
    var random = SeededGenerator(seed: 12)
    for _ in 0..<2000 {
      var plan = plan()
      var running: Set<Int> = []
      var now = 0.0
      for _ in 0..<60 {
        now += Double.random(in: 0...3, using: &random)
        let index = Int.random(in: 0..<3, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0: plan.becameReady(index, at: at(now))
        case 1: plan.failed(index, "words")
        case 2: plan.stop()
        case 3...5 where running.contains(index):
          running.remove(index)
          plan.ended(index, .signaled(9), at: at(now))
        default: break
        }
        for action in plan.actions(at: at(now)) {
          switch action {
          case .start(let part):
            #expect(!running.contains(part) && !plan.isStopping)
            running.insert(part)
          case .signal(let part, _): #expect(running.contains(part) && plan.isStopping)
          }
        }
        if plan.isOver { #expect(running.isEmpty) }
      }
    }
  }
}
