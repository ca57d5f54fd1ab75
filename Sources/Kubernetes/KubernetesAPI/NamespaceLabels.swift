/// Labels by which the platform's parts know whose a namespace is. Only administrators and the tenancy controller may
/// write them.
public enum NamespaceLabels {
  /// The name of the tenant that the namespace is of.
  public static let tenant = "nagaya.dev/tenant"
  /// Which environment of its tenant it is.
  public static let environment = "nagaya.dev/environment"
  /// How far the network of its pods reaches: `connected` is all connected environments of the tenant, anything else
  /// the environment alone.
  public static let network = "nagaya.dev/network"
  /// The value of `network` for an environment that its tenant connects with others.
  public static let connected = "connected"
}
