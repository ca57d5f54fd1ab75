import CSI
import GRPCCore
import SwiftProtobuf

/// Who the plugin is.
struct IdentityService: Csi_V1_Identity.SimpleServiceProtocol {
  let configuration: DriverConfiguration

  func getPluginInfo(request: Csi_V1_GetPluginInfoRequest, context: ServerContext) async throws
    -> Csi_V1_GetPluginInfoResponse
  {
    .with {
      $0.name = configuration.name
      $0.vendorVersion = configuration.version
    }
  }

  func getPluginCapabilities(request: Csi_V1_GetPluginCapabilitiesRequest, context: ServerContext) async throws
    -> Csi_V1_GetPluginCapabilitiesResponse
  {
    .with {
      $0.capabilities =
        [.controllerService, .volumeAccessibilityConstraints].map { type in
          .with { $0.service.type = type }
        } + [.online, .offline].map { type in .with { $0.volumeExpansion.type = type } }
    }
  }

  func probe(request: Csi_V1_ProbeRequest, context: ServerContext) async throws -> Csi_V1_ProbeResponse {
    .with { $0.ready = .with { $0.value = !configuration.pools.isEmpty } }
  }
}
