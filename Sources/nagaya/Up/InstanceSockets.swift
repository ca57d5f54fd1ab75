import LinuxSystem
import Logging
import ProcessSupervision

/// The sockets on which an instance is reached. Its supervisor keeps them open, and a service manager that keeps files for it
/// (systemd's `FileDescriptorStoreMax=`) keeps them while the supervisor is another one: nobody who connects is refused.
struct InstanceSockets: Sendable {
  let api: ListeningSocket
  let edge: ListeningSocket

  /// Takes over what an earlier process of the service left, and opens what is not there.
  /// - Parameters:
  ///   - options: port 0 becomes one that the kernel chose.
  ///   - environment: this process's own.
  /// - Throws: `CommandFailure` if an address or port cannot be had.
  init(_ options: inout PlatformOptions, environment: [String: String], logger: Logger) throws {
    let store = DescriptorStore(environment: environment)
    api = try Self.socket(
      .api, "127.0.0.1", &options.apiPort, what: "the API", option: "--api-port", store, logger)
    edge = try Self.socket(
      .edge, options.edgeAddress, &options.edgePort, what: "the edge", option: "--edge-port", store, logger)
  }

  private static func socket(
    _ part: PartKind, _ address: String, _ port: inout Int, what: String, option: String, _ store: DescriptorStore?,
    _ logger: Logger
  ) throws -> ListeningSocket {
    let name = "nagaya-\(part.rawValue)"
    if let socket = store?.file(name).flatMap({ ListeningSocket(keeping: $0, address: address, port: port) }) {
      logger.info("taking over the socket of an earlier start", metadata: ["part": "\(part.rawValue)"])
      return socket
    }
    // One of another address: who still connects there is to be refused, and it must not be in the way of the new one.
    if store?.file(name) != nil { try? store?.remove(name, waits: true) }
    let socket = try PortCheck.run(address, port: port, what: what, option: option)
    if port == 0 { port = socket.port ?? 0 }
    do { try store?.put(name, socket.descriptor) } catch {
      logger.notice("the service manager does not keep the socket", metadata: ["error": "\(error)"])
    }
    return socket
  }

  /// The environment of parts: what a service manager said was said to the supervisor.
  static func environment(ofParts environment: [String: String]) -> [String: String] {
    environment.filter { !["NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].contains($0.key) }
  }

  /// What a part finds open.
  func sockets(of part: PartKind) -> [SupervisedProgram.Socket] {
    switch part {
    case .api: [.init(name: part.rawValue, descriptor: api.descriptor.number)]
    case .edge: [.init(name: part.rawValue, descriptor: edge.descriptor.number)]
    case .storage, .storageController, .controllers, .node, .hooks: []
    }
  }
}
