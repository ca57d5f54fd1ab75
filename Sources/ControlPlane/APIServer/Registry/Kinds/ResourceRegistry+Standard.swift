import JSONDocument
import KubernetesAPI

extension ResourceRegistry {
  /// Every kind that Nagaya serves. A new kind is one file beside this one, a schema, and a line here.
  public static let standard = ResourceRegistry(kinds, schemas: .standard)

  private static let kinds: [ResourceDefinition] = [
    .namespace, .node, .pod, .event, .service, .configMap, .secret, .serviceAccount, .persistentVolume,
    .persistentVolumeClaim, .resourceQuota, .limitRange, .deployment, .replicaSet, .storageClass,
    .volumeAttributesClass, .volumeSnapshot, .volumeSnapshotContent, .volumeSnapshotClass, .csiDriver, .csiNode,
    .csiStorageCapacity, .lease, .endpointSlice, .role, .roleBinding,
    .clusterRole, .clusterRoleBinding,
    .application, .tenant, .nodePolicy, .volumePool, .volumeMove,
  ]
}
