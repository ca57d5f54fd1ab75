import Synchronization
import TestSupport
import Testing

@testable import APIServer

@Suite struct FairQueueTests {
  private static func queue(seats: Int = 4, perFlow: Int = 2, waiting: Int = 8) -> FairQueue {
    FairQueue(
      .init(
        seats: seats, seatsPerFlow: perFlow, waitingPerFlow: waiting, waiting: 100, bytesPerFlow: 1000, bytes: 3000,
        patience: .seconds(600)))
  }

  @Test func aFlowHoldsItsSeatsAndNoMoreAndOthersFindOne() async throws {
    let queue = Self.queue()
    #expect(await queue.enter("a", cost: 1))
    #expect(await queue.enter("a", cost: 1))
    let third = Task { await queue.enter("a", cost: 1) }
    try await eventually("the third waits") { queue.size.waiting == 1 }
    #expect(await queue.enter("b", cost: 2), "b finds seats although a waits")
    queue.leave("a", cost: 1)
    #expect(await third.value)
    #expect(queue.size.held == 4)
    for (flow, cost) in [("a", 1), ("a", 1), ("b", 2)] { queue.leave(flow, cost: cost) }
    #expect(queue.size == (0, 0))
  }

  @Test func theWaitingAreBoundedByNumberAndBytesEachFlowForItself() async throws {
    let queue = Self.queue(seats: 2, perFlow: 2, waiting: 3)
    #expect(await queue.enter("a", cost: 2))
    let waiting = (0..<3).map { _ in Task { await queue.enter("a", cost: 1, bytes: 300) } }
    try await eventually("three wait") { queue.size.waiting == 3 }
    #expect(await !queue.enter("a", cost: 1), "too many")
    let heavy = Task { await queue.enter("b", cost: 1, bytes: 900) }
    try await eventually("b waits") { queue.size.waiting == 4 }
    #expect(await !queue.enter("b", cost: 1, bytes: 200), "too many bytes")
    queue.leave("a", cost: 2)
    #expect(await heavy.value)
    queue.leave("b", cost: 1)
    for task in waiting {
      #expect(await task.value)
      queue.leave("a", cost: 1)
    }
    #expect(queue.size == (0, 0))
  }

  @Test func whoHadLeastIsNext() async throws {
    let queue = Self.queue(seats: 1, perFlow: 1, waiting: 100)
    #expect(await queue.enter("flood", cost: 1))
    let order = Shared<[String]>([])
    let flood = (0..<20).map { _ in
      Task {
        guard await queue.enter("flood", cost: 1) else { return }
        order.withLock { $0.append("flood") }
        queue.leave("flood", cost: 1)
      }
    }
    try await eventually("the flood waits") { queue.size.waiting == 20 }
    let modest = (0..<2).map { _ in
      Task {
        guard await queue.enter("modest", cost: 1) else { return }
        order.withLock { $0.append("modest") }
        queue.leave("modest", cost: 1)
      }
    }
    try await eventually("all wait") { queue.size.waiting == 22 }
    queue.leave("flood", cost: 1)
    for task in flood + modest { await task.value }
    let seen = order.withLock { $0 }
    #expect(seen.prefix(6).filter { $0 == "modest" }.count == 2, "\(seen)")
  }

  @Test func whoGivesUpLeavesNothingBehind() async throws {
    let queue = Self.queue(seats: 1, perFlow: 1)
    #expect(await queue.enter("a", cost: 1))
    let waiting = Task { await queue.enter("b", cost: 1, bytes: 500) }
    try await eventually("b waits") { queue.size.waiting == 1 }
    waiting.cancel()
    #expect(await !waiting.value)
    #expect(queue.size.waiting == 0)
    queue.leave("a", cost: 1)
    #expect(await queue.enter("b", cost: 1, bytes: 900))
    queue.leave("b", cost: 1)
  }

  @Test func manyAtOnceNeverExceedTheSeatsAndAllAreServed() async {
    let queue = Self.queue(seats: 5, perFlow: 3, waiting: 1000)
    let state = Shared((now: 0, most: 0, served: 0))
    await withTaskGroup(of: Void.self) { group in
      for index in 0..<90 {
        group.addTask {
          let (flow, cost) = ("flow\(index % 4)", 1 + index % 3)
          guard await queue.enter(flow, cost: cost) else { return }
          state.withLock { state in
            state.now += cost
            state.most = max(state.most, state.now)
            state.served += 1
          }
          await Task.yield()
          state.withLock { $0.now -= cost }
          queue.leave(flow, cost: cost)
        }
      }
    }
    #expect(state.withLock { $0.most } <= 5)
    #expect(state.withLock { $0.served } == 90)
    #expect(queue.size == (0, 0))
  }
}

/// A value that several tasks change.
private final class Shared<Value: Sendable>: Sendable {
  private let value: Mutex<Value>
  init(_ value: Value) { self.value = Mutex(value) }
  @discardableResult
  func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
    value.withLock { value in body(&value) }
  }
}
