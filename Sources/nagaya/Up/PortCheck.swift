import Glibc
import LinuxSystem

/// Finds out whether a port can be listened on before anything is started that would have to be stopped again.
enum PortCheck {
  /// Listens.
  /// - Parameters:
  ///   - port: 0 takes any free one.
  ///   - what: whose port it is, for people.
  ///   - option: with which another one is chosen.
  ///   - addressOption: with which another address is chosen.
  /// - Throws: `CommandFailure` if the address or the port cannot be had.
  @discardableResult
  static func run(_ address: String, port: Int, what: String, option: String, addressOption: String) throws
    -> ListeningSocket
  {
    do throws(ListeningSocket.Failure) { return try ListeningSocket(address, port: port) } catch {
      guard case .system(let failure) = error else {
        throw CommandFailure("\(error)", remedy: "choose another with \(addressOption)")
      }
      switch failure.errno {
      case EADDRINUSE:
        throw CommandFailure(
          "port \(port) of \(address) (\(what)) is in use by another program",
          remedy: "see which: ss -ltnp 'sport = :\(port)'; stop it, or choose another port with \(option)")
      case EADDRNOTAVAIL:
        throw CommandFailure(
          "this machine has no address \(address)",
          remedy: "choose one of those that `ip address` shows with \(addressOption)")
      default:
        throw CommandFailure(
          "port \(port) of \(address) (\(what)) cannot be had: \(SystemError.message(failure.errno))",
          remedy: "choose another port with \(option)")
      }
    }
  }
}
