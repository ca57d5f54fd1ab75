import NIOHTTP1
import OCI

/// One call of the distribution API, before it is known which host gets it.
struct RegistryRequest: Sendable {
  var method = HTTPMethod.GET
  var capability = RegistryHost.Capability.pull
  /// Below `/v2/<repository>`: `/blobs/sha256:…`.
  var path: String
  /// Where the host wants it, if it said so (a started upload); instead of `path`.
  var location: String?
  /// Encoded.
  var query: [String] = []
  /// Sent to hosts that we are sent to as well: they say what is wanted, not who wants it.
  var headers = HTTPHeaders()
  var body: [UInt8] = []
  var actions = "pull"
  /// For errors: a digest or tag.
  var reference: String
  var urgency = FetchUrgency.demand
  /// Under which the address that a host sends us to is kept, for blobs.
  var blob: Digest?
}
