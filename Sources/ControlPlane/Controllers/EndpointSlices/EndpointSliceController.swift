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
      let existing = informers.endpointSlices.cache.list(namespace: key.namespace)
        .filter { EndpointSlicePlan.isOurs($0, of: key.name) }
      let pods = informers.pods.cache.list(namespace: key.namespace)
      let slices = informers.services.cache.get(key).map { EndpointSlicePlan.slices(of: $0, pods: pods) } ?? []
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
    controller.watch(informers.pods) { pod in
      guard !pod.labels.isEmpty else { return [] }
      return informers.services.cache.list(namespace: pod.namespace).filter { service in
        let selector = service.spec["selector"].strings
        return !selector.isEmpty && selector.allSatisfy { pod.labels[$0.key] == $0.value }
      }.map(\.key)
    }
    controller.watch(informers.endpointSlices) { slice in
      slice.labels[EndpointSlicePlan.serviceLabel].map { [ObjectKey(namespace: slice.namespace, name: $0)] } ?? []
    }
  }

  public var counters: Controller<ObjectKey>.Counts { controller.counters }

  public func run() async throws { try await controller.run() }
}
