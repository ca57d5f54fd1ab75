import LayerStore

/// Lets one at a time through for each key; the others wait in order, or leave when they are cancelled.
actor Turns<Key: Hashable & Sendable> {
  private struct Waiter {
    let number: Int
    let continuation: CheckedContinuation<Void, any Error>
  }

  private let kind: CallRegister.Wait
  private let reason: String
  private var busy: Set<Key> = []
  private var waiting: [Key: [Waiter]] = [:]
  private var newest = 0

  /// - Parameter reason: what calls that wait here say.
  init(_ kind: CallRegister.Wait, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }

  /// Runs a body while nobody else runs one for the same key.
  /// - Throws: `CancellationError` when cancelled while waiting, and what the body throws.
  nonisolated func take<Result: Sendable>(_ key: Key, _ body: @Sendable () async throws -> Result) async throws
    -> Result
  {
    try await CallRegister.waiting(kind, reason) { try await enter(key) }
    do {
      let result = try await body()
      await leave(key)
      return result
    } catch {
      await leave(key)
      throw error
    }
  }

  private func enter(_ key: Key) async throws {
    guard busy.contains(key) else {
      busy.insert(key)
      return
    }
    newest += 1
    let number = newest
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        if Task.isCancelled {
          continuation.resume(throwing: CancellationError())
        } else {
          waiting[key, default: []].append(Waiter(number: number, continuation: continuation))
        }
      }
    } onCancel: {
      Task { await self.give(up: number, key) }
    }
  }

  private func give(up number: Int, _ key: Key) {
    guard let index = waiting[key]?.firstIndex(where: { $0.number == number }) else { return }
    waiting[key]?.remove(at: index).continuation.resume(throwing: CancellationError())
    if waiting[key]?.isEmpty == true { waiting[key] = nil }
  }

  private func leave(_ key: Key) {
    guard var queue = waiting[key], !queue.isEmpty else {
      busy.remove(key)
      return
    }
    let next = queue.removeFirst()  // the key stays busy: it is handed over
    waiting[key] = queue.isEmpty ? nil : queue
    next.continuation.resume()
  }
}
