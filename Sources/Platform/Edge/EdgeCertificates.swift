public import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
public import KubernetesClient

/// Certificates of apps' hosts, which the API server signs: the edge has no key but its own.
public struct EdgeCertificates: LeafSigning {
  /// Why the API's answer is none.
  public struct Unreadable: Error, CustomStringConvertible {
    public var description: String { "the API answered a certificate request with something else" }
  }

  private let client: KubernetesClient

  public init(client: KubernetesClient) { self.client = client }

  public func sign(host: String, request: String) async throws -> String {
    let object: JSONValue = [
      "apiVersion": "edge.nagaya.dev/v1", "kind": "Certificate",
      "spec": ["host": .string(host), "request": .string(request)],
    ]
    let answer = try await client.bytes(
      APIRequest(
        .post, "/apis/edge.nagaya.dev/v1/certificates", contentType: "application/json", body: object.encoded()))
    guard let certificate = try JSONValue(parsing: answer)["status"]["certificate"].string else { throw Unreadable() }
    return certificate
  }
}
