extension SchemaTable {
  static let corePod = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Pod : PodSpec PodStatus | Containers that run together on one node and share its network and volumes.
    # PodTemplateSpec | What the pods of a workload look like.
    metadata meta.ObjectMeta | Labels and annotations of the pods.
    spec PodSpec | What the pods run.
    # PodTemplate | A stored template.
    apiVersion string | Group and version of the object's schema.
    kind string | PodTemplate
    metadata meta.ObjectMeta | Name, namespace, labels.
    template PodTemplateSpec | The template.
    # Binding | Gives a pod its node.
    apiVersion string | Group and version of the object's schema.
    kind string | Binding
    metadata meta.ObjectMeta | The pod's name and namespace.
    target! ObjectReference | The node.
    # PodSpec | What a pod runs, and where it may run.
    volumes []Volume@name | Volumes that the containers may mount.
    initContainers []Container@name | Containers that run to their end, one after the other, before the others start.
    containers! []Container@name | The pod's containers; at least one.
    ephemeralContainers []EphemeralContainer@name | Containers put into the running pod for looking around.
    restartPolicy string | Always (default), OnFailure or Never.
    terminationGracePeriodSeconds int64 | Seconds between the request to end and the kill; 30.
    activeDeadlineSeconds int64 | Seconds after which the pod is ended.
    dnsPolicy string | ClusterFirst (default), ClusterFirstWithHostNet, Default or None.
    nodeSelector {}string | Labels that the node must have.
    serviceAccountName string | Who the pod is to the API.
    serviceAccount string | The old name of serviceAccountName.
    automountServiceAccountToken bool | Mount the account's token.
    nodeName string | The node that runs the pod; set by the scheduler.
    hostNetwork bool | Use the node's network.
    hostPID bool | See the node's processes.
    hostIPC bool | Use the node's IPC.
    shareProcessNamespace bool | The containers see each other's processes.
    securityContext PodSecurityContext | Who the containers run as, for all of them.
    imagePullSecrets []LocalObjectReference@name | Secrets for private registries.
    hostname string | The pod's host name; its name if empty.
    subdomain string | The host name's domain within the namespace.
    affinity Affinity | Rules for the node, in terms of nodes and of other pods.
    schedulerName string | Who chooses the node.
    tolerations []Toleration | Taints of nodes that do not keep the pod away.
    hostAliases []HostAlias@ip | Further lines of /etc/hosts.
    priorityClassName string | The pod's importance, by name.
    priority int | The pod's importance.
    dnsConfig PodDNSConfig | Further DNS settings.
    readinessGates []PodReadinessGate | Further conditions of readiness.
    runtimeClassName string | The kind of runtime.
    enableServiceLinks bool | Variables with the addresses of services.
    preemptionPolicy string | Never, or PreemptLowerPriority.
    overhead {}quantity | What the runtime itself needs.
    topologySpreadConstraints []TopologySpreadConstraint@topologyKey,whenUnsatisfiable | How pods spread over the cluster.
    setHostnameAsFQDN bool | The host name is the full domain name.
    os PodOS | The operating system it is for.
    hostUsers bool | False: a user namespace of its own.
    schedulingGates []PodSchedulingGate@name | What must be lifted before the pod is scheduled.
    resourceClaims []PodResourceClaim@name | Claims of devices.
    resources ResourceRequirements | What all containers together need and may use.
    hostnameOverride string | The host name, whatever the rest says.
    schedulingGroup PodSchedulingGroup | The pods that are scheduled together with it.
    # PodSchedulingGroup | Pods that are scheduled together.
    podGroupName string | The group's name.
    # PodOS | An operating system.
    name! string | linux or windows.
    # PodSchedulingGate | Holds back the scheduling.
    name! string | The gate's name.
    # PodReadinessGate | A condition of readiness.
    conditionType! string | The condition's type.
    # PodResourceClaim | A claim of devices.
    name! string | The claim's name in the pod.
    resourceClaimName string | A claim that exists.
    resourceClaimTemplateName string | A template to make the claim from.
    # LocalObjectReference | An object of the same namespace.
    name string | Its name.
    # TypedLocalObjectReference | An object of the same namespace.
    apiGroup string | Its group.
    kind! string | Its kind.
    name! string | Its name.
    # TypedObjectReference | An object.
    apiGroup string | Its group.
    kind! string | Its kind.
    name! string | Its name.
    namespace string | Its namespace.
    # ObjectReference | Any object.
    kind string | Its kind.
    namespace string | Its namespace.
    name string | Its name.
    uid string | Its uid.
    apiVersion string | Its group and version.
    resourceVersion string | Its version.
    fieldPath string | A part of it.
    # HostAlias | A line of /etc/hosts.
    ip! string | The address.
    hostnames []string | The names.
    # PodDNSConfig | DNS settings.
    nameservers []string | Servers.
    searches []string | Search domains.
    options []PodDNSConfigOption | Resolver options.
    # PodDNSConfigOption | A resolver option.
    name string | Its name.
    value string | Its value.
    # PodSecurityContext | Who the containers of a pod run as.
    seLinuxOptions SELinuxOptions | The SELinux label.
    windowsOptions WindowsSecurityContextOptions | For Windows.
    runAsUser int64 | The user's number.
    runAsGroup int64 | The group's number.
    runAsNonRoot bool | Refuse to run as root.
    supplementalGroups []int64 | Further groups.
    supplementalGroupsPolicy string | Merge or Strict.
    fsGroup int64 | The group that volumes belong to.
    sysctls []Sysctl | Kernel settings of the pod.
    fsGroupChangePolicy string | OnRootMismatch or Always.
    seccompProfile SeccompProfile | Which system calls are allowed.
    appArmorProfile AppArmorProfile | The AppArmor profile.
    seLinuxChangePolicy string | MountOption or Recursive.
    # Sysctl | A kernel setting.
    name! string | Its name.
    value! string | Its value.
    """)
}
