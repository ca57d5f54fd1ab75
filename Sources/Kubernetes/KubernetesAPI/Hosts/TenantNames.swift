/// Names that no tenant may have, since `<name>.<domain>` is or may become a host of the platform itself, or means
/// something to programs that look hosts up.
///
/// A tenant owns everything at and below `<tenant>.<domain>`: certificates, and cookies for `Domain=<tenant>.<domain>`.
public enum TenantNames {
  public static let reserved: Set<String> = [
    // The platform's own hosts, now and later.
    "nagaya", "platform", "portal", "console", "dashboard", "api", "apis", "apiserver", "edge", "proxy", "metrics",
    "logs", "git", "registry", "images", "storage", "status", "docs", "doc", "help", "support", "static", "assets",
    "cdn", "www",
    // Where people give their passwords.
    "account", "accounts", "admin", "administrator", "auth", "id", "idp", "login", "logout", "oauth", "oidc", "root",
    "secure", "security", "signin", "signup", "sso",
    // What programs look up by themselves.
    "autoconfig", "autodiscover", "broadcasthost", "dns", "ftp", "imap", "ip6-localhost", "ip6-loopback", "isatap",
    "ldap", "mail", "mx", "ns", "ns1", "ns2", "ns3", "ns4", "ntp", "pop", "pop3", "smtp", "ssh", "vpn", "webmail",
    "wpad", "mta-sts",
    // Names of the machine itself, and of Kubernetes' parts.
    "cluster", "internal", "kube", "kubernetes", "local", "localdomain", "localhost", "system",
  ]

  public static func isReserved(_ name: String) -> Bool { fault(of: name) != nil }

  /// What speaks against a tenant of that name; `nil` if nothing does.
  public static func fault(of name: String) -> String? {
    if reserved.contains(name) { return "is reserved for the platform: its hosts would end in \(name).<domain>" }
    // RFC 5890 section 2.3.1: such labels are read as another script's letters, and may look like another tenant.
    if name.utf8.count > 3, Array(name.utf8)[2...3].elementsEqual([0x2D, 0x2D]) {
      return "has '--' in third and fourth place, which marks names that are shown in other letters (as xn-- does)"
    }
    return nil
  }
}
