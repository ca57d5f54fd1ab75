import AsyncHTTPClient
import Foundation
import JSONDocument
import Logging
import NIOCore

/// Asks the runtime's hooks whether limits of running containers have changed: one small question to a unix socket every few
/// seconds, whatever the number of pods. What containers are made with, the runtime says.
struct HookLimitsWatch: Sendable {
  struct Limits: Sendable, Hashable {
    let podUID: String
    let containerID: String
    let lines: [String]
  }

  let socket: String
  let logger: Logger
  let tell: @Sendable (Limits) async -> Void

  private static let interval = Duration.seconds(3)
  /// Far more than the containers of a node take.
  private static let mostBytes = 64 << 20

  init(socket: String, logger: Logger, tell: @escaping @Sendable (Limits) async -> Void) {
    self.socket = socket
    self.logger = logger
    self.tell = tell
  }

  func run() async {
    var version = ""
    var failed = false
    while (try? await Task.sleep(for: Self.interval)) != nil {
      do {
        let answer = try await ask(after: version)
        for limits in Self.limits(answer) { await tell(limits) }
        // What was told before the version was kept is told again: nothing is missed.
        version = answer["version"].string ?? ""
        failed = false
      } catch {
        if Task.isCancelled { return }
        // They may be on their way up or down; what pods have meanwhile stays as it is.
        if !failed { logger.info("the hooks don't say what they changed", metadata: ["error": "\(error)"]) }
        failed = true
      }
    }
  }

  private func ask(after version: String) async throws -> JSONValue {
    guard version.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }),
      let url = URL(httpURLWithSocketPath: socket, uri: "/v1/limits?after=\(version)")
    else { return .null }
    let response = try await HTTPClient.shared.execute(
      HTTPClientRequest(url: url.absoluteString), timeout: .seconds(30))
    let body = try await response.body.collect(upTo: Self.mostBytes)
    return try JSONValue(parsing: Array(body.readableBytesView), limits: JSONLimits(bytes: Self.mostBytes))
  }

  static func limits(_ answer: JSONValue) -> [Limits] {
    answer["containers"].elements.compactMap { item in
      guard let pod = item["podUID"].string, let container = item["id"].string else { return nil }
      return Limits(podUID: pod, containerID: container, lines: item["limits"].elements.compactMap(\.string))
    }
  }
}
