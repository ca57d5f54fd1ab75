import Glibc
import Testing

@testable import LinuxSystem

@Suite struct ListeningSocketTests {
  /// A client's socket that is connected.
  private static func connect(_ port: Int) throws -> SharedDescriptor {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(clamping: port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let client = SharedDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(client.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { throw SystemError.last("connect", "\(port)") }
    return client
  }

  @Test func `who connects waits while nobody accepts, and is there for whoever does`() throws {
    let socket = try ListeningSocket("127.0.0.1", port: 0)
    let port = try #require(socket.port)
    let client = try Self.connect(port)
    // One that served is gone: its copy of the socket is closed.
    close(dup(socket.descriptor.number))
    let accepted = SharedDescriptor(owning: accept(socket.descriptor.number, nil, nil))
    #expect(accepted.number >= 0 && write(client.number, "x", 1) == 1)
    var byte: UInt8 = 0
    #expect(read(accepted.number, &byte, 1) == 1 && byte == 0x78)
  }

  @Test func `one that is open already is kept for its own address alone`() throws {
    for (own, other) in [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")] {
      let socket = try ListeningSocket(own, port: 0)
      let port = try #require(socket.port)
      #expect(ListeningSocket(keeping: socket.descriptor, address: own, port: port)?.port == port)
      #expect(ListeningSocket(keeping: socket.descriptor, address: own, port: port == 65535 ? 1 : port + 1) == nil)
      #expect(ListeningSocket(keeping: socket.descriptor, address: other, port: port) == nil)
      #expect(ListeningSocket(keeping: socket.descriptor, address: "no address", port: port) == nil)
    }
    let file = try SharedDescriptor("/dev/null", .read)
    #expect(ListeningSocket(keeping: file, address: "127.0.0.1", port: 80) == nil)
    #expect(!ListeningSocket.isListening(file.number) && !ListeningSocket.isListening(-1))
  }

  @Test func `what cannot be had is told`() throws {
    let socket = try ListeningSocket("127.0.0.1", port: 0)
    let port = try #require(socket.port)
    #expect(throws: ListeningSocket.Failure.system(SystemError("bind", "127.0.0.1:\(port)", errno: EADDRINUSE))) {
      try ListeningSocket("127.0.0.1", port: port)
    }
    #expect(throws: ListeningSocket.Failure.noAddress("no address")) { try ListeningSocket("no address", port: 1) }
  }
}
