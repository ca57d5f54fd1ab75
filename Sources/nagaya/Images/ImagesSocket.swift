import JSONDocument

/// Speaks with the snapshotter's status socket.
struct ImagesSocket {
  private static let limit = 256 << 20
  private let socket: StatusSocket

  init(_ directories: ImagesDirectories) {
    socket = StatusSocket(
      path: "\(directories.runDirectory)/status.sock", owner: "snapshotter",
      remedy: "start it with `nagaya up` or `nagaya serve images`, or name --run")
  }

  func report() async throws -> JSONValue { try await ask("GET", "/v1/images") }

  func calls() async throws -> JSONValue { try await ask("GET", "/v1/calls") }

  func collect(keepBytes: Int64) async throws -> JSONValue { try await ask("POST", "/v1/gc?keep=\(keepBytes)") }

  private func ask(_ method: String, _ uri: String) async throws -> JSONValue {
    let (status, json) = try await socket.json(method, uri, limit: Self.limit)
    guard status == 200 else {
      throw CommandFailure(json["message"].string ?? "the snapshotter answered \(status)", remedy: "")
    }
    return json
  }
}
