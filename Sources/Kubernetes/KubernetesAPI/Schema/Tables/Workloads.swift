extension SchemaTable {
  static let apps = SchemaTable(
    "io.k8s.api.apps.v1",
    """
    # Deployment : DeploymentSpec DeploymentStatus | So many pods of a template, changed in a rolling way.
    # DeploymentSpec | Which pods, how many, and how they are changed.
    replicas int | How many pods; 1.
    selector! meta.LabelSelector | The labels of its pods; must match the template's and cannot change.
    template! core.PodTemplateSpec | What the pods look like.
    strategy DeploymentStrategy | How pods of an old template give way to new ones.
    minReadySeconds int | Seconds a pod must be ready to count as available; 0.
    revisionHistoryLimit int | Old replica sets that are kept; 10.
    paused bool | Changes of the template wait.
    progressDeadlineSeconds int | Seconds without progress after which it counts as failed; 600.
    # DeploymentStrategy | How pods are changed.
    type string | RollingUpdate (default) or Recreate.
    rollingUpdate RollingUpdateDeployment | How far the rolling may go.
    # RollingUpdateDeployment | How far the rolling may go.
    maxUnavailable intstr | Pods that may be missing, a number or a percentage; 25%.
    maxSurge intstr | Pods there may be too many, a number or a percentage; 25%.
    # DeploymentStatus | How a deployment is doing.
    observedGeneration int64 | The generation that this is about.
    replicas int | Pods there are.
    updatedReplicas int | Pods of the newest template.
    readyReplicas int | Ready pods.
    availableReplicas int | Pods that have been ready for long enough.
    unavailableReplicas int | Pods that are missing.
    terminatingReplicas int | Pods that are going.
    conditions []DeploymentCondition@type | Available, Progressing, ReplicaFailure.
    collisionCount int | Counts clashes of replica set names.
    # DeploymentCondition | One aspect of a deployment's state.
    type! string | The aspect.
    status! string | True, False or Unknown.
    lastUpdateTime time | When it was last written.
    lastTransitionTime time | When the status last changed.
    reason string | A word for why.
    message string | A sentence for people.
    # ReplicaSet : ReplicaSetSpec ReplicaSetStatus | So many pods of one template: a revision of a deployment.
    # ReplicaSetSpec | Which pods and how many.
    replicas int | How many pods; 1.
    minReadySeconds int | Seconds a pod must be ready to count as available; 0.
    selector! meta.LabelSelector | The labels of its pods; must match the template's and cannot change.
    template core.PodTemplateSpec | What the pods look like.
    # ReplicaSetStatus | How a replica set is doing.
    replicas! int | Pods there are.
    fullyLabeledReplicas int | Pods that have all labels of the template.
    readyReplicas int | Ready pods.
    availableReplicas int | Pods that have been ready for long enough.
    terminatingReplicas int | Pods that are going.
    observedGeneration int64 | The generation that this is about.
    conditions []ReplicaSetCondition@type | ReplicaFailure.
    # ReplicaSetCondition | One aspect of a replica set's state.
    type! string | The aspect.
    status! string | True, False or Unknown.
    lastTransitionTime time | When the status last changed.
    reason string | A word for why.
    message string | A sentence for people.
    """)

  static let autoscaling = SchemaTable(
    "io.k8s.api.autoscaling.v1",
    """
    # Scale : ScaleSpec ScaleStatus | How many replicas of something there are and should be.
    # ScaleSpec | How many there should be.
    replicas int | The number.
    # ScaleStatus | How many there are.
    replicas! int | The number.
    selector string | The labels of its pods, as a query.
    """)
}
