import JSONDocument
public import KubernetesAPI
import LinuxSystem

/// A file of `NodePolicy` objects, and of `Namespace` objects that say whose the namespaces are (`nagaya.dev/tenant`), as YAML
/// documents; for machines whose cluster does not know policies.
public struct PolicyFile: Sendable, Hashable {
  public let policies: [NodePolicy]
  /// Tenants by their namespaces.
  public let owners: [String: String]

  /// Bytes of a file; a thousand policies are a third of it.
  static let limit = 4 << 20

  /// Why a file is not used.
  public struct Fault: Error, Hashable, CustomStringConvertible {
    public let description: String
  }

  public init(path: String) throws(Fault) {
    let bytes: [UInt8]
    do throws(SystemError) { bytes = try SmallFile.read(path, limit: Self.limit + 1) } catch {
      throw Fault(description: "policies can't be read: \(error)")
    }
    guard bytes.count <= Self.limit else {
      throw Fault(description: "\(path) has more than \(Self.limit) bytes")
    }
    do throws(Fault) { try self.init(text: String(decoding: bytes, as: UTF8.self)) } catch {
      throw Fault(description: "\(path): \(error)")
    }
  }

  public init(text: String) throws(Fault) {
    let documents: [JSONValue]
    do throws(YAML.Failure) { documents = try YAML.parseAll(text, limits: JSONLimits(bytes: Self.limit)) } catch {
      throw Fault(description: error.description)
    }
    var policies: [NodePolicy] = []
    var owners: [String: String] = [:]
    for object in documents.flatMap({ $0["kind"].string == "List" ? $0["items"].elements : [$0] }).map(
      KubernetesObject.init(json:))
    {
      switch (object.kind, object.apiVersion) {
      case ("NodePolicy", "nagaya.dev/v1alpha1"):
        guard Names.isDNSSubdomain(object.name) else {
          throw Fault(description: "a NodePolicy has no name (metadata.name)")
        }
        do throws(NodePolicy.Faults) { policies.append(try NodePolicy(object)) } catch {
          throw Fault(description: error.description)
        }
      case ("Namespace", "v1"): owners[object.name] = object.labels[NamespaceLabels.tenant]
      default:
        throw Fault(
          description:
            "\(object.apiVersion) \(object.kind) \(object.name) is neither a NodePolicy (nagaya.dev/v1alpha1) "
            + "nor a Namespace (v1)")
      }
    }
    let names = policies.map(\.name)
    if let double = Dictionary(grouping: names, by: \.self).first(where: { $1.count > 1 })?.key {
      throw Fault(description: "node policy \(double) is there twice")
    }
    // A bound for a tenant that has no namespace here bounds nobody, and whoever wrote it believes otherwise.
    let known = Set(owners.values)
    for policy in policies {
      for tenant in policy.match.tenants.sorted() where !known.contains(tenant) {
        throw Fault(
          description:
            "node policy \(policy.name) is for tenant \(tenant), of which no Namespace is in the file: add one "
            + "with the label \(NamespaceLabels.tenant): \(tenant), or match by namespaces")
      }
    }
    self.policies = policies
    self.owners = owners
  }

  /// Puts it in the place of what a source had.
  public func use(in source: PolicySource) {
    source.use(owners: owners, isComplete: true)
    source.use(PolicySet(policies))
  }
}
