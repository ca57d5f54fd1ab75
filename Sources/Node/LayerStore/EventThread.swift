import CLinux
import Glibc
import LinuxSystem
import Locking

/// A thread that takes the kernel's questions and never waits for a fetch, so that a slow one holds nobody up.
final class EventThread: Sendable {
  private struct State {
    var thread: pthread_t?
    /// Told when the other side of a connection is gone.
    var watched: [Int32: @Sendable () -> Void] = [:]
    var isStopping = false
  }

  private let desk: any ReadDesk
  private let wake: SharedDescriptor
  private let state = Mutex(State())
  private let waiting: @Sendable (WaitingRead) -> Void

  /// - Parameter waiting: gets events whose bytes are not there.
  init(_ desk: any ReadDesk, waiting: @escaping @Sendable (WaitingRead) -> Void) throws(SystemError) {
    self.desk = desk
    self.waiting = waiting
    let counter = nagaya_event_counter()
    guard counter >= 0 else { throw SystemError("eventfd", "events", errno: -counter) }
    wake = SharedDescriptor(owning: counter)
  }

  func start() throws(SystemError) {
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<EventThread>.fromOpaque(argument).takeRetainedValue().loop()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    guard failure == 0 else { throw SystemError("pthread_create", "events", errno: failure) }
    state.withLock { $0.thread = thread }
  }

  /// Ends the thread and waits for it.
  func stop() {
    let thread = state.withLock { state in
      state.isStopping = true
      defer { state.thread = nil }
      return state.thread
    }
    interrupt()
    if let thread { pthread_join(thread, nil) }
  }

  /// Calls `gone` once when the other side of a connection is gone.
  func watch(_ connection: SharedDescriptor, gone: @escaping @Sendable () -> Void) {
    state.withLock {
      $0.watched[connection.number] = { [connection] in
        _ = connection  // open for as long as it is watched
        gone()
      }
    }
    interrupt()
  }

  private func interrupt() {
    var one: UInt64 = 1
    _ = write(wake.number, &one, 8)
  }

  private func loop() {
    while true {
      let (isStopping, connections) = state.withLock { ($0.isStopping, Array($0.watched.keys)) }
      if isStopping { return }
      var polled = [desk.pollable, wake.number].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      polled += connections.map { pollfd(fd: $0, events: 0, revents: 0) }
      guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
      if polled[1].revents != 0 {
        var count: UInt64 = 0
        _ = read(wake.number, &count, 8)
      }
      for connection in polled.dropFirst(2) where connection.revents != 0 {
        state.withLock { $0.watched.removeValue(forKey: connection.fd) }?()
      }
      if polled[0].revents != 0 {
        // An error here is that of opening one file; the next read goes on with the next event.
        try? desk.readEvents(waiting)
      }
    }
  }
}
