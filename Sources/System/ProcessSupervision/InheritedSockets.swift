import Glibc
import LinuxSystem
import Locking

/// The listening sockets that a supervisor keeps for its parts: a part that is started anew finds who connected meanwhile.
public enum InheritedSockets {
  /// Names what was given, divided by colons, in the order of the descriptors.
  static let variable = "NAGAYA_SOCKETS"
  /// The first one's descriptor; those before are the standard ones and the status.
  static let first: Int32 = StatusReporter.descriptor + 1

  /// Names by their places; those that were taken are `nil`. What is started from here must not think that it was given them.
  private static let names: Mutex<[String?]> = {
    let names = getenv(variable).map { String(cString: $0) }?.split(separator: ":").map { String($0) as String? }
    unsetenv(variable)
    return Mutex(names ?? [])
  }()

  /// Takes a socket over, once: whoever gets it closes it.
  /// - Returns: `nil` if no supervisor gave one of this name, or if it is no socket that listens.
  public static func take(_ name: String) -> Int32? {
    let place = names.withLock { names in
      let place = names.firstIndex(of: name)
      if let place { names[place] = nil }
      return place
    }
    guard let index = place else { return nil }
    let number = first + Int32(index)
    guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0, ListeningSocket.isListening(number) else { return nil }
    return number
  }
}
