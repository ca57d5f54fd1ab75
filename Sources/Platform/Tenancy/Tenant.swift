import JSONDocument
import KubernetesAPI

/// A Tenant (nagaya.dev/v1alpha1) as its controller reads it.
public struct Tenant: Sendable {
  public enum Role: String, Sendable, Hashable, CaseIterable {
    case admin
    case edit
    case view
  }

  public struct Member: Sendable, Hashable {
    /// `User` or `Group`.
    public let kind: String
    public let name: String
    public let role: Role
  }

  /// On a namespace: whose it is. Guarded by `TenantAdmission`.
  public static let label = NamespaceLabels.tenant
  /// On a namespace: which environment of its tenant it is.
  public static let environmentLabel = NamespaceLabels.environment
  /// Keeps a Tenant until its namespaces are gone.
  public static let finalizer = "nagaya.dev/tenant"
  /// On a Tenant that is being deleted: its name, to delete its namespaces with all that is in them.
  public static let confirmDeletionAnnotation = "nagaya.dev/confirm-deletion"

  public let object: KubernetesObject

  public init(_ object: KubernetesObject) { self.object = object }

  public var name: String { object.name }
  public var environments: [String] { object.spec["environments"].elements.compactMap(\.string) }
  public var members: [Member] {
    object.spec["members"].elements.compactMap { member in
      guard let name = member["name"].string, let role = member["role"].string.flatMap(Role.init(rawValue:)) else {
        return nil
      }
      return Member(kind: member["kind"].string ?? "User", name: name, role: role)
    }
  }
  /// Hard limits of each environment, as in a ResourceQuota; empty: none.
  public var quota: [String: JSONValue] { object.spec["quota"]["hard"].members }

  /// Bounds of each container, as in an element of a LimitRange; empty: none.
  public var limits: [String: JSONValue] { object.spec["limits"].members }
  /// What pods of an environment may ask for; `nil`: the tenant does not say.
  public func podSecurity(of environment: String) -> PodSecurityLevel? {
    let said = object.spec["podSecurity"]
    return (said["environments"][environment].string ?? said["level"].string).flatMap(PodSecurityLevel.init(rawValue:))
  }

  /// Environments whose pods may reach each other; every other one is alone.
  public var connectedEnvironments: [String] { object.spec["connectedEnvironments"].elements.compactMap(\.string) }

  public func namespace(of environment: String) -> String { "\(name)-\(environment)" }

  /// Deletion with everything inside has been confirmed.
  public var isDeletionConfirmed: Bool { object.annotations[Self.confirmDeletionAnnotation] == name }

  /// The namespace is this tenant's: by its label, never by its name, since `a-b-c` may be of `a` or of `a-b`.
  public func owns(_ namespace: KubernetesObject) -> Bool { namespace.labels[Self.label] == name }
}
