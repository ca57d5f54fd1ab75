extension SchemaTable {
  static let corePlacement = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Affinity | Rules for the choice of a node.
    nodeAffinity NodeAffinity | In terms of nodes.
    podAffinity PodAffinity | Near other pods.
    podAntiAffinity PodAntiAffinity | Away from other pods.
    # NodeAffinity | Rules about nodes.
    requiredDuringSchedulingIgnoredDuringExecution NodeSelector | Must hold when the node is chosen.
    preferredDuringSchedulingIgnoredDuringExecution []PreferredSchedulingTerm | Should hold; the sum of weights decides.
    # PodAffinity | Rules about being near.
    requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm | Must hold when the node is chosen.
    preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm | Should hold.
    # PodAntiAffinity | Rules about being apart.
    requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm | Must hold when the node is chosen.
    preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm | Should hold.
    # PodAffinityTerm | Pods and a topology.
    labelSelector meta.LabelSelector | The pods.
    namespaces []string | Their namespaces; the pod's own if empty.
    topologyKey! string | The label of nodes that says what counts as the same place.
    namespaceSelector meta.LabelSelector | Further namespaces.
    matchLabelKeys []string | Keys whose values the pod itself provides.
    mismatchLabelKeys []string | Keys whose values must differ from the pod's.
    # WeightedPodAffinityTerm | A rule and its weight.
    weight! int | 1 to 100.
    podAffinityTerm! PodAffinityTerm | The rule.
    # PreferredSchedulingTerm | A rule and its weight.
    weight! int | 1 to 100.
    preference! NodeSelectorTerm | The rule.
    # NodeSelector | Nodes; any of the terms.
    nodeSelectorTerms! []NodeSelectorTerm | The terms.
    # NodeSelectorTerm | Nodes; all of the requirements.
    matchExpressions []NodeSelectorRequirement | In terms of labels.
    matchFields []NodeSelectorRequirement | In terms of fields; metadata.name.
    # NodeSelectorRequirement | A key, an operator and values.
    key! string | The label or field.
    operator! string | In, NotIn, Exists, DoesNotExist, Gt or Lt.
    values []string | The values.
    # Toleration | A taint that does not keep the pod away.
    key string | The taint's key; all if empty.
    operator string | Equal (default), Exists, Lt or Gt.
    value string | The taint's value.
    effect string | NoSchedule, PreferNoSchedule, NoExecute; all if empty.
    tolerationSeconds int64 | How long a NoExecute taint is tolerated.
    # Taint | Keeps pods away from a node.
    key! string | The taint's key.
    value string | The taint's value.
    effect! string | NoSchedule, PreferNoSchedule or NoExecute.
    timeAdded time | When it was added.
    # TopologySpreadConstraint | How evenly pods spread.
    maxSkew! int | How far the fullest place may be ahead of the emptiest.
    topologyKey! string | The label of nodes that says what counts as one place.
    whenUnsatisfiable! string | DoNotSchedule or ScheduleAnyway.
    labelSelector meta.LabelSelector | The pods that count.
    minDomains int | How many places there must be at least.
    nodeAffinityPolicy string | Honor or Ignore.
    nodeTaintsPolicy string | Honor or Ignore.
    matchLabelKeys []string | Keys whose values the pod itself provides.
    # TopologySelectorTerm | Places.
    matchLabelExpressions []TopologySelectorLabelRequirement | The requirements.
    # TopologySelectorLabelRequirement | A label and its values.
    key! string | The label.
    values! []string | One of these.
    """)
}
