extension SchemaTable {
  static let coreObjects = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Namespace : NamespaceSpec NamespaceStatus | A space for names: an environment of a tenant.
    # NamespaceSpec | What holds a namespace.
    finalizers []string 1 | Who must act before it may go.
    # NamespaceStatus | A namespace's state.
    phase string 1 | Active or Terminating.
    conditions []NamespaceCondition@type 2 | What the deletion waits for.
    # NamespaceCondition | One aspect of a namespace's state.
    type! string 1 | The aspect.
    status! string 2 | True, False or Unknown.
    lastTransitionTime time 4 | When the status last changed.
    reason string 5 | A word for why.
    message string 6 | A sentence for people.
    # ConfigMap : | Settings that pods mount or read as environment.
    immutable bool *4 | The data may not change any more.
    data {}string 2 | Keys and texts.
    binaryData {}bytes 3 | Keys and bytes, in base64.
    # Secret : | Data that only those who need it should see.
    immutable bool *5 | The data may not change any more.
    data {}bytes 2 | Keys and bytes, in base64.
    stringData {}string 4 | Keys and texts; written into data, never read.
    type string 3 | What the data is for; Opaque.
    # ServiceAccount : | Who pods are to the API.
    secrets []ObjectReference@name 2 | Secrets its pods may use.
    imagePullSecrets []LocalObjectReference 3 | Secrets for private registries.
    automountServiceAccountToken bool *4 | Mount the token into its pods.
    # ResourceQuota : ResourceQuotaSpec ResourceQuotaStatus | How much a namespace may use.
    # ResourceQuotaSpec | The bounds.
    hard {}quantity 1 | Resource by resource: requests.cpu, limits.memory, requests.storage, pods, count/deployments.apps.
    scopes []string 2 | Which pods count.
    scopeSelector ScopeSelector *3 | Which pods count, in more detail.
    # ResourceQuotaStatus | The bounds and the use.
    hard {}quantity 1 | The bounds in force.
    used {}quantity 2 | The use.
    # LimitRange : LimitRangeSpec | What each pod, container or claim of a namespace takes at least, at most, and if it says nothing.
    # LimitRangeSpec | The bounds.
    limits! []LimitRangeItem 1 | One for each type.
    # LimitRangeItem | The bounds of one type of object.
    type! string 1 | Container, Pod or PersistentVolumeClaim.
    max {}quantity 2 | At most, by resource.
    min {}quantity 3 | At least, by resource.
    default {}quantity 4 | The limits of a container that has none.
    defaultRequest {}quantity 5 | The requests of a container that has none.
    maxLimitRequestRatio {}quantity 6 | How many times its request a limit may be.
    # ScopeSelector | Which pods count.
    matchExpressions []ScopedResourceSelectorRequirement 1 | All of these.
    # ScopedResourceSelectorRequirement | A scope, an operator and values.
    scopeName! string 1 | The scope.
    operator! string 2 | In, NotIn, Exists or DoesNotExist.
    values []string 3 | The values.
    # Event : | Something that happened to an object.
    involvedObject! ObjectReference 2 | The object.
    reason string 3 | A word for what happened.
    message string 4 | A sentence for people.
    source EventSource 5 | Who reported it.
    firstTimestamp time 6 | When it was first seen.
    lastTimestamp time 7 | When it was last seen.
    count int 8 | How often it was seen.
    type string 9 | Normal or Warning.
    eventTime microtime 10 | When it was first seen, to the microsecond.
    series EventSeries *11 | The series that it is part of.
    action string 12 | What was done.
    related ObjectReference *13 | A second object.
    reportingComponent string 14 | Who reported it.
    reportingInstance string 15 | Which instance of it.
    # EventSource | Who reported.
    component string 1 | The component.
    host string 2 | The node.
    # EventSeries | A series of the same event.
    count int 1 | How often.
    lastObservedTime microtime 2 | When last.
    """)

  static let coreService = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Service : ServiceSpec ServiceStatus | A name for the ready pods that a selector finds.
    # ServiceSpec | What a service leads to.
    ports []ServicePort@port,protocol 1 | Its ports.
    selector {}string 2 | Labels of its pods.
    clusterIP string 3 | Its address in the cluster; None here: clients ask its endpoint slices.
    clusterIPs []string 18 | Its addresses in the cluster.
    type string 4 | ClusterIP (default), NodePort, LoadBalancer or ExternalName.
    externalIPs []string 5 | Addresses from outside.
    sessionAffinity string 7 | None or ClientIP.
    loadBalancerIP string 8 | No longer used.
    loadBalancerSourceRanges []string 9 | Who may come in.
    externalName string 10 | A DNS name, for ExternalName.
    externalTrafficPolicy string 11 | Cluster or Local.
    healthCheckNodePort int(0..65535) 12 | The port of health checks.
    publishNotReadyAddresses bool 13 | Pods that are not ready count too.
    sessionAffinityConfig SessionAffinityConfig *14 | How long clients stick.
    ipFamilies []string 19 | IPv4, IPv6.
    ipFamilyPolicy string *17 | SingleStack, PreferDualStack or RequireDualStack.
    allocateLoadBalancerNodePorts bool *20 | Node ports for load balancers.
    loadBalancerClass string *21 | The kind of load balancer.
    internalTrafficPolicy string *22 | Cluster or Local.
    trafficDistribution string *23 | Which pods are preferred.
    # ServicePort | A port of a service.
    name string 1 | Its name; needed if there are several.
    protocol string 2 | TCP (default), UDP or SCTP.
    appProtocol string *6 | What is spoken.
    port! int(1..65535) 3 | The service's port.
    targetPort intstr(0..65535) 4 | The pods' port, by number or name; the same if left out.
    nodePort int(0..65535) 5 | The nodes' port.
    # SessionAffinityConfig | How clients stick.
    clientIP ClientIPConfig *1 | By address.
    # ClientIPConfig | By address.
    timeoutSeconds int(1..86400) *1 | How long.
    # ServiceStatus | A service's state.
    loadBalancer LoadBalancerStatus 1 | Its load balancer.
    conditions []meta.Condition@type 2 | Aspects of its state.
    # LoadBalancerStatus | A load balancer's state.
    ingress []LoadBalancerIngress 1 | Where it takes traffic in.
    # LoadBalancerIngress | A way in.
    ip string 1 | An address.
    hostname string 2 | A name.
    ipMode string *3 | VIP or Proxy.
    ports []PortStatus 4 | Port by port.
    # PortStatus | A port's state.
    port! int(1..65535) 1 | The port.
    protocol! string 2 | The protocol.
    error string *3 | What went wrong.
    """)
}
