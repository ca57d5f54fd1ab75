/// Wakes one waiting task; any number of raises before it waits count as one.
final class WorkSignal: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  func raise() { continuation.yield() }

  /// - Returns: `false` if the task was cancelled.
  func wait() async -> Bool {
    var iterator = stream.makeAsyncIterator()
    return await iterator.next() != nil && !Task.isCancelled
  }
}
