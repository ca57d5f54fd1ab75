import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Gives every namespace its ServiceAccount `default`, and the ConfigMap `kube-root-ca.crt` if the CA is known.
public struct ServiceAccountController: Service {
  private let controller: Controller<ObjectKey>

  public init(_ client: KubernetesClient, informers: SharedInformers, trust: TrustBundle, logger: Logger) {
    let controller = Controller<ObjectKey>(
      name: "serviceaccount", of: informers.namespaces, waitingFor: [informers.serviceAccounts], logger: logger
    ) { key in
      guard let namespace = informers.namespaces.cache.get(key), !namespace.isBeingDeleted else { return .done }
      do {
        if informers.serviceAccounts.cache.get(namespace: key.name, name: "default") == nil {
          try await client.create(
            KubernetesObject(.serviceAccounts, namespace: key.name, name: "default"), as: .serviceAccounts)
        }
      } catch let status as APIStatus where status.isAlreadyExists {}
      if let caCertificate = trust.pem {
        var map = KubernetesObject(.configMaps, namespace: key.name, name: "kube-root-ca.crt")
        map["data"] = ["ca.crt": .string(caCertificate)]
        _ = try await client.apply(map, as: .configMaps)
      }
      return .done
    }
    controller.watch(informers.serviceAccounts) { $0.name == "default" ? [ObjectKey(name: $0.namespace)] : [] }
    trust.onChange { for key in informers.namespaces.cache.keys { controller.enqueue(key) } }
    self.controller = controller
  }

  public func run() async throws { try await controller.run() }
}
