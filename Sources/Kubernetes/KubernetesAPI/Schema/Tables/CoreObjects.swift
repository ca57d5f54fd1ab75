extension SchemaTable {
  static let coreObjects = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Namespace : NamespaceSpec NamespaceStatus | A space for names: an environment of a tenant.
    # NamespaceSpec | What holds a namespace.
    finalizers []string | Who must act before it may go.
    # NamespaceStatus | A namespace's state.
    phase string | Active or Terminating.
    conditions []NamespaceCondition@type | What the deletion waits for.
    # NamespaceCondition | One aspect of a namespace's state.
    type! string | The aspect.
    status! string | True, False or Unknown.
    lastTransitionTime time | When the status last changed.
    reason string | A word for why.
    message string | A sentence for people.
    # ConfigMap : | Settings that pods mount or read as environment.
    immutable bool | The data may not change any more.
    data {}string | Keys and texts.
    binaryData {}bytes | Keys and bytes, in base64.
    # Secret : | Data that only those who need it should see.
    immutable bool | The data may not change any more.
    data {}bytes | Keys and bytes, in base64.
    stringData {}string | Keys and texts; written into data, never read.
    type string | What the data is for; Opaque.
    # ServiceAccount : | Who pods are to the API.
    secrets []ObjectReference@name | Secrets its pods may use.
    imagePullSecrets []LocalObjectReference | Secrets for private registries.
    automountServiceAccountToken bool | Mount the token into its pods.
    # ResourceQuota : ResourceQuotaSpec ResourceQuotaStatus | How much a namespace may use.
    # ResourceQuotaSpec | The bounds.
    hard {}quantity | Resource by resource: requests.cpu, limits.memory, requests.storage, pods, count/deployments.apps.
    scopes []string | Which pods count.
    scopeSelector ScopeSelector | Which pods count, in more detail.
    # ResourceQuotaStatus | The bounds and the use.
    hard {}quantity | The bounds in force.
    used {}quantity | The use.
    # ScopeSelector | Which pods count.
    matchExpressions []ScopedResourceSelectorRequirement | All of these.
    # ScopedResourceSelectorRequirement | A scope, an operator and values.
    scopeName! string | The scope.
    operator! string | In, NotIn, Exists or DoesNotExist.
    values []string | The values.
    # Event : | Something that happened to an object.
    involvedObject! ObjectReference | The object.
    reason string | A word for what happened.
    message string | A sentence for people.
    source EventSource | Who reported it.
    firstTimestamp time | When it was first seen.
    lastTimestamp time | When it was last seen.
    count int | How often it was seen.
    type string | Normal or Warning.
    eventTime microtime | When it was first seen, to the microsecond.
    series EventSeries | The series that it is part of.
    action string | What was done.
    related ObjectReference | A second object.
    reportingComponent string | Who reported it.
    reportingInstance string | Which instance of it.
    # EventSource | Who reported.
    component string | The component.
    host string | The node.
    # EventSeries | A series of the same event.
    count int | How often.
    lastObservedTime microtime | When last.
    """)

  static let coreService = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Service : ServiceSpec ServiceStatus | A name for the ready pods that a selector finds.
    # ServiceSpec | What a service leads to.
    ports []ServicePort@port,protocol | Its ports.
    selector {}string | Labels of its pods.
    clusterIP string | Its address in the cluster; None here: clients ask its endpoint slices.
    clusterIPs []string | Its addresses in the cluster.
    type string | ClusterIP (default), NodePort, LoadBalancer or ExternalName.
    externalIPs []string | Addresses from outside.
    sessionAffinity string | None or ClientIP.
    loadBalancerIP string | No longer used.
    loadBalancerSourceRanges []string | Who may come in.
    externalName string | A DNS name, for ExternalName.
    externalTrafficPolicy string | Cluster or Local.
    healthCheckNodePort int | The port of health checks.
    publishNotReadyAddresses bool | Pods that are not ready count too.
    sessionAffinityConfig SessionAffinityConfig | How long clients stick.
    ipFamilies []string | IPv4, IPv6.
    ipFamilyPolicy string | SingleStack, PreferDualStack or RequireDualStack.
    allocateLoadBalancerNodePorts bool | Node ports for load balancers.
    loadBalancerClass string | The kind of load balancer.
    internalTrafficPolicy string | Cluster or Local.
    trafficDistribution string | Which pods are preferred.
    # ServicePort | A port of a service.
    name string | Its name; needed if there are several.
    protocol string | TCP (default), UDP or SCTP.
    appProtocol string | What is spoken.
    port! int | The service's port.
    targetPort intstr | The pods' port, by number or name; the same if left out.
    nodePort int | The nodes' port.
    # SessionAffinityConfig | How clients stick.
    clientIP ClientIPConfig | By address.
    # ClientIPConfig | By address.
    timeoutSeconds int | How long.
    # ServiceStatus | A service's state.
    loadBalancer LoadBalancerStatus | Its load balancer.
    conditions []meta.Condition@type | Aspects of its state.
    # LoadBalancerStatus | A load balancer's state.
    ingress []LoadBalancerIngress | Where it takes traffic in.
    # LoadBalancerIngress | A way in.
    ip string | An address.
    hostname string | A name.
    ipMode string | VIP or Proxy.
    ports []PortStatus | Port by port.
    # PortStatus | A port's state.
    port! int | The port.
    protocol! string | The protocol.
    error string | What went wrong.
    """)
}
