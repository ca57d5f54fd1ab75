import AsyncHTTPClient
import Foundation
import JSONDocument
import NIOCore

/// Speaks with the hooks' status socket.
struct HooksSocket {
  private let path: String

  init(_ directories: HooksDirectories) { path = directories.statusSocket }

  func ask(_ uri: String) async throws -> JSONValue {
    guard FileManager.default.fileExists(atPath: path) else {
      throw CommandFailure(
        "no hooks serve \(path)", remedy: "start them with `nagaya up` or `nagaya serve hooks`, or name --run")
    }
    guard let url = URL(httpURLWithSocketPath: path, uri: uri) else {
      throw CommandFailure("\(path) is no path of a socket", remedy: "name another --run")
    }
    do {
      let response = try await HTTPClient.shared.execute(
        HTTPClientRequest(url: url.absoluteString), timeout: .seconds(30))
      let body = try await response.body.collect(upTo: 64 << 20)
      return try JSONValue(parsing: Array(body.readableBytesView), limits: JSONLimits(bytes: 64 << 20))
    } catch {
      throw CommandFailure("the hooks do not answer on \(path): \(error)", remedy: "see whether they run")
    }
  }
}
