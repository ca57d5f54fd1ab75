import TTRPC

/// What a plugin may ask of the runtime that it is connected with.
public struct NRIRuntime: Sendable {
  static let service = "nri.pkg.api.v1alpha1.Runtime"
  /// The version of the interface that we were written against.
  static let version = "v0.12.0"

  let client: TTRPCClient

  func register(_ identity: NRIIdentity, timeout: Duration) async throws {
    let request = NRIRegisterPluginRequest.with {
      $0.pluginName = identity.name
      $0.pluginIdx = identity.index
      $0.nriVersion = Self.version
    }
    let _: NRIEmpty = try await client.call(Self.service, "RegisterPlugin", request, timeout: timeout)
  }

  /// Changes the resources of containers that are there.
  /// - Returns: those that could not be changed.
  public func update(_ updates: [NRIContainerUpdate], timeout: Duration = .seconds(10)) async throws
    -> [NRIContainerUpdate]
  {
    let request = NRIUpdateContainersRequest.with { $0.update = updates }
    let answer: NRIUpdateContainersResponse = try await client.call(
      Self.service, "UpdateContainers", request, timeout: timeout)
    return answer.failed
  }
}
