extension SchemaTable {
  static let coreNode = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Node : NodeSpec NodeStatus | A machine that runs pods.
    # NodeSpec | What a node is told.
    podCIDR string | The range of its pods' addresses.
    podCIDRs []string@set | The ranges of its pods' addresses.
    providerID string | The cloud's id of it.
    unschedulable bool | No new pods.
    taints []Taint | Keep pods away that do not tolerate them.
    configSource NodeConfigSource | No longer used.
    externalID string | No longer used.
    # NodeConfigSource | No longer used.
    configMap ConfigMapNodeConfigSource | No longer used.
    # ConfigMapNodeConfigSource | No longer used.
    namespace! string | No longer used.
    name! string | No longer used.
    uid string | No longer used.
    resourceVersion string | No longer used.
    kubeletConfigKey! string | No longer used.
    # NodeStatus | How a node is doing.
    capacity {}quantity | All it has.
    allocatable {}quantity | What pods may use.
    phase string | No longer used.
    conditions []NodeCondition@type | Ready, MemoryPressure, DiskPressure, PIDPressure and others.
    addresses []NodeAddress@type | Its addresses.
    daemonEndpoints NodeDaemonEndpoints | The ports of its daemons.
    nodeInfo NodeSystemInfo | What it runs on.
    images []ContainerImage | Images it has.
    volumesInUse []string | Volumes that are mounted.
    volumesAttached []AttachedVolume | Volumes that are attached.
    config NodeConfigStatus | No longer used.
    runtimeHandlers []NodeRuntimeHandler | Its runtimes.
    features NodeFeatures | What it can do.
    declaredFeatures []string | Features it says it has.
    # NodeConfigStatus | No longer used.
    assigned NodeConfigSource | No longer used.
    active NodeConfigSource | No longer used.
    lastKnownGood NodeConfigSource | No longer used.
    error string | No longer used.
    # NodeCondition | One aspect of a node's state.
    type! string | The aspect.
    status! string | True, False or Unknown.
    lastHeartbeatTime time | When it was last reported.
    lastTransitionTime time | When the status last changed.
    reason string | A word for why.
    message string | A sentence for people.
    # NodeAddress | An address.
    type! string | InternalIP, ExternalIP, Hostname and others.
    address! string | The address.
    # NodeDaemonEndpoints | Ports of daemons.
    kubeletEndpoint DaemonEndpoint | The node agent's port.
    # DaemonEndpoint | A port.
    Port! int | The port.
    # NodeSystemInfo | What a node runs on.
    machineID! string | The machine's id.
    systemUUID! string | The firmware's id.
    bootID! string | The boot's id.
    kernelVersion! string | The kernel's release.
    osImage! string | The operating system.
    containerRuntimeVersion! string | What runs the containers.
    kubeletVersion! string | The node agent's version.
    kubeProxyVersion! string | No longer used.
    operatingSystem! string | linux.
    architecture! string | amd64, arm64 and others.
    swap NodeSwapStatus | Its swap.
    # NodeSwapStatus | Swap.
    capacity int64 | Bytes.
    # ContainerImage | An image on a node.
    names []string | Its names.
    sizeBytes int64 | Its size.
    # AttachedVolume | An attached volume.
    name! string | Its name.
    devicePath! string | Its device.
    # NodeRuntimeHandler | A runtime.
    name string | Its name; the default one if empty.
    features NodeRuntimeHandlerFeatures | What it can do.
    # NodeRuntimeHandlerFeatures | What a runtime can do.
    recursiveReadOnlyMounts bool | Mounts below may be read-only.
    userNamespaces bool | User namespaces.
    # NodeFeatures | What a node can do.
    supplementalGroupsPolicy bool | Policies of supplemental groups.
    """)
}
