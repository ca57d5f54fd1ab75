import CLinux
import Glibc

/// Messages with open files between processes of this machine (unix(7), `SOCK_SEQPACKET`, `SCM_RIGHTS`).
public final class PacketSocket: Sendable {
  public let descriptor: SharedDescriptor

  /// The largest message, in bytes.
  public static let limit = 4096

  init(_ descriptor: SharedDescriptor) { self.descriptor = descriptor }

  /// Waits for connections at `path`, with mode 0600; what is there is removed.
  public static func listen(_ path: String) throws(SystemError) -> PacketSocket {
    PacketSocket(SharedDescriptor(owning: try check(nagaya_packet_listen(path), "bind", path)))
  }

  /// - Parameter timeoutSeconds: for each message sent or received.
  public static func connect(_ path: String, timeoutSeconds: Int32 = 10) throws(SystemError) -> PacketSocket {
    PacketSocket(SharedDescriptor(owning: try check(nagaya_packet_connect(path, timeoutSeconds), "connect", path)))
  }

  /// The next connection.
  public func accept() throws(SystemError) -> PacketSocket {
    PacketSocket(SharedDescriptor(owning: try check(nagaya_packet_accept(descriptor.number), "accept", "socket")))
  }

  /// The user of the process at the other end.
  public func peerUser() throws(SystemError) -> UInt32 {
    var user: UInt32 = 0
    try check(nagaya_packet_peer(descriptor.number, &user), "getsockopt(SO_PEERCRED)", "socket")
    return user
  }

  /// - Parameter files: up to 4; the other side gets descriptors of its own.
  public func send(_ text: String, files: [SharedDescriptor] = []) throws(SystemError) {
    let numbers = files.map(\.number)
    let bytes = Array(text.utf8)
    var sent: Int
    repeat {
      sent = nagaya_packet_send(descriptor.number, bytes, bytes.count, numbers, Int32(numbers.count))
    } while sent
      == -Int(EINTR)
    guard sent >= 0 else { throw SystemError("sendmsg", "socket", errno: Int32(-sent)) }
  }

  /// The next message; `nil` when the other side is gone.
  public func receive() throws(SystemError) -> (text: String, files: [SharedDescriptor])? {
    var numbers = [Int32](repeating: -1, count: 4)
    var count: Int32 = 0
    var received = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: Self.limit) { buffer, filled in
      repeat {
        received = nagaya_packet_receive(descriptor.number, buffer.baseAddress, buffer.count, &numbers, &count)
      } while received == -Int(EINTR)
      filled = max(0, received)
    }
    let files = numbers.prefix(Int(count)).map { SharedDescriptor(owning: $0) }
    if received == -Int(ECONNRESET) { return nil }
    guard received >= 0 else { throw SystemError("recvmsg", "socket", errno: Int32(-received)) }
    return bytes.isEmpty && files.isEmpty ? nil : (String(decoding: bytes, as: UTF8.self), files)
  }
}
