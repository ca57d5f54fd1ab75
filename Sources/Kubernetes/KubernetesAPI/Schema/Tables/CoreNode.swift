extension SchemaTable {
  static let coreNode = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Node : NodeSpec NodeStatus | A machine that runs pods.
    # NodeSpec | What a node is told.
    podCIDR string 1 | The range of its pods' addresses.
    podCIDRs []string@set 7 | The ranges of its pods' addresses.
    providerID string 3 | The cloud's id of it.
    unschedulable bool 4 | No new pods.
    taints []Taint 5 | Keep pods away that do not tolerate them.
    configSource NodeConfigSource *6 | No longer used.
    externalID string 2 | No longer used.
    # NodeConfigSource | No longer used.
    configMap ConfigMapNodeConfigSource *2 | No longer used.
    # ConfigMapNodeConfigSource | No longer used.
    namespace! string 1 | No longer used.
    name! string 2 | No longer used.
    uid string 3 | No longer used.
    resourceVersion string 4 | No longer used.
    kubeletConfigKey! string 5 | No longer used.
    # NodeStatus | How a node is doing.
    capacity {}quantity 1 | All it has.
    allocatable {}quantity 2 | What pods may use.
    phase string 3 | No longer used.
    conditions []NodeCondition@type 4 | Ready, MemoryPressure, DiskPressure, PIDPressure and others.
    addresses []NodeAddress@type 5 | Its addresses.
    daemonEndpoints NodeDaemonEndpoints 6 | The ports of its daemons.
    nodeInfo NodeSystemInfo 7 | What it runs on.
    images []ContainerImage 8 | Images it has.
    volumesInUse []string 9 | Volumes that are mounted.
    volumesAttached []AttachedVolume 10 | Volumes that are attached.
    config NodeConfigStatus *11 | No longer used.
    runtimeHandlers []NodeRuntimeHandler 12 | Its runtimes.
    features NodeFeatures *13 | What it can do.
    declaredFeatures []string 14 | Features it says it has.
    # NodeConfigStatus | No longer used.
    assigned NodeConfigSource *1 | No longer used.
    active NodeConfigSource *2 | No longer used.
    lastKnownGood NodeConfigSource *3 | No longer used.
    error string 4 | No longer used.
    # NodeCondition | One aspect of a node's state.
    type! string 1 | The aspect.
    status! string 2 | True, False or Unknown.
    lastHeartbeatTime time 3 | When it was last reported.
    lastTransitionTime time 4 | When the status last changed.
    reason string 5 | A word for why.
    message string 6 | A sentence for people.
    # NodeAddress | An address.
    type! string 1 | InternalIP, ExternalIP, Hostname and others.
    address! string 2 | The address.
    # NodeDaemonEndpoints | Ports of daemons.
    kubeletEndpoint DaemonEndpoint 1 | The node agent's port.
    # DaemonEndpoint | A port.
    Port! int(0..65535) 1 | The port.
    # NodeSystemInfo | What a node runs on.
    machineID! string 1 | The machine's id.
    systemUUID! string 2 | The firmware's id.
    bootID! string 3 | The boot's id.
    kernelVersion! string 4 | The kernel's release.
    osImage! string 5 | The operating system.
    containerRuntimeVersion! string 6 | What runs the containers.
    kubeletVersion! string 7 | The node agent's version.
    kubeProxyVersion! string 8 | No longer used.
    operatingSystem! string 9 | linux.
    architecture! string 10 | amd64, arm64 and others.
    swap NodeSwapStatus *11 | Its swap.
    # NodeSwapStatus | Swap.
    capacity int64 *1 | Bytes.
    # ContainerImage | An image on a node.
    names []string 1 | Its names.
    sizeBytes int64 2 | Its size.
    # AttachedVolume | An attached volume.
    name! string 1 | Its name.
    devicePath! string 2 | Its device.
    # NodeRuntimeHandler | A runtime.
    name string 1 | Its name; the default one if empty.
    features NodeRuntimeHandlerFeatures *2 | What it can do.
    # NodeRuntimeHandlerFeatures | What a runtime can do.
    recursiveReadOnlyMounts bool *1 | Mounts below may be read-only.
    userNamespaces bool *2 | User namespaces.
    # NodeFeatures | What a node can do.
    supplementalGroupsPolicy bool *1 | Policies of supplemental groups.
    """)
}
