extension SchemaTable {
  static let storage = SchemaTable(
    "io.k8s.api.storage.v1",
    """
    # StorageClass : | A way of making volumes.
    provisioner! string | Who makes them: the name of a CSI driver.
    parameters {}string | Passed to the driver.
    reclaimPolicy string | Delete (default) or Retain.
    mountOptions []string | Options of the mounts.
    allowVolumeExpansion bool | Claims may grow.
    volumeBindingMode string | Immediate (default), or WaitForFirstConsumer: when the pod's node is known.
    allowedTopologies []core.TopologySelectorTerm | Where volumes may be made.
    # CSIDriver : CSIDriverSpec | What a CSI driver can do.
    # CSIDriverSpec | What a CSI driver can do.
    attachRequired bool | Volumes are attached before they are mounted.
    podInfoOnMount bool | The driver is told about the pod.
    volumeLifecycleModes []string | Persistent, Ephemeral.
    storageCapacity bool | The driver publishes free space, and scheduling looks at it.
    fsGroupPolicy string | How volumes get their group: ReadWriteOnceWithFSType, File or None.
    tokenRequests []TokenRequest | Tokens that the driver gets.
    requiresRepublish bool | Volumes are published again from time to time.
    seLinuxMount bool | The driver can mount with an SELinux label.
    nodeAllocatableUpdatePeriodSeconds int64 | How often a node's limit is asked for.
    serviceAccountTokenInSecrets bool | Tokens come in the secrets field.
    preventPodSchedulingIfMissing bool | No pods with its volumes on nodes without the driver.
    # TokenRequest | A token.
    audience! string | Who it is for.
    expirationSeconds int64 | How long it is good.
    # CSINode : CSINodeSpec | The CSI drivers of a node.
    # CSINodeSpec | The CSI drivers of a node.
    drivers! []CSINodeDriver@name | Driver by driver.
    # CSINodeDriver | A driver on a node.
    name! string | The driver.
    nodeID! string | The driver's name for the node.
    topologyKeys []string | Labels of the node that say where its volumes are.
    allocatable VolumeNodeResources | How many volumes it takes.
    # VolumeNodeResources | How many volumes a node takes.
    count int | The number.
    # CSIStorageCapacity : | Free space of a storage class in one part of the cluster.
    nodeTopology meta.LabelSelector | The nodes that can reach it.
    storageClassName! string | The class.
    capacity quantity | Free space.
    maximumVolumeSize quantity | The largest volume that fits.
    """)

  static let coordination = SchemaTable(
    "io.k8s.api.coordination.v1",
    """
    # Lease : LeaseSpec | Who leads, or whether a node is alive.
    # LeaseSpec | Who holds it, and for how long.
    holderIdentity string | Who.
    leaseDurationSeconds int | How long after the last renewal others must wait.
    acquireTime microtime | Since when.
    renewTime microtime | When last renewed.
    leaseTransitions int | How often it changed hands.
    strategy string | How the next holder is chosen.
    preferredHolder string | Who should be next.
    """)

  static let discovery = SchemaTable(
    "io.k8s.api.discovery.v1",
    """
    # EndpointSlice : | Addresses behind a service.
    addressType! string | IPv4, IPv6 or FQDN; cannot change.
    endpoints []Endpoint | The addresses.
    ports []EndpointPort | The ports of every endpoint.
    # Endpoint | A pod behind a service.
    addresses! []string | Its addresses.
    conditions EndpointConditions | Its state.
    hostname string | Its host name.
    targetRef core.ObjectReference | The pod.
    deprecatedTopology {}string | No longer used.
    nodeName string | Its node.
    zone string | Its zone.
    hints EndpointHints | Whose traffic it should take.
    # EndpointConditions | An endpoint's state.
    ready bool | It takes traffic.
    serving bool | It answers, although it may be going.
    terminating bool | It is going.
    # EndpointHints | Whose traffic an endpoint should take.
    forZones []ForZone | Zones.
    forNodes []ForNode | Nodes.
    # ForZone | A zone.
    name! string | Its name.
    # ForNode | A node.
    name! string | Its name.
    # EndpointPort | A port.
    name string | Its name.
    protocol string | TCP, UDP or SCTP.
    port int | The port.
    appProtocol string | What is spoken.
    """)

  static let rbac = SchemaTable(
    "io.k8s.api.rbac.v1",
    """
    # Role : | What may be done in a namespace.
    rules []PolicyRule | Any of these.
    # ClusterRole : | What may be done in the cluster.
    rules []PolicyRule | Any of these.
    aggregationRule AggregationRule | Roles whose rules it takes over.
    # AggregationRule | Roles whose rules are taken over.
    clusterRoleSelectors []meta.LabelSelector | Their labels.
    # PolicyRule | Verbs on resources, or on paths.
    verbs! []string | get, list, watch, create, update, patch, delete, or *.
    apiGroups []string | Groups; "" is the core group, * all.
    resources []string | Resources, such as pods or pods/log; * all.
    resourceNames []string | Only objects of these names.
    nonResourceURLs []string | Paths such as /metrics, in cluster roles.
    # RoleBinding : | Grants a role to subjects in a namespace.
    subjects []Subject | Who.
    roleRef! RoleRef | The role; cannot change.
    # ClusterRoleBinding : | Grants a cluster role to subjects in the whole cluster.
    subjects []Subject | Who.
    roleRef! RoleRef | The role; cannot change.
    # Subject | A user, a group or a service account.
    kind! string | User, Group or ServiceAccount.
    apiGroup string | rbac.authorization.k8s.io for users and groups.
    name! string | Its name.
    namespace string | The service account's namespace.
    # RoleRef | A role.
    apiGroup string | rbac.authorization.k8s.io
    kind! string | Role or ClusterRole.
    name! string | Its name.
    """)
}
