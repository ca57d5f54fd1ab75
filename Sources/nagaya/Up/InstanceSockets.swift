import LinuxSystem
import Logging
import ProcessSupervision

/// The sockets on which an instance is reached. Its supervisor keeps them open, and a service manager that keeps files for it
/// (systemd's `FileDescriptorStoreMax=`) keeps them while the supervisor is another one: nobody who connects is refused.
struct InstanceSockets: Sendable {
  let api: ListeningSocket
  /// The API's at the address for others.
  let publicAPI: ListeningSocket?
  let edge: ListeningSocket

  /// Takes over what an earlier process of the service left, and opens what is not there.
  /// - Parameters:
  ///   - options: port 0 becomes one that the kernel chose.
  ///   - environment: this process's own.
  /// - Throws: `CommandFailure` if an address or port cannot be had.
  init(_ options: inout PlatformOptions, environment: [String: String], logger: Logger) throws {
    let store = DescriptorStore(environment: environment)
    api = try Self.socket(
      PartKind.api.rawValue, APIPlace.loopback, &options.apiPort, what: "the API", option: "--api-port", store, logger)
    if let address = options.apiAddress {
      publicAPI = try Self.socket(
        Self.publicName, address, &options.apiPort, what: "the API", option: "--api-port",
        addressOption: "--api-address", store, logger)
    } else {
      publicAPI = nil
      // Of an earlier start with an address.
      let name = "nagaya-\(Self.publicName)"
      if store?.file(name) != nil { try? store?.remove(name, waits: true) }
    }
    edge = try Self.socket(
      PartKind.edge.rawValue, options.edgeAddress, &options.edgePort, what: "the edge", option: "--edge-port", store,
      logger)
  }

  /// What the API finds its socket for others by.
  static let publicName = "api-public"

  private static func socket(
    _ what: String, _ address: String, _ port: inout Int, what whose: String, option: String,
    addressOption: String = "--edge-address", _ store: DescriptorStore?, _ logger: Logger
  ) throws -> ListeningSocket {
    let name = "nagaya-\(what)"
    if let socket = store?.file(name).flatMap({ ListeningSocket(keeping: $0, address: address, port: port) }) {
      logger.info("taking over the socket of an earlier start", metadata: ["socket": "\(name)"])
      return socket
    }
    // One of another address: who still connects there is to be refused, and it must not be in the way of the new one.
    if store?.file(name) != nil { try? store?.remove(name, waits: true) }
    let socket = try PortCheck.run(
      address, port: port, what: whose, option: option, addressOption: addressOption)
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
    case .api:
      [.init(name: part.rawValue, descriptor: api.descriptor.number)]
        + (publicAPI.map { [.init(name: Self.publicName, descriptor: $0.descriptor.number)] } ?? [])
    case .edge: [.init(name: part.rawValue, descriptor: edge.descriptor.number)]
    case .storage, .storageController, .controllers, .node, .hooks: []
    }
  }
}
