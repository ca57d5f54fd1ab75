extension SchemaTable {
  static let storage = SchemaTable(
    "io.k8s.api.storage.v1",
    """
    # StorageClass : | A way of making volumes.
    provisioner! string 2 | Who makes them: the name of a CSI driver.
    parameters {}string 3 | Passed to the driver.
    reclaimPolicy string *4 | Delete (default) or Retain.
    mountOptions []string 5 | Options of the mounts.
    allowVolumeExpansion bool *6 | Claims may grow.
    volumeBindingMode string *7 | Immediate (default), or WaitForFirstConsumer: when the pod's node is known.
    allowedTopologies []core.TopologySelectorTerm 8 | Where volumes may be made.
    # VolumeAttributesClass : | Attributes of volumes that can change while they are used.
    driverName! string 2 | The CSI driver whose volumes have them; cannot change.
    parameters {}string 3 | Passed to the driver; cannot change.
    # CSIDriver : CSIDriverSpec | What a CSI driver can do.
    # CSIDriverSpec | What a CSI driver can do.
    attachRequired bool *1 | Volumes are attached before they are mounted.
    podInfoOnMount bool *2 | The driver is told about the pod.
    volumeLifecycleModes []string 3 | Persistent, Ephemeral.
    storageCapacity bool *4 | The driver publishes free space, and scheduling looks at it.
    fsGroupPolicy string *5 | How volumes get their group: ReadWriteOnceWithFSType, File or None.
    tokenRequests []TokenRequest 6 | Tokens that the driver gets.
    requiresRepublish bool *7 | Volumes are published again from time to time.
    seLinuxMount bool *8 | The driver can mount with an SELinux label.
    nodeAllocatableUpdatePeriodSeconds int64(10..) *9 | How often a node's limit is asked for.
    serviceAccountTokenInSecrets bool *10 | Tokens come in the secrets field.
    preventPodSchedulingIfMissing bool *11 | No pods with its volumes on nodes without the driver.
    # TokenRequest | A token.
    audience! string 1 | Who it is for.
    expirationSeconds int64(600..4294967296) *2 | How long it is good.
    # CSINode : CSINodeSpec | The CSI drivers of a node.
    # CSINodeSpec | The CSI drivers of a node.
    drivers! []CSINodeDriver@name 1 | Driver by driver.
    # CSINodeDriver | A driver on a node.
    name! string 1 | The driver.
    nodeID! string 2 | The driver's name for the node.
    topologyKeys []string 3 | Labels of the node that say where its volumes are.
    allocatable VolumeNodeResources *4 | How many volumes it takes.
    # VolumeNodeResources | How many volumes a node takes.
    count int(0..) *1 | The number.
    # CSIStorageCapacity : | Free space of a storage class in one part of the cluster.
    nodeTopology meta.LabelSelector *2 | The nodes that can reach it.
    storageClassName! string 3 | The class.
    capacity quantity *4 | Free space.
    maximumVolumeSize quantity *5 | The largest volume that fits.
    """)

  static let coordination = SchemaTable(
    "io.k8s.api.coordination.v1",
    """
    # Lease : LeaseSpec | Who leads, or whether a node is alive.
    # LeaseSpec | Who holds it, and for how long.
    holderIdentity string *1 | Who.
    leaseDurationSeconds int(1..) *2 | How long after the last renewal others must wait.
    acquireTime microtime *3 | Since when.
    renewTime microtime *4 | When last renewed.
    leaseTransitions int(0..) *5 | How often it changed hands.
    strategy string *6 | How the next holder is chosen.
    preferredHolder string *7 | Who should be next.
    """)

  static let discovery = SchemaTable(
    "io.k8s.api.discovery.v1",
    """
    # EndpointSlice : | Addresses behind a service.
    addressType! string 4 | IPv4, IPv6 or FQDN; cannot change.
    endpoints []Endpoint 2 | The addresses.
    ports []EndpointPort 3 | The ports of every endpoint.
    # Endpoint | A pod behind a service.
    addresses! []string 1 | Its addresses.
    conditions EndpointConditions 2 | Its state.
    hostname string *3 | Its host name.
    targetRef core.ObjectReference *4 | The pod.
    deprecatedTopology {}string 5 | No longer used.
    nodeName string *6 | Its node.
    zone string *7 | Its zone.
    hints EndpointHints *8 | Whose traffic it should take.
    # EndpointConditions | An endpoint's state.
    ready bool *1 | It takes traffic.
    serving bool *2 | It answers, although it may be going.
    terminating bool *3 | It is going.
    # EndpointHints | Whose traffic an endpoint should take.
    forZones []ForZone 1 | Zones.
    forNodes []ForNode 2 | Nodes.
    # ForZone | A zone.
    name! string 1 | Its name.
    # ForNode | A node.
    name! string 1 | Its name.
    # EndpointPort | A port.
    name string *1 | Its name.
    protocol string *2 | TCP, UDP or SCTP.
    port int(0..65535) *3 | The port.
    appProtocol string *4 | What is spoken.
    """)

  static let rbac = SchemaTable(
    "io.k8s.api.rbac.v1",
    """
    # Role : | What may be done in a namespace.
    rules []PolicyRule 2 | Any of these.
    # ClusterRole : | What may be done in the cluster.
    rules []PolicyRule 2 | Any of these.
    aggregationRule AggregationRule *3 | Roles whose rules it takes over.
    # AggregationRule | Roles whose rules are taken over.
    clusterRoleSelectors []meta.LabelSelector 1 | Their labels.
    # PolicyRule | Verbs on resources, or on paths.
    verbs! []string 1 | get, list, watch, create, update, patch, delete, or *.
    apiGroups []string 2 | Groups; "" is the core group, * all.
    resources []string 3 | Resources, such as pods or pods/log; * all.
    resourceNames []string 4 | Only objects of these names.
    nonResourceURLs []string 5 | Paths such as /metrics, in cluster roles.
    # RoleBinding : | Grants a role to subjects in a namespace.
    subjects []Subject 2 | Who.
    roleRef! RoleRef 3 | The role; cannot change.
    # ClusterRoleBinding : | Grants a cluster role to subjects in the whole cluster.
    subjects []Subject 2 | Who.
    roleRef! RoleRef 3 | The role; cannot change.
    # Subject | A user, a group or a service account.
    kind! string 1 | User, Group or ServiceAccount.
    apiGroup string 2 | rbac.authorization.k8s.io for users and groups.
    name! string 3 | Its name.
    namespace string 4 | The service account's namespace.
    # RoleRef | A role.
    apiGroup string 1 | rbac.authorization.k8s.io
    kind! string 2 | Role or ClusterRole.
    name! string 3 | Its name.
    """)
}
