import AsyncHTTPClient
import Foundation
import JSONDocument
import NIOCore

/// HTTP over a unix socket of a process of this machine.
struct StatusSocket: Sendable {
  let path: String
  /// Who serves it, and what helps where nobody does.
  let owner: String
  let remedy: String

  /// The answer as JSON.
  func json(_ method: String, _ uri: String, limit: Int = 64 << 20) async throws -> (status: Int, body: JSONValue) {
    let (status, body) = try await ask(method, uri, limit: limit)
    do { return (status, try JSONValue(parsing: body, limits: JSONLimits(bytes: limit))) } catch {
      throw CommandFailure(
        "what the \(owner) answers on \(path) is no JSON: \(error)", remedy: "see whether it is of the same version")
    }
  }

  /// - Parameter limit: bytes that an answer may have.
  /// - Throws: `CommandFailure` where nobody serves the socket, or does not answer within 30 s.
  func ask(_ method: String, _ uri: String, limit: Int = 64 << 20) async throws -> (status: Int, body: [UInt8]) {
    guard FileManager.default.fileExists(atPath: path) else {
      throw CommandFailure("no \(owner) serves \(path)", remedy: remedy)
    }
    guard let url = URL(httpURLWithSocketPath: path, uri: uri) else {
      throw CommandFailure("\(path) is no path of a socket", remedy: "name another --run")
    }
    var request = HTTPClientRequest(url: url.absoluteString)
    request.method = .RAW(value: method)
    do {
      let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
      let body = try await response.body.collect(upTo: limit)
      return (Int(response.status.code), Array(body.readableBytesView))
    } catch {
      throw CommandFailure(
        "the \(owner) does not answer on \(path): \(error)", remedy: "see whether it runs: `nagaya status`")
    }
  }
}
