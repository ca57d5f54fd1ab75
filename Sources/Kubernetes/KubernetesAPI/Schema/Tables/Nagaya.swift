extension SchemaTable {
  static let nagaya = SchemaTable(
    "dev.nagaya.v1alpha1",
    """
    # Application : ApplicationSpec ApplicationStatus | An app: an image that runs, with an https endpoint and volumes.
    # ApplicationSpec | What runs, how often, and what it needs.
    image! string | The image to run.
    port int(1..65535) | The port on which the app answers http; 8080.
    replicas int(0..) | How many pods run it; 1.
    command []string | The program and its first arguments, instead of the image's entrypoint.
    args []string | Arguments, instead of the image's.
    env []core.EnvVar@name | Environment variables.
    resources core.ResourceRequirements | How much a pod needs and how much it may use.
    volumes []ApplicationVolume@name | Volumes that outlive the pods.
    imageVolumes []ApplicationImageVolume@mountPath | Files of images, to read only: models, data, pages.
    readiness ApplicationReadiness | How to find out that a pod can take traffic.
    volumeRetention enum(Delete,Retain) | What becomes of the volumes when the app is deleted; Delete.
    # ApplicationVolume | A volume on the disks of the node that runs the app.
    name! string | The volume's name; its claim is called <app>-<name>.
    mountPath! string | Where the app finds it.
    size! quantity | How large it is; it may grow later.
    storageClassName string | The class that makes it; the default class if left out.
    # ApplicationImageVolume | The files of an image, as a volume that nobody writes.
    mountPath! string | Where the app finds them.
    image! string | The image.
    subPath string | A directory or file of the image; all of it if left out.
    pullPolicy enum(Always,IfNotPresent,Never) | When a registry is asked; IfNotPresent but for :latest.
    # ApplicationReadiness | How to find out that a pod can take traffic.
    path string | An http path that answers 200 to 399; without one, the port must accept connections.
    # ApplicationStatus | How an app is doing.
    endpoint string | Where it answers: an https address.
    observedGeneration int64(0..) | The generation that this is about.
    replicas int(0..) | Pods there are.
    readyReplicas int(0..) | Pods that take traffic.
    updatedReplicas int(0..) | Pods of the newest revision.
    selector string | The labels of its pods, as a query.
    conditions []meta.Condition@type | Ready and others.
    # Tenant : TenantSpec TenantStatus | A household: its environments, its people, and how much it may use.
    # TenantSpec | What a tenant has.
    environments []string | Names of its environments; each is a namespace <tenant>-<environment>.
    connectedEnvironments []string | Environments whose pods may reach each other; every other one is alone.
    members []TenantMember | Who may do what.
    quota TenantQuota | How much each environment may use; of a new tenant the platform's default.
    limits TenantLimits | What each container takes at least, at most, and if it says nothing; of a new tenant the platform's default.
    podSecurity TenantPodSecurity | What pods may ask for.
    # TenantMember | A user or a group, and what they may do.
    kind! enum(User,Group) | User or Group.
    name! string | The user's or group's name.
    role! enum(admin,edit,view) | admin, edit or view.
    # TenantQuota | How much each environment may use.
    hard {}quantity | Resource by resource, as in a ResourceQuota.
    # TenantLimits | Bounds of each container, as in a LimitRange.
    default {}quantity | The limits of a container that has none.
    defaultRequest {}quantity | The requests of a container that has none.
    max {}quantity | At most.
    min {}quantity | At least.
    maxLimitRequestRatio {}quantity | How many times its request a limit may be.
    # TenantPodSecurity | The levels of the Pod Security Standards.
    level enum(baseline,restricted) | Of every environment that is not named; baseline.
    environments {}string | Of environments by name: baseline or restricted.
    # NodePolicy : NodePolicySpec - | What containers of some pods get on nodes, and the most that they may ask for.
    # NodePolicySpec | Of each aspect, the first policy that says something of it counts.
    order int(0..1000000) | Lower ones first, then by name; 1000.
    mode enum(Enforce,Audit) | Audit says what would be, and changes nothing; Enforce.
    onError enum(Fail,Ignore) | Whether a container that asks for something wrong is made; Fail.
    match NodePolicyMatch | For which containers; for all, if left out.
    ulimits []NodePolicyUlimit@type | Limits of processes.
    resources NodePolicyResources | Bounds of what containers may use.
    oomScoreAdj NodePolicyScore | Who is killed first when memory runs out.
    env []NodePolicyVariable@name | Environment variables.
    mounts []NodePolicyMount@name | Places of the node that containers see.
    volumeIO []NodePolicyVolumeIO | How fast containers use their volumes' devices.
    # NodePolicyMatch | For which containers; what is left out asks nothing.
    tenants []string | Of these tenants.
    namespaces []string | In these namespaces; a star at the end stands for any rest.
    podSelector meta.LabelSelector | Of pods with these labels, which are their authors' to choose.
    containers []string | Of these names.
    # NodePolicyUlimit | A limit of processes.
    type! string | NOFILE, NPROC, MEMLOCK and so on.
    soft intstr | What holds, a number or unlimited.
    hard intstr | Up to where a process may raise it.
    max intstr | The most that an annotation may ask for.
    # NodePolicyResources | Bounds of what containers may use.
    memory NodePolicyQuantity | Memory.
    cpu NodePolicyQuantity | Processors.
    pids NodePolicyCount | Processes and threads.
    # NodePolicyQuantity | A bound.
    max quantity | At most.
    # NodePolicyCount | A number of things.
    default int(1..) | What a container gets that is not told otherwise.
    max int(1..) | At most.
    # NodePolicyScore | oom_score_adj of the container's processes.
    default int(-1000..1000) | What a container gets.
    min int(-1000..1000) | At least: nobody is spared more.
    # NodePolicyVariable | An environment variable.
    name! string | Its name.
    value string | Its value.
    when enum(Always,Asked) | Asked: if an annotation of the pod names it; Always.
    # NodePolicyMount | A place of the node that containers see.
    name! string | By which annotations ask for it.
    hostPath! string | Where it is on the node: nobody but root may write on the way there.
    mountPath! string | Where the container finds it.
    readOnly bool | Whether it can't be written; true.
    when enum(Always,Asked) | Asked: if an annotation of the pod names it; Always.
    # NodePolicyVolumeIO | How fast a container uses the device below a volume.
    storageClasses []string | Of volumes of these classes; of all volumes, if left out.
    readBytesPerSecond quantity | At most.
    writeBytesPerSecond quantity | At most.
    readOperationsPerSecond quantity | At most.
    writeOperationsPerSecond quantity | At most.
    # TenantStatus | How a tenant is doing.
    namespaces []string | The namespaces there are.
    observedGeneration int64(0..) | The generation that this is about.
    conditions []meta.Condition@type | Ready and others.
    """)

  static let nagayaStorage = SchemaTable(
    "dev.nagaya.storage.v1alpha1",
    """
    # VolumePool : VolumePoolSpec VolumePoolStatus | A pool of local disk space on one node.
    # VolumePoolSpec | Where a pool is.
    nodeName! string | The node.
    pool! string | The pool's name on its node.
    backend enum(file) | What the volumes are made of: files.
    path string | The directory of the pool.
    # VolumePoolStatus | How full a pool is.
    capacityBytes int64(0..) | All its space.
    allocatedBytes int64(0..) | Space that is promised to volumes.
    freeBytes int64(0..) | Space for new volumes.
    volumes int(0..) | How many volumes it holds.
    observedGeneration int64(0..) | The generation that this is about.
    conditions []meta.Condition@type | Aspects of its state.
    # VolumeMove : VolumeMoveSpec VolumeMoveStatus | A volume's way from one node to another. Delete it to have it taken back.
    # VolumeMoveSpec | What goes where.
    volumeName! string | The PersistentVolume.
    targetNode! string | The node that it goes to.
    bytesPerSecond quantity | How much is copied in a second at most; as much as goes through, if left out.
    reason string | Why it moves, for people.
    # VolumeMoveStatus | How far a move is.
    phase enum(Pending,Preparing,Copying,Switching,Cleaning,Succeeded,Aborting,Failed) | Until Cleaning all of it can be taken back.
    message string | What it waits for, or why it failed.
    sourceNode string | The node that the volume was on.
    volumeHandle string | What the driver calls the volume, on both nodes.
    bytes int64(0..) | The volume's size.
    checksum string | Of all its bytes, by which the copy was found to be right: the SHA-256 of the SHA-256 of its pieces of 256 KiB.
    startTime time | When it began.
    stopTime time | When its pods were asked to end.
    switchTime time | From when on they could start on the other node.
    completionTime time | When it ended.
    source VolumeMoveSource | What the node says that has the volume.
    target VolumeMoveTarget | What the node says that gets it.
    observedGeneration int64(0..) | The generation that this is about.
    # VolumeMoveSource | The source's report.
    state enum(Copied,Verified,Deleted,Released) | How far it is.
    fingerprint string | SHA-256 of the certificate by which it is known to the target.
    bytes int64(0..) | How large the volume is there.
    round int(0..) | How often it has begun to copy.
    comparedBytes int64(0..) | How much of the volume was looked at in this round.
    sentBytes int64(0..) | How much of that had to be sent.
    checksum string | Of the copy that was verified.
    message string | What it waits for.
    # VolumeMoveTarget | The target's report.
    state enum(Ready,Refused,Served,Released) | How far it is.
    fingerprint string | SHA-256 of the certificate by which it is known to the source.
    address string | Where it listens.
    message string | Why it refuses.
    """)
}
