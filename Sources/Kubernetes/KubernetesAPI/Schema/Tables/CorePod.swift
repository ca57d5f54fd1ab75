extension SchemaTable {
  static let corePod = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Pod : PodSpec PodStatus | Containers that run together on one node and share its network and volumes.
    # PodTemplateSpec | What the pods of a workload look like.
    metadata meta.ObjectMeta 1 | Labels and annotations of the pods.
    spec PodSpec 2 | What the pods run.
    # PodTemplate | A stored template.
    apiVersion string | Group and version of the object's schema.
    kind string | PodTemplate
    metadata meta.ObjectMeta 1 | Name, namespace, labels.
    template PodTemplateSpec 2 | The template.
    # Binding | Gives a pod its node.
    apiVersion string | Group and version of the object's schema.
    kind string | Binding
    metadata meta.ObjectMeta 1 | The pod's name and namespace.
    target! ObjectReference 2 | The node.
    # PodSpec | What a pod runs, and where it may run.
    volumes []Volume@name 1 | Volumes that the containers may mount.
    initContainers []Container@name 20 | Containers that run to their end, one after the other, before the others start.
    containers! []Container@name 2 | The pod's containers; at least one.
    ephemeralContainers []EphemeralContainer@name 34 | Containers put into the running pod for looking around.
    restartPolicy string 3 | Always (default), OnFailure or Never.
    terminationGracePeriodSeconds int64(0..) *4 | Seconds between the request to end and the kill; 30.
    activeDeadlineSeconds int64(1..2147483647) *5 | Seconds after which the pod is ended.
    dnsPolicy string 6 | ClusterFirst (default), ClusterFirstWithHostNet, Default or None.
    nodeSelector {}string 7 | Labels that the node must have.
    serviceAccountName string 8 | Who the pod is to the API.
    serviceAccount string 9 | The old name of serviceAccountName.
    automountServiceAccountToken bool *21 | Mount the account's token.
    nodeName string 10 | The node that runs the pod; set by the scheduler.
    hostNetwork bool 11 | Use the node's network.
    hostPID bool 12 | See the node's processes.
    hostIPC bool 13 | Use the node's IPC.
    shareProcessNamespace bool *27 | The containers see each other's processes.
    securityContext PodSecurityContext *14 | Who the containers run as, for all of them.
    imagePullSecrets []LocalObjectReference@name 15 | Secrets for private registries.
    hostname string 16 | The pod's host name; its name if empty.
    subdomain string 17 | The host name's domain within the namespace.
    affinity Affinity *18 | Rules for the node, in terms of nodes and of other pods.
    schedulerName string 19 | Who chooses the node.
    tolerations []Toleration 22 | Taints of nodes that do not keep the pod away.
    hostAliases []HostAlias@ip 23 | Further lines of /etc/hosts.
    priorityClassName string 24 | The pod's importance, by name.
    priority int *25 | The pod's importance.
    dnsConfig PodDNSConfig *26 | Further DNS settings.
    readinessGates []PodReadinessGate 28 | Further conditions of readiness.
    runtimeClassName string *29 | The kind of runtime.
    enableServiceLinks bool *30 | Variables with the addresses of services.
    preemptionPolicy string *31 | Never, or PreemptLowerPriority.
    overhead {}quantity 32 | What the runtime itself needs.
    topologySpreadConstraints []TopologySpreadConstraint@topologyKey,whenUnsatisfiable 33 | How pods spread over the cluster.
    setHostnameAsFQDN bool *35 | The host name is the full domain name.
    os PodOS *36 | The operating system it is for.
    hostUsers bool *37 | False: a user namespace of its own.
    schedulingGates []PodSchedulingGate@name 38 | What must be lifted before the pod is scheduled.
    resourceClaims []PodResourceClaim@name 39 | Claims of devices.
    resources ResourceRequirements *40 | What all containers together need and may use.
    hostnameOverride string *41 | The host name, whatever the rest says.
    schedulingGroup PodSchedulingGroup *43 | The pods that are scheduled together with it.
    # PodSchedulingGroup | Pods that are scheduled together.
    podGroupName string *1 | The group's name.
    # PodOS | An operating system.
    name! string 1 | linux or windows.
    # PodSchedulingGate | Holds back the scheduling.
    name! string 1 | The gate's name.
    # PodReadinessGate | A condition of readiness.
    conditionType! string 1 | The condition's type.
    # PodResourceClaim | A claim of devices.
    name! string 1 | The claim's name in the pod.
    resourceClaimName string *3 | A claim that exists.
    resourceClaimTemplateName string *4 | A template to make the claim from.
    # LocalObjectReference | An object of the same namespace.
    name string 1 | Its name.
    # TypedLocalObjectReference | An object of the same namespace.
    apiGroup string *1 | Its group.
    kind! string 2 | Its kind.
    name! string 3 | Its name.
    # TypedObjectReference | An object.
    apiGroup string *1 | Its group.
    kind! string 2 | Its kind.
    name! string 3 | Its name.
    namespace string *4 | Its namespace.
    # ObjectReference | Any object.
    kind string 1 | Its kind.
    namespace string 2 | Its namespace.
    name string 3 | Its name.
    uid string 4 | Its uid.
    apiVersion string 5 | Its group and version.
    resourceVersion string 6 | Its version.
    fieldPath string 7 | A part of it.
    # HostAlias | A line of /etc/hosts.
    ip! string 1 | The address.
    hostnames []string 2 | The names.
    # PodDNSConfig | DNS settings.
    nameservers []string 1 | Servers.
    searches []string 2 | Search domains.
    options []PodDNSConfigOption 3 | Resolver options.
    # PodDNSConfigOption | A resolver option.
    name string 1 | Its name.
    value string *2 | Its value.
    # PodSecurityContext | Who the containers of a pod run as.
    seLinuxOptions SELinuxOptions *1 | The SELinux label.
    windowsOptions WindowsSecurityContextOptions *8 | For Windows.
    runAsUser int64(0..2147483647) *2 | The user's number.
    runAsGroup int64(0..2147483647) *6 | The group's number.
    runAsNonRoot bool *3 | Refuse to run as root.
    supplementalGroups []int64(0..2147483647) 4 | Further groups.
    supplementalGroupsPolicy string *12 | Merge or Strict.
    fsGroup int64(0..2147483647) *5 | The group that volumes belong to.
    sysctls []Sysctl 7 | Kernel settings of the pod.
    fsGroupChangePolicy string *9 | OnRootMismatch or Always.
    seccompProfile SeccompProfile *10 | Which system calls are allowed.
    appArmorProfile AppArmorProfile *11 | The AppArmor profile.
    seLinuxChangePolicy string *13 | MountOption or Recursive.
    # Sysctl | A kernel setting.
    name! string 1 | Its name.
    value! string 2 | Its value.
    """)
}
