public import KubernetesAPI
public import Logging

extension KubernetesClient {
  /// Does what a part begins with, again and again while no server can be reached, or one says that it cannot answer now: a part that
  /// ended then would take along what it does for others, and what it is to begin with stays the same.
  /// - Parameters:
  ///   - what: for the log.
  ///   - act: idempotent; it may have happened though its answer was lost.
  /// - Throws: a refusal of the server's; `CancellationError`.
  public func begin<Result: Sendable>(
    _ what: String, logger: Logger, isolation: isolated (any Actor)? = #isolation, _ act: () async throws -> Result
  ) async throws -> Result {
    var pause = Duration.milliseconds(50)
    var isSaid = false
    while true {
      do { return try await act() } catch let status as APIStatus where status.mayPass {
        if !isSaid { logger.warning("\(what) waits for the API server", metadata: ["error": "\(status)"]) }
        isSaid = true
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, .seconds(2))
    }
  }
}

extension APIStatus {
  /// Whether the same request may be answered later: the server is away, or has too much to do.
  public var mayPass: Bool { code >= 500 || code == 429 || code == 408 }
}
