extension SchemaTable {
  static let corePlacement = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Affinity | Rules for the choice of a node.
    nodeAffinity NodeAffinity *1 | In terms of nodes.
    podAffinity PodAffinity *2 | Near other pods.
    podAntiAffinity PodAntiAffinity *3 | Away from other pods.
    # NodeAffinity | Rules about nodes.
    requiredDuringSchedulingIgnoredDuringExecution NodeSelector *1 | Must hold when the node is chosen.
    preferredDuringSchedulingIgnoredDuringExecution []PreferredSchedulingTerm 2 | Should hold; the sum of weights decides.
    # PodAffinity | Rules about being near.
    requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm 1 | Must hold when the node is chosen.
    preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm 2 | Should hold.
    # PodAntiAffinity | Rules about being apart.
    requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm 1 | Must hold when the node is chosen.
    preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm 2 | Should hold.
    # PodAffinityTerm | Pods and a topology.
    labelSelector meta.LabelSelector *1 | The pods.
    namespaces []string 2 | Their namespaces; the pod's own if empty.
    topologyKey! string 3 | The label of nodes that says what counts as the same place.
    namespaceSelector meta.LabelSelector *4 | Further namespaces.
    matchLabelKeys []string 5 | Keys whose values the pod itself provides.
    mismatchLabelKeys []string 6 | Keys whose values must differ from the pod's.
    # WeightedPodAffinityTerm | A rule and its weight.
    weight! int(1..100) 1 | 1 to 100.
    podAffinityTerm! PodAffinityTerm 2 | The rule.
    # PreferredSchedulingTerm | A rule and its weight.
    weight! int(1..100) 1 | 1 to 100.
    preference! NodeSelectorTerm 2 | The rule.
    # NodeSelector | Nodes; any of the terms.
    nodeSelectorTerms! []NodeSelectorTerm 1 | The terms.
    # NodeSelectorTerm | Nodes; all of the requirements.
    matchExpressions []NodeSelectorRequirement 1 | In terms of labels.
    matchFields []NodeSelectorRequirement 2 | In terms of fields; metadata.name.
    # NodeSelectorRequirement | A key, an operator and values.
    key! string 1 | The label or field.
    operator! string 2 | In, NotIn, Exists, DoesNotExist, Gt or Lt.
    values []string 3 | The values.
    # Toleration | A taint that does not keep the pod away.
    key string 1 | The taint's key; all if empty.
    operator string 2 | Equal (default), Exists, Lt or Gt.
    value string 3 | The taint's value.
    effect string 4 | NoSchedule, PreferNoSchedule, NoExecute; all if empty.
    tolerationSeconds int64 *5 | How long a NoExecute taint is tolerated.
    # Taint | Keeps pods away from a node.
    key! string 1 | The taint's key.
    value string 2 | The taint's value.
    effect! string 3 | NoSchedule, PreferNoSchedule or NoExecute.
    timeAdded time *4 | When it was added.
    # TopologySpreadConstraint | How evenly pods spread.
    maxSkew! int(1..) 1 | How far the fullest place may be ahead of the emptiest.
    topologyKey! string 2 | The label of nodes that says what counts as one place.
    whenUnsatisfiable! string 3 | DoNotSchedule or ScheduleAnyway.
    labelSelector meta.LabelSelector *4 | The pods that count.
    minDomains int(1..) *5 | How many places there must be at least.
    nodeAffinityPolicy string *6 | Honor or Ignore.
    nodeTaintsPolicy string *7 | Honor or Ignore.
    matchLabelKeys []string 8 | Keys whose values the pod itself provides.
    # TopologySelectorTerm | Places.
    matchLabelExpressions []TopologySelectorLabelRequirement 1 | The requirements.
    # TopologySelectorLabelRequirement | A label and its values.
    key! string 1 | The label.
    values! []string 2 | One of these.
    """)
}
