import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Keeps one EndpointSlice per Service with the addresses of its pods.
public struct EndpointSliceController: Service {
  private let controller: Controller<ObjectKey>

  public init(_ client: KubernetesClient, informers: SharedInformers, logger: Logger) {
    controller = Controller(
      name: "endpointslice", workers: 2, of: informers.services,
      waitingFor: [informers.pods, informers.endpointSlices], logger: logger
    ) { key in
      let sliceKey = ObjectKey(namespace: key.namespace, name: EndpointSlicePlan.name(of: key.name))
      let existing = informers.endpointSlices.cache.get(sliceKey)
      let service = informers.services.cache.get(key)
      let pods = informers.pods.cache.list(namespace: key.namespace)
      guard let slice = service.flatMap({ EndpointSlicePlan.slice(of: $0, pods: pods) }) else {
        guard let existing, existing.labels["endpointslice.kubernetes.io/managed-by"] == EndpointSlicePlan.managedBy
        else { return .done }
        do {
          try await client.delete(.endpointSlices, namespace: key.namespace, name: sliceKey.name, uid: existing.uid)
        } catch let status as APIStatus where status.isNotFound { return .done }
        return .done
      }
      do { _ = try await client.apply(slice, as: .endpointSlices, existing: existing) } catch let status as APIStatus
        where status.isAlreadyExists || status.isNotFound
      {
        // The cache is behind; its event leads here again, and so does this.
        return .requeueAfter(.milliseconds(50))
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
      slice.labels["kubernetes.io/service-name"].map { [ObjectKey(namespace: slice.namespace, name: $0)] } ?? []
    }
  }

  public var counters: Controller<ObjectKey>.Counts { controller.counters }

  public func run() async throws { try await controller.run() }
}
