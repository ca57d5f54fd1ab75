import JSONDocument

/// Speaks with the hooks' status socket.
struct HooksSocket {
  private let socket: StatusSocket

  init(_ directories: HooksDirectories) {
    socket = StatusSocket(
      path: directories.statusSocket, owner: "process of the hooks",
      remedy: "start them with `nagaya up` or `nagaya serve hooks`, or name --run")
  }

  func ask(_ uri: String) async throws -> JSONValue {
    try await socket.json("GET", uri).body
  }
}
