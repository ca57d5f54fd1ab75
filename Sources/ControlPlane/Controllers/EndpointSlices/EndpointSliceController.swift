import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Keeps the EndpointSlices of each Service with the addresses of its pods.
public struct EndpointSliceController: Service {
  private let controller: Controller<ObjectKey>

  public init(_ client: KubernetesClient, informers: SharedInformers, logger: Logger) {
    controller = Controller(
      name: "endpointslice", workers: 2, of: informers.services,
      waitingFor: [informers.pods, informers.endpointSlices], logger: logger
    ) { key in
      let existing = informers.endpointSlices.cache.list(by: EndpointSlicePlan.byService, "\(key)")
      let slices =
        informers.services.cache.get(key).map { service in
          EndpointSlicePlan.slices(
            of: service,
            pods: SelectorIndexes.pods(
              in: key.namespace, selectedBy: service.spec["selector"].strings, informers.pods.cache))
        } ?? []
      do {
        // What has an endpoint now comes before what has it no more: a pod is never in none of them.
        for slice in slices {
          _ = try await client.apply(
            slice, as: .endpointSlices, existing: informers.endpointSlices.cache.get(slice.key))
        }
      } catch let status as APIStatus where status.isAlreadyExists || status.isNotFound || status.isConflict {
        // The cache is behind; its event leads here again, and so does this.
        return .requeueAfter(.milliseconds(50))
      }
      let names = Set(slices.map(\.name))
      for slice in existing where !names.contains(slice.name) {
        do {
          try await client.delete(.endpointSlices, namespace: key.namespace, name: slice.name, uid: slice.uid)
        } catch let status as APIStatus where status.isNotFound || status.isConflict {}
      }
      return .done
    }
    controller.watch(informers.pods) { SelectorIndexes.services(selecting: $0, informers.services.cache) }
    controller.watch(informers.endpointSlices) { slice in
      slice.labels[EndpointSlicePlan.serviceLabel].map { [ObjectKey(namespace: slice.namespace, name: $0)] } ?? []
    }
  }

  public var counters: Controller<ObjectKey>.Counts { controller.counters }

  public func run() async throws { try await controller.run() }
}
