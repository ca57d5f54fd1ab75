import KubernetesAPI
import KubernetesClient
import Logging

/// What the workers of all pods share.
struct PodContext: Sendable {
  let node: NodeFacts
  let client: KubernetesClient
  let events: EventRecorder
  let runtime: RuntimeClient
  let prober: Prober
  let volumes: VolumeMounts
  let puller: ImagePuller
  /// Throws if nothing may be made of an image, by its name and id.
  let imageGate: (@Sendable (String, String) async throws -> Void)?
  /// `nil`: the runtime has no hooks.
  let hooks: RuntimeHooks?
  let logs: LogWatch
  let firewall: PodFirewall
  /// The network zone of a namespace's pods.
  let zone: @Sendable (String) -> NetworkZone?
  /// First and longest delay between runs of a container that fails.
  let crashBackOff: (initial: Duration, maximum: Duration)
  /// How often a pod is looked at when nothing is told of it.
  let resync: Duration
  /// How often files of config maps, secrets and tokens are compared with the API.
  let volumeRefresh: Duration
  /// What time it is: decides when tokens are renewed.
  let clock: @Sendable () -> Timestamp
  let logger: Logger
}
