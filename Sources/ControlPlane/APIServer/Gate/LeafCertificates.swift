public import CertificateAuthority
import Foundation
import JSONDocument
public import KubernetesAPI
public import KubernetesClient
import Locking

/// Signs certificates of apps' hosts for whoever may create `edge.nagaya.dev/certificates`: the edge, whose key stays with it as
/// the authority's stays here. What is signed is not stored.
public final class LeafCertificates: VirtualResourceHandling {
  /// `spec.host`, `spec.request` (PKCS #10 as PEM); answered with `status.certificate` (PEM).
  public static let resource = Resource(
    group: "edge.nagaya.dev", version: "v1", plural: "certificates", kind: "Certificate", isNamespaced: false)

  private let names: LeafNames
  private let lifetime: TimeInterval
  private let authorizer: any Authorizing
  private let authority: Mutex<CertificateAuthority>

  /// - Parameters:
  ///   - domain: whose hosts are signed for.
  ///   - lifetime: of certificates, in seconds.
  public init(_ authority: CertificateAuthority, domain: String, lifetime: TimeInterval, authorizer: any Authorizing) {
    self.authority = Mutex(authority)
    self.lifetime = lifetime
    self.authorizer = authorizer
    names = LeafNames(domain: domain)
  }

  /// Signs by this one from now on: it has a new root.
  public func use(_ authority: CertificateAuthority) { self.authority.withLock { $0 = authority } }

  public func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse? {
    let resource = Self.resource
    guard request.path == resource.path() else { return nil }
    do throws(APIStatus) {
      let object = try request.virtualObject(resource)
      try await authorizer.require(
        AccessAttributes(
          user: user, verb: "create", group: resource.group, version: resource.version, resource: resource.plural))
      let host = object["spec"]["host"].string ?? ""
      guard let name = names.certificateName(forHost: host) else {
        throw .invalid(
          resource, "",
          [
            .init(
              .invalid, field: "spec.host", message: "must be a host of \(names.domain), at most three labels below it")
          ])
      }
      let signer = authority.withLock { $0 }
      let certificate: String
      do {
        certificate = try signer.sign(
          .server(commonName: name, dnsNames: [name], ipAddresses: []), request: object["spec"]["request"].string ?? "",
          lifetime: lifetime)
      } catch {
        throw .invalid(resource, "", [.init(.invalid, field: "spec.request", message: "\(error)")])
      }
      let answer: JSONValue = [
        "apiVersion": "edge.nagaya.dev/v1", "kind": .string(resource.kind), "metadata": [:],
        "spec": ["host": .string(host)],
        "status": ["certificate": .string(certificate)],
      ]
      return APIResponse(status: 201, body: .bytes(answer.encoded()))
    } catch {
      return FrontExchange.answer(error)
    }
  }
}
