import TestSupport
import Testing

@testable import KubernetesClient

@Suite(.timeLimit(.minutes(15)))
struct WorkQueueTests {
  private func queue(capacity: Int = 100) -> WorkQueue<String> {
    WorkQueue(capacity: capacity, clock: ContinuousClock()) { String($0.prefix(1)) }
  }

  @Test func aKeyThatWaitsIsNotAddedTwice() async {
    let queue = queue()
    queue.add("a1")
    queue.add("a1")
    queue.add("a2")
    #expect(await queue.next() == "a1")
    #expect(await queue.next() == "a2")
    #expect(queue.counters.depth == 0)
    #expect(queue.counters.deduplicated == 1)
  }

  @Test func aKeyInWorkIsHandedOutAgainOnlyAfterItIsDone() async {
    let queue = queue()
    queue.add("a")
    #expect(await queue.next() == "a")
    queue.add("a")
    queue.add("b")
    #expect(await queue.next() == "b")
    #expect(queue.counters.depth == 0)
    queue.done("a")
    #expect(await queue.next() == "a")
  }

  @Test func partitionsTakeTurns() async {
    let queue = queue()
    for key in ["a1", "a2", "a3", "b1", "c1"] { queue.add(key) }
    var order: [String?] = []
    for _ in 0..<5 { order.append(await queue.next()) }
    #expect(order == ["a1", "b1", "c1", "a2", "a3"])
  }

  @Test func aWaitingWorkerIsWokenByAnAddedKey() async {
    let queue = queue()
    async let key = queue.next()
    await Task.yield()
    queue.add("x")
    #expect(await key == "x")
  }

  @Test func closingEndsWaitingAndRefusesMore() async {
    let queue = queue()
    async let key = queue.next()
    await Task.yield()
    queue.close()
    #expect(await key == nil)
    queue.add("x")
    #expect(await queue.next() == nil)
  }

  @Test func aCancelledWorkerGetsNothingAndLeavesTheKeyToOthers() async {
    let queue = queue()
    let worker = Task { await queue.next() }
    await Task.yield()
    worker.cancel()
    #expect(await worker.value == nil)
    queue.add("x")
    #expect(await queue.next() == "x")
  }

  @Test func aFullQueueTurnsKeysAwayAndAsksForThemWhenDrained() async {
    let queue = queue(capacity: 2)
    for key in ["a", "b", "c"] { queue.add(key) }
    #expect(queue.counters.dropped == 1)
    #expect(!queue.takeOverflow())
    _ = await queue.next()
    _ = await queue.next()
    #expect(queue.takeOverflow())
    #expect(!queue.takeOverflow())
  }

  @Test(arguments: [(1, 5), (2, 10), (3, 20), (10, 2560), (14, 40_960), (15, 60_000), (1000, 60_000)])
  func retriesDoubleUpToAMinute(failures: Int, milliseconds: Int) {
    #expect(
      WorkQueue<String>.delay(after: failures, first: .milliseconds(5), longest: .seconds(60))
        == .milliseconds(milliseconds))
  }

  @Test func delayedKeysComeInTheOrderOfTheirTimesAndOnlyOnce() async {
    let clock = ManualClock()
    let queue = WorkQueue<String>(clock: clock) { _ in "" }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await queue.runTimer() }
      queue.add("late", after: .seconds(20))
      queue.add("soon", after: .seconds(10))
      queue.add("late", after: .seconds(30))  // the earlier time stays
      queue.add("now")
      #expect(await queue.next() == "now")
      await clock.advance(toNextSleeper: .seconds(10))
      #expect(await queue.next() == "soon")
      await clock.advance(toNextSleeper: .seconds(20))
      #expect(await queue.next() == "late")
      #expect(queue.counters.delayed == 0)
      group.cancelAll()
    }
  }

  @Test func everyKeyIsWorkedOnAfterItsLastAddAndNeverTwiceAtATime() async {
    let queue = WorkQueue<Int>(clock: ContinuousClock()) { "\($0 % 7)" }
    let world = World()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          while let key = await queue.next() {
            await world.begin(key)
            await Task.yield()
            await world.end(key)
            queue.done(key)
          }
        }
      }
      var generator = SeededGenerator(seed: 18)
      for round in 1...2000 {
        let key = Int.random(in: 0..<50, using: &generator)
        await world.change(key, to: round)
        queue.add(key)
        if round % 10 == 0 { await Task.yield() }
      }
      while await !world.isSettled { await Task.yield() }
      queue.close()
    }
    #expect(await !world.hasOverlapped)
  }

  private actor World {
    private var wanted: [Int: Int] = [:]
    private var done: [Int: Int] = [:]
    private var inWork: Set<Int> = []
    var hasOverlapped = false
    private var seen: [Int: Int] = [:]

    func change(_ key: Int, to value: Int) { wanted[key] = value }
    func begin(_ key: Int) {
      if !inWork.insert(key).inserted { hasOverlapped = true }
      seen[key] = wanted[key]
    }
    func end(_ key: Int) {
      inWork.remove(key)
      done[key] = seen[key]
    }
    var isSettled: Bool { done == wanted && inWork.isEmpty }
  }
}
