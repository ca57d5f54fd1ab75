public import ServiceLifecycle

/// Runs services side by side until all are asked to end. The first that fails, or that ends without being asked, ends them all:
/// a loop that is no more does its work no more, and nobody would notice until something is missing.
public struct ServiceSet: Service {
  /// A service has ended though nobody asked it to.
  public struct Ended: Error, CustomStringConvertible {
    /// Its type, or what it does.
    public let service: String
    public var description: String { "\(service) has ended though nobody asked it to" }
  }

  private let services: [any Service]

  public init(_ services: [any Service]) { self.services = services }

  /// - Throws: what a service throws, or `Ended`.
  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for service in services { group.addLoop("\(type(of: service))") { try await service.run() } }
      try await group.endWithFirst()
      try Task.checkCancellation()
    }
  }
}

extension ThrowingTaskGroup<Void, any Error> {
  /// Adds what should run until the group is cancelled or services are asked to end; the group fails with `ServiceSet.Ended` if it
  /// ends before. What it throws when it was asked to end tells nobody anything.
  public mutating func addLoop(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
    addTask {
      do { try await body() } catch { if !Self.isAskedToEnd { throw error } }
      if !Self.isAskedToEnd { throw ServiceSet.Ended(service: name) }
    }
  }

  private static var isAskedToEnd: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

  /// Waits for all; throws as soon as one has failed, where `waitForAll` would tell of it only when all the others have ended.
  public mutating func endWithFirst(isolation: isolated (any Actor)? = #isolation) async throws {
    while try await next(isolation: isolation) != nil {}
  }
}
