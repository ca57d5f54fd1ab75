import LinuxSystem

/// Why the container engine is not there, and what to do about it.
public enum EngineError: Error, Sendable, CustomStringConvertible {
  /// A program or network plugin is not where it should be.
  case programMissing(name: String, directory: String)
  /// Pods can't be kept apart.
  case nftMissing
  /// A directory or file of the engine can't be written.
  case cannotPrepare(SystemError)
  /// The process ended before it answered.
  case didNotStart(exit: String, logTail: String, logFile: String)
  /// The process runs, but its socket does not answer.
  case notAnswering(socket: String, after: Duration, logTail: String)
  /// A program of the engine failed.
  case commandFailed(command: String, exit: String, output: String)

  public var description: String {
    switch self {
    case .programMissing(let name, let directory):
      "\(name) is missing in \(directory): install containerd, runc and the CNI plugins there (`make engines` does it)"
    case .nftMissing: "nft is not installed, and pods are kept apart by it: install the package nftables"
    case .cannotPrepare(let error): "containerd's files can't be written: \(error)"
    case .didNotStart(let exit, let tail, let file):
      "containerd did not start (\(exit)); its log \(file) ends with:\n\(tail)"
    case .notAnswering(let socket, let after, let tail):
      "containerd does not answer on \(socket) after \(after); its log ends with:\n\(tail)"
    case .commandFailed(let command, let exit, let output): "\(command) failed (\(exit)): \(output)"
    }
  }
}
