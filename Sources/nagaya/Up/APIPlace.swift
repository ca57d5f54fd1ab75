import ArgumentParser
import CertificateAuthority
import LinuxSystem

/// Where the API of an instance is reached, and by which names: by its own parts at the loopback address, by others as
/// `--api-address` and `--api-name` say.
struct APIPlace: Sendable, Hashable {
  static let loopback = "127.0.0.1"

  /// What the API listens on besides the loopback address; `nil`: nothing.
  let address: String?
  /// Host names and addresses, as they were given.
  private let names: [String]
  private let port: Int

  init(_ options: PlatformOptions) {
    address = options.apiAddress
    names = options.apiName
    port = options.apiPort
  }

  /// - Throws: `ValidationError` for what nobody could call the API by.
  func validate() throws {
    if let address {
      guard LeafRequest.isAddress(address) else {
        throw ValidationError(
          "--api-address \(address) is no address: give one of this machine (ip address shows them)")
      }
      // At the pods' gateway another one answers on the same port, and to those alone who may call.
      guard !LeafRequest.isEveryAddress(address) else {
        throw ValidationError(
          "--api-address \(address) is every address: give the one at which others reach this machine")
      }
      guard address != Self.loopback else {
        throw ValidationError("--api-address \(address): the API always listens there; leave the option out")
      }
    }
    for name in names where !LeafRequest.isAddress(name) && !LeafRequest.isHostName(name) {
      throw ValidationError("--api-name \(name) is neither a host name nor an address")
    }
  }

  /// Host names that its certificate is to have.
  var hostNames: [String] { names.filter { !LeafRequest.isAddress($0) }.map { $0.lowercased() } }
  /// Addresses that its certificate is to have, besides the loopback address.
  var addresses: [String] { (address.map { [$0] } ?? []) + names.filter(LeafRequest.isAddress) }

  /// By which its own parts reach it.
  static func localServer(port: Int) -> String { server(loopback, port: port) }
  /// By which users reach it from elsewhere; `nil` if they do not.
  var publicServer: String? { (names.first ?? address).map { Self.server($0, port: port) } }

  private static func server(_ host: String, port: Int) -> String {
    "https://\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }

  /// - Parameter authority: of the API's certificates, whose root says which names it vouches for.
  /// - Throws: `CommandFailure` if clients would not accept a certificate with the names that were asked for.
  func check(vouchedForBy authority: CertificateAuthority) throws {
    let vouched = Set(authority.permitted(hostNames))
    guard let missing = hostNames.first(where: { !vouched.contains($0) }) else { return }
    throw CommandFailure(
      "--api-name \(missing): the authority of the API's certificates was made for other names",
      remedy:
        "name the API by an address (--api-name ADDRESS), for which it vouches always; or have a new authority made: "
        + "nagaya down, move pki/api in the state directory away, nagaya up. All kubeconfigs are to be made anew then")
  }
}
