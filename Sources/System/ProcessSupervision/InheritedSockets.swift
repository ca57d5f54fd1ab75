import Glibc
import LinuxSystem
import Locking

/// The listening sockets that a supervisor keeps for its parts: a part that is started anew finds who connected meanwhile.
public enum InheritedSockets {
  /// Names what was given, divided by colons, in the order of the descriptors.
  static let variable = "NAGAYA_SOCKETS"
  /// The first one's descriptor; those before are the standard ones and the status.
  static let first: Int32 = StatusReporter.descriptor + 1

  private static let taken = Mutex<Set<String>>([])

  /// Takes a socket over, once: whoever gets it closes it.
  /// - Returns: `nil` if no supervisor gave one of this name, or if it is no socket that listens.
  public static func take(_ name: String) -> Int32? {
    let names = getenv(variable).map { String(cString: $0) }?.split(separator: ":") ?? []
    guard let index = names.firstIndex(of: Substring(name)), taken.withLock({ $0.insert(name).inserted }) else {
      return nil
    }
    let number = first + Int32(index)
    guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0, ListeningSocket.isListening(number) else { return nil }
    return number
  }
}
