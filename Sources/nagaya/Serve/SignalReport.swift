import Dispatch
import Foundation
import LayerStore
import LazyImages

/// Writes what is in progress to the log when SIGQUIT comes. It needs no thread of Swift's own few, which may be the ones
/// that are stuck.
final class SignalReport {
  private let source: any DispatchSourceSignal

  init(_ calls: CallRegister) {
    // Its default would end the process.
    signal(SIGQUIT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGQUIT, queue: DispatchQueue(label: "nagaya.calls"))
    source.setEventHandler {
      let lines = CallsReport(calls).lines.map { "in progress: \($0)\n" }
      FileHandle.standardError.write(Data(lines.joined().utf8))
    }
    source.resume()
  }

  deinit { source.cancel() }
}
