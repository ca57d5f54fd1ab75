import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Makes the claims of pods' generic ephemeral volumes (KEP-1698). They are the pods', and go with them.
public struct EphemeralVolumeController: Service {
  private let controller: Controller<ObjectKey>

  public init(_ client: KubernetesClient, informers: SharedInformers, events: EventRecorder, logger: Logger) {
    controller = Controller(
      name: "ephemeral-volumes", workers: 2, of: informers.pods, waitingFor: [informers.claims], logger: logger
    ) { key in
      guard let pod = informers.pods.cache.get(key), !pod.isBeingDeleted, !pod.isTerminatedPod else { return .done }
      var result = ReconcileResult.done
      for claim in pod.ephemeralClaims {
        let obstacle: String
        if let present = informers.claims.cache.get(claim.key) {
          if pod.owns(ephemeralClaim: present) { continue }
          obstacle =
            "PVC \"\(claim.name)\" was not created for pod \"\(pod.name)\" (pod is not owner); rename the volume, or delete that claim"
        } else {
          do {
            _ = try await client.create(claim, as: .persistentVolumeClaims)
            continue
          } catch let status as APIStatus where status.isAlreadyExists {
            // The cache is behind.
            result = .requeueAfter(.seconds(1))
            continue
          } catch let status as APIStatus where status.reason == .forbidden || status.reason == .invalid {
            if status.isNamespaceTerminating { return .done }
            obstacle = status.message
          }
        }
        // The pod waits, and says why.
        events.record(
          .warning, about: pod, reason: "FailedBinding", message: "ephemeral volume claim \(claim.name): \(obstacle)")
        result = .requeueAfter(.seconds(15))
      }
      return result
    }
    // A claim that is gone, or that was in the way.
    controller.watch(informers.claims) { claim in
      Array(informers.pods.cache.keys(by: .claims, claim.key.description))
    }
  }

  public func run() async throws { try await controller.run() }
}
