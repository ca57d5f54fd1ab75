import BoundedNumbers
import JSONDocument
import KubernetesAPI

/// An Application (nagaya.dev/v1alpha1) as its controller reads it, with defaults filled in.
public struct Application: Sendable {
  /// A volume of an Application: one PersistentVolumeClaim, mounted in every pod.
  public struct Volume: Sendable, Hashable {
    public let name: String
    public let mountPath: String
    /// As the user wrote it: `1Gi`.
    public let size: String
    public let storageClassName: String?
  }

  /// The files of an image, to read only.
  public struct ImageVolume: Sendable, Hashable {
    /// Of the volume in the pod; no other volume of the app has it.
    public let name: String
    public let mountPath: String
    public let image: String
    public let subPath: String?
    public let pullPolicy: String?
  }

  /// What becomes of volumes that the Application no longer has, and of all when it is deleted.
  public enum VolumeRetention: String, Sendable {
    case delete = "Delete"
    case retain = "Retain"
  }

  /// The label by which everything that belongs to an Application is found; its value is the Application's name.
  public static let nameLabel = "app.nagaya.dev/name"
  /// On a claim: the name of the volume in the Application.
  public static let volumeLabel = "app.nagaya.dev/volume"
  /// On a claim that the Application no longer names: since when (RFC 3339).
  public static let unusedSinceAnnotation = "app.nagaya.dev/unused-since"
  /// Held while an Application has claims, so that retained ones are let go before the owner is gone.
  public static let volumesFinalizer = "nagaya.dev/volumes"

  public let object: KubernetesObject

  public init(_ object: KubernetesObject) { self.object = object }

  public var name: String { object.name }
  public var namespace: String { object.namespace }
  public var image: String { object.spec["image"].string ?? "" }
  public var port: Int { object.spec["port"].int.map { $0.clamped(to: 1...65535) } ?? 8080 }
  public var replicas: Int { object.spec["replicas"].count ?? 1 }
  public var readinessPath: String? { object.spec["readiness"]["path"].string }
  public var volumeRetention: VolumeRetention {
    object.spec["volumeRetention"].string.flatMap(VolumeRetention.init(rawValue:)) ?? .delete
  }
  public var volumes: [Volume] {
    object.spec["volumes"].elements.compactMap { volume in
      guard let name = volume["name"].string, let path = volume["mountPath"].string else { return nil }
      return Volume(
        name: name, mountPath: path, size: volume["size"].string ?? volume["size"].int.map(String.init) ?? "",
        storageClassName: volume["storageClassName"].string)
    }
  }

  public var imageVolumes: [ImageVolume] {
    let taken = Set(volumes.map(\.name))
    var number = 0
    return object.spec["imageVolumes"].elements.compactMap { volume in
      guard let path = volume["mountPath"].string, let image = volume["image"].string else { return nil }
      repeat { number += 1 } while taken.contains("image-\(number)")
      return ImageVolume(
        name: "image-\(number)", mountPath: path, image: image, subPath: volume["subPath"].string,
        pullPolicy: volume["pullPolicy"].string)
    }
  }

  /// `https://<app>.<environment>.<tenant>.<domain>[:port]`; `nil` in a namespace that is no environment of a tenant.
  /// - Parameter namespace: the Application's namespace.
  public func endpoint(_ address: PublicAddress, in namespace: KubernetesObject?) -> String? {
    namespace.flatMap(TenantEnvironment.init(namespace:)).flatMap { AppHost(app: name, in: $0) }?
      .url(below: address.domain, port: address.port)
  }

  func claimName(_ volume: String) -> String { "\(name)-\(volume)" }

  /// The object belongs to this very Application (by uid: one of the same name may have been there before).
  func owns(_ other: KubernetesObject) -> Bool { other.controller?.uid == object.uid }

  /// The claim is ours, or was left by an Application of this name that retained its volumes.
  func mayUse(claim: KubernetesObject) -> Bool {
    owns(claim) || (claim.controller == nil && claim.labels[Self.nameLabel] == name)
  }
}

/// Where users reach the platform: the edge's domain and port.
public struct PublicAddress: Sendable, Hashable {
  public var domain: String
  public var port: Int

  public init(domain: String, port: Int) {
    self.domain = domain
    self.port = port
  }
}
