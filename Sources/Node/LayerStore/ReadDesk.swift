import LinuxSystem

/// A read whose bytes are not there yet.
struct WaitingRead: Sendable {
  /// By which it is answered.
  var number: UInt64
  var fill: LayerFill
  /// Of the device.
  var range: Range<Int64>
  var since: ContinuousClock.Instant
}

/// Takes in the kernel's questions for missing bytes and answers them, each once.
protocol ReadDesk: AnyObject, Sendable {
  /// Readable when there are questions; below 0 when there will be none any more.
  var pollable: Int32 { get }
  /// Takes the questions that wait: answers those whose bytes are there, and gives the others to `body`.
  func readEvents(_ body: (WaitingRead) -> Void) throws
  /// Lets the reader go on.
  func allow(_ read: WaitingRead)
  /// Fails the reader.
  func deny(_ read: WaitingRead)
}
