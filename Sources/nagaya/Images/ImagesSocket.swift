import AsyncHTTPClient
import Foundation
import JSONDocument
import NIOCore

/// Speaks with the snapshotter's status socket.
struct ImagesSocket {
  private let path: String

  init(_ directories: ImagesDirectories) { path = "\(directories.runDirectory)/status.sock" }

  func report() async throws -> JSONValue { try await ask("GET", "/v1/images") }

  func calls() async throws -> JSONValue { try await ask("GET", "/v1/calls") }

  func collect(keepBytes: Int64) async throws -> JSONValue { try await ask("POST", "/v1/gc?keep=\(keepBytes)") }

  private func ask(_ method: String, _ uri: String) async throws -> JSONValue {
    guard FileManager.default.fileExists(atPath: path) else {
      throw CommandFailure(
        "no snapshotter serves \(path)", remedy: "start it with `nagaya up` or `nagaya serve images`, or name --run")
    }
    guard let url = URL(httpURLWithSocketPath: path, uri: uri) else {
      throw CommandFailure("\(path) is no path of a socket", remedy: "name another --run")
    }
    var request = HTTPClientRequest(url: url.absoluteString)
    request.method = .RAW(value: method)
    do {
      let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
      let body = try await response.body.collect(upTo: 256 << 20)
      let json = try JSONValue(parsing: Array(body.readableBytesView), limits: JSONLimits(bytes: 256 << 20))
      guard response.status == .ok else {
        throw CommandFailure(json["message"].string ?? "the snapshotter answered \(response.status)", remedy: "")
      }
      return json
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(
        "the snapshotter does not answer on \(path): \(error)", remedy: "see whether it runs: `nagaya status`")
    }
  }
}
