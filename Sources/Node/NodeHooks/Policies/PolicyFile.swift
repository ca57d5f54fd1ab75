import JSONDocument
public import KubernetesAPI
import LinuxSystem

/// A file of `NodePolicy` objects, of `Namespace` objects that say whose the namespaces are (`nagaya.dev/tenant`), and of
/// volumes and their classes, as YAML documents; for machines whose cluster does not know policies.
public struct PolicyFile: Sendable, Hashable {
  public let policies: [NodePolicy]
  /// Tenants by their namespaces.
  public let owners: [String: String]
  /// PersistentVolumes, StorageClasses and VolumeAttributesClasses.
  private let volumes: [KubernetesObject]

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
    var volumes: [KubernetesObject] = []
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
      case ("PersistentVolume", "v1"): volumes.append(object)
      case ("StorageClass", "storage.k8s.io/v1"), ("VolumeAttributesClass", "storage.k8s.io/v1"):
        try Self.check(object)
        volumes.append(object)
      default:
        throw Fault(
          description:
            "\(object.apiVersion) \(object.kind) \(object.name) is neither a NodePolicy (nagaya.dev/v1alpha1), "
            + "a Namespace or a PersistentVolume (v1), nor a StorageClass or a VolumeAttributesClass (storage.k8s.io/v1)"
        )
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
    self.volumes = volumes
  }

  /// The API server would not take it either: a mistyped limit limits nothing.
  private static func check(_ object: KubernetesObject) throws(Fault) {
    let isMutable = object.kind == "VolumeAttributesClass"
    guard object[isMutable ? "driverName" : "provisioner"].string == VolumeParameters.driver else { return }
    for (name, value) in object["parameters"].members where value.string == nil {
      throw Fault(
        description: "\(object.kind) \(object.name): parameter \"\(name.prefix(128))\" must be a text in quotes")
    }
    if let fault = VolumeParameters.faults(object["parameters"].strings, isMutable: isMutable).first {
      throw Fault(description: "\(object.kind) \(object.name): \(fault)")
    }
  }

  /// Puts it in the place of what a source had.
  public func use(in source: PolicySource) {
    source.use(owners: owners, isComplete: true)
    source.use(volumes: volumes)
    source.use(PolicySet(policies))
  }
}
