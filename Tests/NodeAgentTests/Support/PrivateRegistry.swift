import Foundation
import Hummingbird
import JSONDocument
import KubernetesAPI
import LinuxSystem
import Logging

@testable import NodeAgent

/// A registry that serves the images of one OCI archive to one user (OCI distribution specification, pulls only).
struct PrivateRegistry: Sendable {
  let port: Int
  private static let (user, password) = ("member", "let me: in")

  var image: String { "127.0.0.1:\(port)/private/box:1" }

  /// The value of `.dockerconfigjson` in a secret.
  var dockerConfiguration: String {
    Base64.encode(
      #"{"auths": {"http://127.0.0.1:\#(port)": {"auth": "\#(Base64.encode("\(Self.user):\(Self.password)".utf8))"}}}"#
        .utf8)
  }

  /// Serves until the body has returned.
  static func serving(archive: String, _ body: @escaping @Sendable (PrivateRegistry) async throws -> Void) async throws
  {
    let layout = "\(archive).layout"
    try Directory.make(layout)
    defer { try? Directory.removeTree(layout) }
    try await Command.run("/usr/bin/tar", ["-xf", archive, "-C", layout])
    let index = try JSONValue(parsing: try SmallFile.read("\(layout)/index.json"))
    let newest = index["manifests"][0]["digest"].string ?? ""
    let type = index["manifests"][0]["mediaType"].string ?? ""
    let allowed = "Basic \(Base64.encode("\(user):\(password)".utf8))"

    let router = Router()
    for method in [HTTPRequest.Method.get, .head] {
      router.on("/v2/**", method: method) { request, _ in
        guard request.headers[.authorization] == allowed else {
          return Response(status: .unauthorized, headers: [.wwwAuthenticate: "Basic realm=\"test\""])
        }
        let parts = request.uri.path.split(separator: "/")
        guard let last = parts.last, parts.count > 3 else { return Response(status: .ok) }
        let digest = last == "1" ? newest : String(last)
        let bytes = try SmallFile.read("\(layout)/blobs/sha256/\(digest.dropFirst("sha256:".count))")
        return Response(
          status: .ok,
          headers: [
            .contentType: digest == newest ? type : "application/octet-stream", .contentLength: String(bytes.count),
          ], body: method == .head ? .init() : .init(byteBuffer: ByteBuffer(bytes: bytes)))
      }
    }
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    var logger = Logger(label: "registry")
    logger.logLevel = .critical
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      defer { group.cancelAll() }
      for await port in ports {
        try await body(PrivateRegistry(port: port))
        break
      }
    }
  }
}
