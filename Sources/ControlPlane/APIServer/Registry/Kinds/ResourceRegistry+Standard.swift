import JSONDocument
import KubernetesAPI

extension ResourceRegistry {
  /// Every kind that Nagaya serves. A new kind is one file beside this one, a schema, and a line here.
  public static let standard = ResourceRegistry(kinds.map(\.checkingMetadata), schemas: .standard)

  private static let kinds: [ResourceDefinition] = [
    .namespace, .node, .pod, .event, .service, .configMap, .secret, .serviceAccount, .persistentVolume,
    .persistentVolumeClaim, .resourceQuota, .deployment, .replicaSet, .storageClass, .csiDriver, .csiNode,
    .csiStorageCapacity, .lease, .endpointSlice, .role, .roleBinding, .clusterRole, .clusterRoleBinding,
    .application, .tenant, .volumePool,
  ]
}

extension ResourceDefinition {
  /// The same kind, whose validation also looks at labels, annotations, finalizers and owners.
  fileprivate var checkingMetadata: ResourceDefinition {
    var definition = self
    let validate = validate
    definition.validate = { new, old in
      var faults = FieldFaults()
      faults.checkMetadata(new)
      return faults.causes + validate(new, old)
    }
    return definition
  }
}
