import Glibc

/// Finds out whether a port can be listened on before anything is started that would have to be stopped again.
enum PortCheck {
  /// A port that is free now: the parts of an instance must agree on one, and find it again after a restart.
  static func free(_ address: String) -> Int? {
    guard let descriptor = bound(address, port: 0) else { return nil }
    defer { close(descriptor) }
    var name = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) == 0 }
    }
    guard isKnown else { return nil }
    // The port is at the same place in IPv4 and IPv6 addresses.
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
    }
  }

  private static func bound(_ address: String, port: Int) -> Int32? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address, String(port), &hints, &found) == 0, let info = found?.pointee else { return nil }
    defer { freeaddrinfo(found) }
    let descriptor = socket(info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), info.ai_protocol)
    guard descriptor >= 0 else { return nil }
    guard bind(descriptor, info.ai_addr, info.ai_addrlen) == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  /// - Parameters:
  ///   - what: whose port it is, for people.
  ///   - option: with which another one is chosen.
  /// - Throws: `CommandFailure` if the address or the port cannot be had.
  static func run(_ address: String, port: Int, what: String, option: String) throws {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address, String(port), &hints, &found) == 0, let info = found?.pointee else {
      throw CommandFailure("\(address) is no address to listen on", remedy: "choose another with --edge-address")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), info.ai_protocol)
    guard descriptor >= 0 else { return }  // the listener itself will say why
    defer { close(descriptor) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, info.ai_addr, info.ai_addrlen) != 0 || listen(descriptor, 1) != 0 else { return }
    switch errno {
    case EADDRINUSE:
      throw CommandFailure(
        "port \(port) of \(address) (\(what)) is in use by another program",
        remedy: "see which: ss -ltnp 'sport = :\(port)'; stop it, or choose another port with \(option)")
    case EADDRNOTAVAIL:
      throw CommandFailure("this machine has no address \(address)", remedy: "see `ip address` for those that it has")
    case let code:
      throw CommandFailure(
        "port \(port) of \(address) (\(what)) cannot be had: \(String(cString: strerror(code)))",
        remedy: "choose another port with \(option)")
    }
  }
}
