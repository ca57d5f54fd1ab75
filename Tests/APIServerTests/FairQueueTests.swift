import Locking
import TestSupport
import Testing

@testable import APIServer

@Suite struct FairQueueTests {
  private static func queue(
    seats: Int = 4, perFlow: Int = 2, perTenant: Int = 3, waiting: Int = 8, waitingPerTenant: Int = 12
  ) -> FairQueue {
    FairQueue(
      .init(
        seats: seats, seatsPerFlow: perFlow, seatsPerTenant: perTenant, waitingPerFlow: waiting,
        waitingPerTenant: waitingPerTenant, waiting: 100, bytesPerFlow: 1000, bytesPerTenant: 1500, bytes: 3000,
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
    let waiting = (0..<3).map { _ in
      Task {
        let isIn = await queue.enter("a", cost: 1, bytes: 300)
        if isIn { queue.leave("a", cost: 1) }
        return isIn
      }
    }
    try await eventually("three wait") { queue.size.waiting == 3 }
    #expect(await !queue.enter("a", cost: 1), "too many")
    let heavy = Task { await queue.enter("b", cost: 1, bytes: 900) }
    try await eventually("b waits") { queue.size.waiting == 4 }
    #expect(await !queue.enter("b", cost: 1, bytes: 200), "too many bytes")
    queue.leave("a", cost: 2)
    #expect(await heavy.value)
    queue.leave("b", cost: 1)
    for task in waiting { #expect(await task.value) }
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

  /// However many users a tenant has, together they hold no more than its seats, and wait in no more than its places.
  @Test func aTenantsFlowsShareWhatOneTenantMayHave() async throws {
    let queue = Self.queue(seats: 6, perFlow: 2, perTenant: 3, waitingPerTenant: 4)
    @Sendable func name(_ index: Int) -> FairQueue.Name { .init("user\(index)", tenant: "greedy") }
    for index in 0..<3 { #expect(await queue.enter(name(index), cost: 1)) }
    let waiting = (3..<7).map { index in
      Task {
        let isIn = await queue.enter(name(index), cost: 1, bytes: 300)
        if isIn { queue.leave(name(index), cost: 1) }
        return isIn
      }
    }
    try await eventually("the tenant's other users wait") { queue.size.waiting == 4 }
    #expect(queue.size.held == 3)
    #expect(await !queue.enter(name(7), cost: 1), "the tenant has no place left to wait")
    #expect(await queue.enter("another", cost: 2), "others find seats at once")
    #expect(await queue.enter(.init("user", tenant: "modest"), cost: 1))
    for index in 0..<3 { queue.leave(name(index), cost: 1) }
    for task in waiting { #expect(await task.value) }
    queue.leave("another", cost: 2)
    queue.leave(.init("user", tenant: "modest"), cost: 1)
    #expect(queue.size == (0, 0))
  }

  @Test func bytesThatWaitAreBoundedByTenant() async throws {
    let queue = Self.queue(seats: 1, perFlow: 1, perTenant: 1)
    #expect(await queue.enter("first", cost: 1))
    let heavy = Task { await queue.enter(.init("a", tenant: "t"), cost: 1, bytes: 1000) }
    try await eventually("it waits") { queue.size.waiting == 1 }
    #expect(await !queue.enter(.init("b", tenant: "t"), cost: 1, bytes: 501))
    heavy.cancel()
    #expect(await !heavy.value)
    queue.leave("first", cost: 1)
    #expect(queue.size == (0, 0))
  }

  /// Turns go to tenants first, then to users: twenty users get as many as one.
  @Test func manyUsersOfOneTenantGetNoMoreTurnsThanOneUserOfAnother() async throws {
    let queue = Self.queue(seats: 1, perFlow: 1, perTenant: 1, waiting: 100, waitingPerTenant: 100)
    #expect(await queue.enter("first", cost: 1))
    let order = Shared<[String]>([])
    func task(_ name: FairQueue.Name) -> Task<Void, Never> {
      Task {
        guard await queue.enter(name, cost: 1) else { return }
        order.withLock { $0.append(name.tenant ?? "") }
        queue.leave(name, cost: 1)
      }
    }
    let many = (0..<20).map { task(.init("user\($0)", tenant: "many")) }
    try await eventually("they wait") { queue.size.waiting == 20 }
    let one = (0..<4).map { _ in task(.init("user", tenant: "one")) }
    try await eventually("all wait") { queue.size.waiting == 24 }
    queue.leave("first", cost: 1)
    for task in many + one { await task.value }
    let seen = order.withLock { $0 }
    #expect(seen.prefix(9).filter { $0 == "one" }.count == 4, "\(seen)")
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

extension FairQueue {
  fileprivate func enter(_ flow: String, cost: Int, bytes: Int = 0) async -> Bool {
    await enter(Name(flow), cost: cost, bytes: bytes)
  }
  fileprivate func leave(_ flow: String, cost: Int) { leave(Name(flow), cost: cost) }
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
