import NIOSSL

/// A registry's directory below containerd's `config_path`: `hosts.toml`, or certificates alone as Docker has them
/// (containerd, docs/hosts.md).
struct HostsFile {
  struct Failure: Error {
    let path: String
    let reason: String
  }

  let registry: String
  let directory: String

  /// The hosts in the order in which they are tried: mirrors as the file has them, then the registry itself.
  func hosts() throws(Failure) -> [RegistryHost] {
    let path = "\(directory)/hosts.toml"
    guard let bytes = BoundedFile.read(path, limit: TOMLParser.limitBytes) else { return [try docker()] }
    let root: TOMLTable
    do { root = try TOMLParser.parse(bytes) } catch { throw Failure(path: path, reason: "\(error)") }
    var hosts: [RegistryHost] = []
    if let value = root["host"] {
      guard let mirrors = value.table else { throw Failure(path: path, reason: "host is no table") }
      for address in mirrors.keys {
        guard let table = mirrors[address]?.table else { throw Failure(path: path, reason: "host is no table") }
        hosts.append(try host(address, table, path))
      }
    }
    let server = root["server"]?.string ?? ""
    hosts.append(try host(server.isEmpty ? Self.defaultServer(registry) : server, root, path))
    return hosts
  }

  /// `https://registry-1.docker.io` for `docker.io`; http for the machine itself.
  static func defaultServer(_ registry: String) -> String {
    if registry == "docker.io" { return "https://registry-1.docker.io" }
    let host = HTTPAddress.authority(registry[...])?.host ?? registry
    return "\(HTTPAddress.isLoopback(host) ? "http" : "https")://\(registry)"
  }

  private func host(_ text: String, _ table: TOMLTable, _ path: String) throws(Failure) -> RegistryHost {
    func wrong(_ key: String, _ wanted: String) -> Failure { Failure(path: path, reason: "\(key) must be \(wanted)") }
    guard var address = HTTPAddress(text.contains("://") ? text : "https://\(text)") else {
      throw wrong("\"\(text)\"", "an http or https address")
    }
    address.target = String(address.target.prefix { $0 != "?" })
    while address.target.hasSuffix("/") { address.target.removeLast() }
    if table["override_path"]?.bool != true, !address.target.hasSuffix("/v2") { address.target += "/v2" }

    var capabilities = Set(RegistryHost.Capability.allCases)
    if let value = table["capabilities"] {
      guard let names = value.strings else { throw wrong("capabilities", "strings") }
      capabilities = try Set(
        names.map { (name) throws(Failure) in
          guard let capability = RegistryHost.Capability(rawValue: name.lowercased()) else {
            throw wrong("capabilities", "among pull, resolve, push and referrers, not \"\(name)\"")
          }
          return capability
        })
    }
    var trust = TLSTrust()
    trust.skipsVerification = table["skip_verify"]?.bool ?? false
    if let value = table["ca"] {
      guard let names = value.strings else { throw wrong("ca", "a file name or several") }
      for name in names { trust.authorities += try certificates(name) }
    }
    try client(table["client"], path, &trust)
    var host = RegistryHost(
      api: address, capabilities: capabilities, trust: trust, mirrorOf: isRegistry(address) ? nil : registry,
      name: isRegistry(address) ? registry : address.authority)
    if let headers = table["header"]?.table {
      for name in headers.keys {
        guard let values = headers[name]?.strings else { throw wrong("header.\(name)", "a string or several") }
        for value in values {
          guard Self.isHeader(name, value) else { throw wrong("header", "a header's name and one line of text") }
          host.headers.append(.init(name: name, value: value))
        }
      }
    }
    return host
  }

  /// Whether an address is the registry's own, not a mirror's.
  private func isRegistry(_ address: HTTPAddress) -> Bool {
    HTTPAddress(Self.defaultServer(registry)).map { $0.host == address.host && $0.port == address.port } ?? false
      || address.authority == registry
  }

  private static func isHeader(_ name: String, _ value: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0 | 0x20) || $0 == 0x2D || $0 == 0x5F }
      && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
  }

  /// `"client.pem"`, `["a.pem"]`, `["a.cert", "a.key"]` is two files of one kind in containerd's words; pairs are
  /// `[["a.cert", "a.key"]]`.
  private func client(_ value: TOMLValue?, _ path: String, _ trust: inout TLSTrust) throws(Failure) {
    guard let value else { return }
    var pair: (String, String)?
    if let file = value.string {
      pair = (file, file)
    } else if let first = value.elements?.first {
      // One certificate is shown; with several, the first is the one that the registry was set up for.
      switch first.strings ?? [] {
      case let files where files.count == 1: pair = (files[0], files[0])
      case let files where files.count == 2: pair = (files[0], files[1].isEmpty ? files[0] : files[1])
      default: break
      }
    }
    guard let (certificate, key) = pair else {
      throw Failure(path: path, reason: "client must be a file, or pairs of certificate and key")
    }
    trust.clientCertificate = try certificates(certificate)
    trust.clientKey = try self.key(key)
  }

  /// Docker's way: `*.crt` are authorities, `NAME.cert` with `NAME.key` is the client's certificate.
  private func docker() throws(Failure) -> RegistryHost {
    var trust = TLSTrust()
    for name in BoundedFile.names(in: directory).sorted() {
      if name.hasSuffix(".crt") { trust.authorities += try certificates(name) }
      if name.hasSuffix(".cert") {
        trust.clientCertificate = try certificates(name)
        trust.clientKey = try key(name.dropLast(4) + "key")
      }
    }
    var server = Self.defaultServer(registry)
    // Certificates say that there is encryption, also on this machine.
    if !trust.authorities.isEmpty, server.hasPrefix("http://") { server = "https" + server.dropFirst(4) }
    guard let address = HTTPAddress(server) else {
      throw Failure(path: directory, reason: "\(registry) is no host")
    }
    return RegistryHost(
      api: address.appending("/v2"), capabilities: Set(RegistryHost.Capability.allCases), trust: trust,
      mirrorOf: nil, name: registry)
  }

  private func file(_ name: String) throws(Failure) -> (path: String, bytes: [UInt8]) {
    let path = name.hasPrefix("/") ? name : "\(directory)/\(name)"
    guard let bytes = BoundedFile.read(path, limit: 4 << 20) else {
      throw Failure(path: path, reason: "cannot be read")
    }
    return (path, bytes)
  }

  private func certificates(_ name: String) throws(Failure) -> [NIOSSLCertificate] {
    let (path, bytes) = try file(name)
    do { return try NIOSSLCertificate.fromPEMBytes(bytes) } catch {
      throw Failure(path: path, reason: "holds no certificates in PEM")
    }
  }

  private func key(_ name: String) throws(Failure) -> NIOSSLPrivateKey {
    let (path, bytes) = try file(name)
    do { return try NIOSSLPrivateKey(bytes: bytes, format: .pem) } catch {
      throw Failure(path: path, reason: "holds no private key in PEM")
    }
  }
}
