extension SchemaTable {
  static let corePodStatus = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # PodStatus | How a pod is doing.
    observedGeneration int64 | The generation that this is about.
    phase string | Pending, Running, Succeeded, Failed or Unknown.
    conditions []PodCondition@type | PodScheduled, Initialized, ContainersReady, Ready and others.
    message string | Why it is in this state, for people.
    reason string | Why it is in this state, in a word.
    nominatedNodeName string | The node on which room is being made for it.
    hostIP string | The node's address.
    hostIPs []HostIP@ip | The node's addresses.
    podIP string | The pod's address.
    podIPs []PodIP@ip | The pod's addresses.
    startTime time | When the node agent took it on.
    initContainerStatuses []ContainerStatus | Init container by init container.
    containerStatuses []ContainerStatus | Container by container.
    qosClass string | Guaranteed, Burstable or BestEffort.
    ephemeralContainerStatuses []ContainerStatus | Ephemeral container by ephemeral container.
    resize string | No longer used.
    resourceClaimStatuses []PodResourceClaimStatus@name | Claim by claim.
    extendedResourceClaimStatus PodExtendedResourceClaimStatus | The claim behind extended resources.
    allocatedResources {}quantity | What the node has set aside for the pod.
    resources ResourceRequirements | What is in force for the pod.
    nodeAllocatableResourceClaimStatuses []NodeAllocatableResourceClaimStatus | Node resources taken by claims.
    # NodeAllocatableResourceClaimStatus | Node resources taken by a claim.
    resourceClaimName! string | The claim.
    containers []string | The containers that use it.
    resources! {}quantity | The resources.
    # PodCondition | One aspect of a pod's state.
    type! string | The aspect.
    observedGeneration int64 | The generation that this is about.
    status! string | True, False or Unknown.
    lastProbeTime time | When it was last looked at.
    lastTransitionTime time | When the status last changed.
    reason string | A word for why.
    message string | A sentence for people.
    # HostIP | An address.
    ip! string | The address.
    # PodIP | An address.
    ip! string | The address.
    # PodResourceClaimStatus | A claim's state.
    name! string | The claim's name in the pod.
    resourceClaimName string | The claim that was made.
    # PodExtendedResourceClaimStatus | The claim behind extended resources.
    requestMappings! []ContainerExtendedResourceRequest | Which request is for which resource.
    resourceClaimName! string | The claim.
    # ContainerExtendedResourceRequest | A request behind an extended resource.
    containerName! string | The container.
    resourceName! string | The resource.
    requestName! string | The request.
    # ContainerStatus | How a container is doing.
    name! string | The container's name.
    state ContainerState | What it does now.
    lastState ContainerState | How its last run ended.
    ready! bool | Its readiness probe succeeds.
    restartCount! int | How often it was started again.
    image! string | The image it runs.
    imageID! string | The image's digest.
    containerID string | The runtime's id of it.
    started bool | It has started, and its startup probe has succeeded.
    allocatedResources {}quantity | What the node has set aside for it.
    resources ResourceRequirements | What is in force.
    volumeMounts []VolumeMountStatus@mountPath | Mount by mount.
    user ContainerUser | Who it runs as.
    allocatedResourcesStatus []ResourceStatus@name | The health of its devices.
    stopSignal string | The signal that ends it.
    # ContainerState | Exactly one of three.
    waiting ContainerStateWaiting | Not yet running.
    running ContainerStateRunning | Running.
    terminated ContainerStateTerminated | Ended.
    # ContainerStateWaiting | Not yet running.
    reason string | A word for why.
    message string | A sentence for people.
    # ContainerStateRunning | Running.
    startedAt time | Since when.
    # ContainerStateTerminated | Ended.
    exitCode! int | The exit code.
    signal int | The signal that ended it.
    reason string | A word for why.
    message string | Its last words.
    startedAt time | When it started.
    finishedAt time | When it ended.
    containerID string | The runtime's id of it.
    # VolumeMountStatus | A mount's state.
    name! string | The volume.
    mountPath! string | Where it appears.
    readOnly bool | No writing.
    recursiveReadOnly string | Whether mounts below are read-only.
    volumeStatus VolumeStatus | The volume's state.
    # VolumeStatus | A mounted volume's state.
    image ImageVolumeStatus | Of an image volume.
    # ImageVolumeStatus | An image volume's state.
    imageRef string | The image's digest.
    # ContainerUser | Who a container runs as.
    linux LinuxContainerUser | On Linux.
    # LinuxContainerUser | Numbers.
    uid! int64 | The user.
    gid! int64 | The group.
    supplementalGroups []int64 | Further groups.
    # ResourceStatus | The health of devices.
    name! string | The resource.
    resources []ResourceHealth | Device by device.
    # ResourceHealth | The health of one device.
    resourceID! string | The device.
    health string | Healthy, Unhealthy or Unknown.
    message string | A sentence for people.
    """)
}
