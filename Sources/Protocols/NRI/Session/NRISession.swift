public import TTRPC

/// One connection of a plugin with a runtime, from its registration to its end.
public struct NRISession: Sendable {
  /// Numbers of the logical connections (NRI's pkg/net/multiplex).
  static let pluginConnection: UInt32 = 1
  static let runtimeConnection: UInt32 = 2

  private let identity: NRIIdentity
  private let handler: any NRIHandling
  /// The runtime waits 5 seconds for a registration, if nobody has told it otherwise.
  private let registrationLimit: Duration

  public init(_ identity: NRIIdentity, handler: any NRIHandling, registrationLimit: Duration = .seconds(5)) {
    self.identity = identity
    self.handler = handler
    self.registrationLimit = registrationLimit
  }

  /// Registers and answers until the connection ends, or the task is cancelled. It never connects anew.
  /// - Parameter connected: runs beside while the connection lasts, with what can be asked of the runtime; it is cancelled at
  ///   the end.
  /// - Throws: `TTRPCError` if the runtime does not take the plugin, or what is said is no protocol any more.
  public func run(
    _ connection: any DuplexConnection,
    whenRegistered connected: @escaping @Sendable (NRIRuntime) async -> Void = { _ in }
  ) async throws {
    let trunk = Trunk(connection, numbers: [Self.pluginConnection, Self.runtimeConnection])
    let client = TTRPCClient(trunk.connection(Self.runtimeConnection))
    let server = TTRPCServer([NRIPluginService(handler).service])
    let plugin = trunk.connection(Self.pluginConnection)
    let (identity, limit) = (identity, registrationLimit)
    try await withTaskCancellationHandler {
      try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
          defer { trunk.close() }
          try await trunk.run()
          return true
        }
        group.addTask {
          defer { trunk.close() }
          try await server.serve(plugin)
          return true
        }
        group.addTask {
          defer { trunk.close() }
          try await client.run()
          return true
        }
        group.addTask {
          do { try await NRIRuntime(client: client).register(identity, timeout: limit) } catch {
            trunk.close()
            throw error
          }
          await connected(NRIRuntime(client: client))
          return false
        }
        // The first of the three to end, ends all; what `connected` does may end before.
        var failure: (any Error)?
        while let result = await group.nextResult() {
          switch result {
          case .success(false): continue
          case .success(true): group.cancelAll()
          case .failure(let error):
            if failure == nil { failure = error }
            group.cancelAll()
          }
        }
        try Task.checkCancellation()
        if let failure { throw failure }
      }
    } onCancel: {
      trunk.close()
    }
  }
}
