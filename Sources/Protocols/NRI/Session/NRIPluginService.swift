import Locking
import TTRPC

/// The methods that a runtime calls.
struct NRIPluginService {
  private let handler: any NRIHandling
  private let parts = SynchronizeParts()

  init(_ handler: any NRIHandling) { self.handler = handler }

  var service: TTRPCService {
    let (handler, parts) = (handler, parts)
    return TTRPCService(
      "nri.pkg.api.v1alpha1.Plugin",
      [
        "Configure": .unary { (request: NRIConfigureRequest) in
          await handler.configure(request)
          return NRIConfigureResponse.with { $0.events = handler.events.rawValue }
        },
        "Synchronize": .unary { (request: NRISynchronizeRequest) in
          guard let all = try parts.take(request) else { return NRISynchronizeResponse.with { $0.more = true } }
          let updates = try await handler.synchronize(all.pods, all.containers)
          return NRISynchronizeResponse.with { $0.update = updates }
        },
        "Shutdown": .unary { (_: NRIShutdownRequest) in NRIEmpty() },
        "CreateContainer": .unary { (request: NRICreateContainerRequest) in
          let adjustment = try await handler.create(request.pod, request.container)
          return NRICreateContainerResponse.with { $0.adjust = adjustment }
        },
        "UpdateContainer": .unary { (request: NRIUpdateContainerRequest) in
          let updates = try await handler.update(request.pod, request.container, request.linuxResources)
          return NRIUpdateContainerResponse.with { $0.update = updates }
        },
        "StopContainer": .unary { (request: NRIStopContainerRequest) in
          await handler.happened(.stopContainer, request.pod, request.container)
          return NRIStopContainerResponse()
        },
        "UpdatePodSandbox": .unary { (_: NRIUpdatePodSandboxRequest) in NRIUpdatePodSandboxResponse() },
        "ValidateContainerAdjustment": .unary { (_: NRIValidateContainerAdjustmentRequest) in
          NRIValidateContainerAdjustmentResponse()
        },
        "StateChange": .unary { (event: NRIStateChangeEvent) in
          await handler.happened(event.event, event.pod, event.hasContainer ? event.container : nil)
          return NRIEmpty()
        },
        // Newer runtimes have a method for each of these events.
        "StartContainer": event(.startContainer), "PostCreateContainer": event(.postCreateContainer),
        "PostStartContainer": event(.postStartContainer), "PostUpdateContainer": event(.postUpdateContainer),
        "RemoveContainer": event(.removeContainer), "RunPodSandbox": event(.runPodSandbox),
        "StopPodSandbox": event(.stopPodSandbox), "RemovePodSandbox": event(.removePodSandbox),
        "PostUpdatePodSandbox": event(.postUpdatePodSandbox),
      ])
  }

  /// Their requests begin as that of `StopContainer` does, and their answers say nothing.
  private func event(_ event: NRIEvent) -> TTRPCMethod {
    let handler = handler
    return .unary { (request: NRIStopContainerRequest) in
      await handler.happened(event, request.pod, request.hasContainer ? request.container : nil)
      return NRIEmpty()
    }
  }
}

/// Puts together what a runtime sends in several requests.
private final class SynchronizeParts: Sendable {
  private let kept = Mutex<(pods: [NRIPodSandbox], containers: [NRIContainer])>(([], []))
  /// Far above what a machine can run; what is kept of a peer has an end.
  private static let most = 200_000

  /// - Returns: everything, when the last part has come.
  func take(_ request: NRISynchronizeRequest) throws(TTRPCError) -> (pods: [NRIPodSandbox], containers: [NRIContainer])?
  {
    let result: Result<(pods: [NRIPodSandbox], containers: [NRIContainer])?, TTRPCError> = kept.withLock { kept in
      guard kept.pods.count + request.pods.count <= Self.most,
        kept.containers.count + request.containers.count <= Self.most
      else {
        kept = ([], [])
        return .failure(TTRPCError(.resourceExhausted, "more than \(Self.most) pods or containers on one machine"))
      }
      kept.pods += request.pods
      kept.containers += request.containers
      if request.more { return .success(nil) }
      defer { kept = ([], []) }
      return .success(kept)
    }
    return try result.get()
  }
}
