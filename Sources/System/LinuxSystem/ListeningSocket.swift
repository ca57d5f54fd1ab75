import Glibc

/// A TCP socket that listens, for somebody to accept on.
///
/// What connects waits in the kernel until somebody accepts: whoever keeps the socket open keeps clients from being refused while the
/// process that serves them is started anew.
public final class ListeningSocket: Sendable {
  public let descriptor: SharedDescriptor

  /// Why there is none.
  public enum Failure: Error, Hashable, CustomStringConvertible {
    /// The text is no address of this machine's families.
    case noAddress(String)
    case system(SystemError)

    public var description: String {
      switch self {
      case .noAddress(let text): "\(text) is no address to listen on"
      case .system(let error): "\(error)"
      }
    }
  }

  /// Connections that wait to be accepted; the kernel allows `net.core.somaxconn`.
  private static let backlog: Int32 = 4096

  /// - Parameters:
  ///   - address: an IP address; `0.0.0.0` for all.
  ///   - port: 0 takes any free one.
  public init(_ address: String, port: Int) throws(Failure) {
    guard let (descriptor, bytes, length) = Self.open(address, port: port) else { throw .noAddress(address) }
    guard descriptor >= 0 else { throw .system(.last("socket", address)) }
    self.descriptor = SharedDescriptor(owning: descriptor)
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var name = bytes
    let isBound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) == 0 }
    }
    guard isBound else { throw .system(.last("bind", "\(address):\(port)")) }
    guard listen(descriptor, Self.backlog) == 0 else { throw .system(.last("listen", "\(address):\(port)")) }
  }

  /// One that is open already, from an earlier process of the same service.
  /// - Returns: `nil` if it does not listen there.
  public init?(keeping descriptor: SharedDescriptor, address: String, port: Int) {
    guard Self.isListening(descriptor.number), let (probe, wanted, length) = Self.open(address, port: port) else {
      return nil
    }
    if probe >= 0 { close(probe) }
    var name = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor.number, $0, &size) == 0 }
    }
    guard isKnown, size == length else { return nil }
    let isSame = withUnsafeBytes(of: name) { own in
      withUnsafeBytes(of: wanted) { own.prefix(Int(length)).elementsEqual($0.prefix(Int(length))) }
    }
    guard isSame else { return nil }
    self.descriptor = descriptor
  }

  /// Lets as many wait as before: whoever takes the socket over may have listened with less (NIO does, with 128).
  public static func deepen(_ number: Int32) { _ = listen(number, backlog) }

  /// Whether a descriptor is a stream socket that listens.
  public static func isListening(_ number: Int32) -> Bool {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1
  }

  /// The port that it listens on; `nil` if the kernel does not say.
  public var port: Int? {
    var name = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor.number, $0, &size) == 0 }
    }
    guard isKnown else { return nil }
    // The port is at the same place in IPv4 and IPv6 addresses.
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
    }
  }

  /// A socket of the address's family, and the address as the kernel takes it; `nil` if the text is no address.
  private static func open(_ address: String, port: Int) -> (Int32, sockaddr_storage, socklen_t)? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    // Names would be asked for over a network that may not be there.
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address, String(port), &hints, &found) == 0, let info = found?.pointee else { return nil }
    defer { freeaddrinfo(found) }
    var name = sockaddr_storage()
    guard let source = info.ai_addr, Int(info.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size else { return nil }
    withUnsafeMutableBytes(of: &name) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: Int(info.ai_addrlen)))
    }
    let descriptor = socket(info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), info.ai_protocol)
    return (descriptor, name, info.ai_addrlen)
  }
}
