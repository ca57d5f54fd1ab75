import Glibc
import LinuxSystem

/// Takes events in and answers them, each once.
final class EventDesk: ReadDesk {
  let group: PreContentGroup
  let journal: EventJournal
  let routes: EventRoutes
  private let onStep: @Sendable (LayerStoreStep) -> Void

  init(
    _ group: PreContentGroup, journal: EventJournal, routes: EventRoutes,
    onStep: @escaping @Sendable (LayerStoreStep) -> Void
  ) {
    self.group = group
    self.journal = journal
    self.routes = routes
    self.onStep = onStep
  }

  var pollable: Int32 { group.descriptor.number }
  func allow(_ read: WaitingRead) { allow(Int32(truncatingIfNeeded: read.number)) }
  func deny(_ read: WaitingRead) { deny(Int32(truncatingIfNeeded: read.number)) }

  /// Lets the reader go on. The number is free for new events only after the answer, when its descriptor is closed.
  func allow(_ number: Int32) {
    group.allow(number)
    onStep(.answered)
    end(number)
  }

  /// Fails the reader.
  func deny(_ number: Int32) {
    group.deny(number)
    end(number)
  }

  private func end(_ number: Int32) {
    journal.remove(number)
    close(number)
  }

  func readEvents(_ body: (WaitingRead) -> Void) throws {
    journal.clearBuffer()
    let count = try group.read(into: journal.buffer)
    guard count > 0 else { return }
    var events: [PreContentEvent] = []
    PreContentEvent.parse(UnsafeRawBufferPointer(rebasing: journal.buffer[..<count])) { events.append($0) }
    for event in events { take(event.number, event.range, body) }
  }

  /// Takes one event: answers it, or gives it to `body`.
  func take(_ number: Int32, _ range: Range<Int64>, _ body: (WaitingRead) -> Void) {
    var status = stat()
    guard fstat(number, &status) == 0 else { return deny(number) }
    take(number, FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)), range, body)
  }

  func take(_ number: Int32, _ file: FileIdentity, _ range: Range<Int64>, _ body: (WaitingRead) -> Void) {
    switch routes[file] {
    case .filling(let fill):
      fill.counters.record(range, fill.map)
      if fill.presence.contains(range) { return allow(number) }
      journal.insert(EventJournal.Entry(number: number, file: file, range: range))
      onStep(.eventRead)
      body(WaitingRead(number: UInt64(number), fill: fill, range: range, since: .now))
    case .complete: allow(number)
    case .probe(let seen):
      seen()
      allow(number)
    // A file that we do not know is never called readable.
    case nil: deny(number)
    }
  }
}
