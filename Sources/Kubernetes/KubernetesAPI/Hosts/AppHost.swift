/// An environment of a tenant: the namespace `<tenant>-<environment>`, and the site `<environment>.<tenant>.<domain>`.
///
/// Both names may contain dashes, so a namespace's name alone does not say whose it is: its labels do.
public struct TenantEnvironment: Sendable, Hashable {
  /// On a namespace: whose it is. Guarded by the Tenancy room's admission.
  public static let tenantLabel = NamespaceLabels.tenant
  /// On a namespace: which environment of its tenant it is.
  public static let environmentLabel = NamespaceLabels.environment

  public let tenant: String
  public let name: String

  /// `nil` unless both are DNS labels and the tenant's name may have hosts (`TenantNames`).
  public init?(tenant: String, name: String) {
    guard Names.isDNSLabel(tenant), Names.isDNSLabel(name), !TenantNames.isReserved(tenant) else { return nil }
    self.tenant = tenant
    self.name = name
  }

  /// The environment that a namespace is by its labels; `nil` for namespaces of no tenant, and for those whose name is
  /// not the one that the tenant's environment has (so that no two namespaces are one environment).
  public init?(namespace: KubernetesObject) {
    guard let tenant = namespace.labels[Self.tenantLabel], let name = namespace.labels[Self.environmentLabel] else {
      return nil
    }
    self.init(tenant: tenant, name: name)
    guard self.namespace == namespace.name else { return nil }
  }

  public var namespace: String { "\(tenant)-\(name)" }
}

/// The public host name of an app: `<app>.<environment>.<tenant>.<domain>`.
///
/// A tenant's hosts all lie below `<tenant>.<domain>`, so that browsers can keep tenants apart as sites.
public struct AppHost: Sendable, Hashable {
  public let app: String
  public let environment: TenantEnvironment

  /// `nil` if the app's name is no DNS label.
  public init?(app: String, in environment: TenantEnvironment) {
    guard Names.isDNSLabel(app) else { return nil }
    self.app = app
    self.environment = environment
  }

  /// Reads a host in lower case, without port and trailing dot.
  /// - Returns: `nil` for every host that cannot be an app's.
  public init?(_ host: String, below domain: String) {
    let labels = Self.labels(of: host, below: domain)
    guard labels.count == 3, let environment = TenantEnvironment(tenant: labels[2], name: labels[1]) else { return nil }
    self.init(app: labels[0], in: environment)
  }

  public func name(below domain: String) -> String {
    "\(app).\(environment.name).\(environment.tenant).\(domain)"
  }

  /// The address of the app: `https://<app>.<environment>.<tenant>.<domain>[:port]`.
  public func url(below domain: String, port: Int) -> String {
    "https://\(name(below: domain))" + (port == 443 ? "" : ":\(port)")
  }

  /// The labels of `host` left of `domain`, from left to right; none if it does not lie below it.
  public static func labels(of host: String, below domain: String) -> [String] {
    guard host.hasSuffix(".\(domain)") else { return [] }
    return host.dropLast(domain.utf8.count + 1).split(separator: ".", omittingEmptySubsequences: false).map(String.init)
  }

  /// What speaks against a platform's domain; `nil` if nothing does.
  public static func fault(ofDomain domain: String) -> String? {
    if !Names.isDNSSubdomain(domain) {
      return "must consist of lower case letters, digits, '-' and '.', and begin and end with a letter or digit"
    }
    // <app> 63, <environment> and <tenant> together 63 (a namespace's name), three dots; a host has at most 253.
    if domain.utf8.count > 120 { return "may have at most 120 characters, so that every app's host fits below it" }
    return nil
  }
}
