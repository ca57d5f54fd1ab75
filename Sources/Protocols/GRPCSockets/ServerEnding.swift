import Locking

/// How a server ends, whatever its peers do: it accepts no more, says goodbye, and cuts off who is still there after a
/// time.
final class ServerEnding: Sendable {
  private struct State {
    var goodbye: Task<Void, Never>?
    var cut: Task<Void, Never>?
    var isFinished = false
  }
  private let state = Mutex(State())
  private let channels: ServerChannels
  private let calls: ServerCalls
  private let sayGoodbye: @Sendable () -> Void

  /// - Parameter sayGoodbye: closes the listener, and asks peers to leave when their calls are answered.
  init(_ channels: ServerChannels, _ calls: ServerCalls, sayGoodbye: @escaping @Sendable () -> Void) {
    self.channels = channels
    self.calls = calls
    self.sayGoodbye = sayGoodbye
  }

  var hasBegun: Bool { state.withLock { $0.goodbye != nil } }

  /// Begins the end. Called again, the shorter time counts.
  func begin(within drain: Duration) {
    state.withLock { state in
      guard !state.isFinished else { return }
      let goodbye =
        state.goodbye
        ?? Task { [channels, sayGoodbye] in
          await channels.stopAccepting()
          sayGoodbye()
        }
      state.goodbye = goodbye
      if drain == .zero { state.cut?.cancel() }
      guard state.cut == nil || drain == .zero else { return }
      state.cut = Task { [channels, calls] in
        await goodbye.value
        if drain > .zero {
          do { try await Task.sleep(for: drain) } catch { return }
        }
        // In this order: a peer whose connection ends knows that it may ask again; that a call was cancelled says less.
        await channels.cut()
        calls.cancel()
      }
    }
  }

  /// The server has ended.
  func finish() {
    state.withLock { state in
      state.isFinished = true
      state.cut?.cancel()
    }
  }
}
