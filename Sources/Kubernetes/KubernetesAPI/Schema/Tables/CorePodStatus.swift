extension SchemaTable {
  static let corePodStatus = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # PodStatus | How a pod is doing.
    observedGeneration int64(0..) 17 | The generation that this is about.
    phase string 1 | Pending, Running, Succeeded, Failed or Unknown.
    conditions []PodCondition@type 2 | PodScheduled, Initialized, ContainersReady, Ready and others.
    message string 3 | Why it is in this state, for people.
    reason string 4 | Why it is in this state, in a word.
    nominatedNodeName string 11 | The node on which room is being made for it.
    hostIP string 5 | The node's address.
    hostIPs []HostIP@ip 16 | The node's addresses.
    podIP string 6 | The pod's address.
    podIPs []PodIP@ip 12 | The pod's addresses.
    startTime time *7 | When the node agent took it on.
    initContainerStatuses []ContainerStatus 10 | Init container by init container.
    containerStatuses []ContainerStatus 8 | Container by container.
    qosClass string 9 | Guaranteed, Burstable or BestEffort.
    ephemeralContainerStatuses []ContainerStatus 13 | Ephemeral container by ephemeral container.
    resize string 14 | No longer used.
    resourceClaimStatuses []PodResourceClaimStatus@name 15 | Claim by claim.
    extendedResourceClaimStatus PodExtendedResourceClaimStatus *18 | The claim behind extended resources.
    allocatedResources {}quantity 19 | What the node has set aside for the pod.
    resources ResourceRequirements *20 | What is in force for the pod.
    nodeAllocatableResourceClaimStatuses []NodeAllocatableResourceClaimStatus 21 | Node resources taken by claims.
    # NodeAllocatableResourceClaimStatus | Node resources taken by a claim.
    resourceClaimName! string 1 | The claim.
    containers []string 2 | The containers that use it.
    resources! {}quantity 3 | The resources.
    # PodCondition | One aspect of a pod's state.
    type! string 1 | The aspect.
    observedGeneration int64(0..) 7 | The generation that this is about.
    status! string 2 | True, False or Unknown.
    lastProbeTime time 3 | When it was last looked at.
    lastTransitionTime time 4 | When the status last changed.
    reason string 5 | A word for why.
    message string 6 | A sentence for people.
    # HostIP | An address.
    ip! string 1 | The address.
    # PodIP | An address.
    ip! string 1 | The address.
    # PodResourceClaimStatus | A claim's state.
    name! string 1 | The claim's name in the pod.
    resourceClaimName string *2 | The claim that was made.
    # PodExtendedResourceClaimStatus | The claim behind extended resources.
    requestMappings! []ContainerExtendedResourceRequest 1 | Which request is for which resource.
    resourceClaimName! string 2 | The claim.
    # ContainerExtendedResourceRequest | A request behind an extended resource.
    containerName! string 1 | The container.
    resourceName! string 2 | The resource.
    requestName! string 3 | The request.
    # ContainerStatus | How a container is doing.
    name! string 1 | The container's name.
    state ContainerState 2 | What it does now.
    lastState ContainerState 3 | How its last run ended.
    ready! bool 4 | Its readiness probe succeeds.
    restartCount! int(0..) 5 | How often it was started again.
    image! string 6 | The image it runs.
    imageID! string 7 | The image's digest.
    containerID string 8 | The runtime's id of it.
    started bool *9 | It has started, and its startup probe has succeeded.
    allocatedResources {}quantity 10 | What the node has set aside for it.
    resources ResourceRequirements *11 | What is in force.
    volumeMounts []VolumeMountStatus@mountPath 12 | Mount by mount.
    user ContainerUser *13 | Who it runs as.
    allocatedResourcesStatus []ResourceStatus@name 14 | The health of its devices.
    stopSignal string *15 | The signal that ends it.
    # ContainerState | Exactly one of three.
    waiting ContainerStateWaiting *1 | Not yet running.
    running ContainerStateRunning *2 | Running.
    terminated ContainerStateTerminated *3 | Ended.
    # ContainerStateWaiting | Not yet running.
    reason string 1 | A word for why.
    message string 2 | A sentence for people.
    # ContainerStateRunning | Running.
    startedAt time 1 | Since when.
    # ContainerStateTerminated | Ended.
    exitCode! int 1 | The exit code.
    signal int 2 | The signal that ended it.
    reason string 3 | A word for why.
    message string 4 | Its last words.
    startedAt time 5 | When it started.
    finishedAt time 6 | When it ended.
    containerID string 7 | The runtime's id of it.
    # VolumeMountStatus | A mount's state.
    name! string 1 | The volume.
    mountPath! string 2 | Where it appears.
    readOnly bool 3 | No writing.
    recursiveReadOnly string *4 | Whether mounts below are read-only.
    volumeStatus VolumeStatus *5 | The volume's state.
    # VolumeStatus | A mounted volume's state.
    image ImageVolumeStatus *1 | Of an image volume.
    # ImageVolumeStatus | An image volume's state.
    imageRef string 1 | The image's digest.
    # ContainerUser | Who a container runs as.
    linux LinuxContainerUser *1 | On Linux.
    # LinuxContainerUser | Numbers.
    uid! int64 1 | The user.
    gid! int64 2 | The group.
    supplementalGroups []int64 3 | Further groups.
    # ResourceStatus | The health of devices.
    name! string 1 | The resource.
    resources []ResourceHealth 2 | Device by device.
    # ResourceHealth | The health of one device.
    resourceID! string 1 | The device.
    health string 2 | Healthy, Unhealthy or Unknown.
    message string *6 | A sentence for people.
    """)
}
