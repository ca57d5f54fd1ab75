public import ServiceLifecycle

/// Runs services side by side until all are asked to end. The first that fails, or that ends without being asked, ends them all:
/// a loop that is no more does its work no more, and nobody would notice until something is missing.
public struct ServiceSet: Service {
  /// A service has ended though nobody asked it to.
  public struct Ended: Error, CustomStringConvertible {
    /// Its type.
    public let service: String
    public var description: String { "\(service) has ended though nobody asked it to" }
  }

  private let services: [any Service]

  public init(_ services: [any Service]) { self.services = services }

  /// - Throws: what a service throws, or `Ended`.
  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for service in services {
        group.addTask {
          try await service.run()
          if !Task.isCancelled, !Task.isShuttingDownGracefully { throw Ended(service: "\(type(of: service))") }
        }
      }
      // One after the other as they end: `waitForAll` would tell of a failure only when all the others have ended.
      while try await group.next() != nil {}
    }
  }
}
