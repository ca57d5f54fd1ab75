extension SchemaTable {
  static let apps = SchemaTable(
    "io.k8s.api.apps.v1",
    """
    # Deployment : DeploymentSpec DeploymentStatus | So many pods of a template, changed in a rolling way.
    # DeploymentSpec | Which pods, how many, and how they are changed.
    replicas int(0..) *1 | How many pods; 1.
    selector! meta.LabelSelector *2 | The labels of its pods; must match the template's and cannot change.
    template! core.PodTemplateSpec 3 | What the pods look like.
    strategy DeploymentStrategy 4 | How pods of an old template give way to new ones.
    minReadySeconds int(0..) 5 | Seconds a pod must be ready to count as available; 0.
    revisionHistoryLimit int(0..) *6 | Old replica sets that are kept; 10.
    paused bool 7 | Changes of the template wait.
    progressDeadlineSeconds int(0..) *9 | Seconds without progress after which it counts as failed; 600.
    # DeploymentStrategy | How pods are changed.
    type string 1 | RollingUpdate (default) or Recreate.
    rollingUpdate RollingUpdateDeployment *2 | How far the rolling may go.
    # RollingUpdateDeployment | How far the rolling may go.
    maxUnavailable intstr(0..) *1 | Pods that may be missing, a number or a percentage; 25%.
    maxSurge intstr(0..) *2 | Pods there may be too many, a number or a percentage; 25%.
    # DeploymentStatus | How a deployment is doing.
    observedGeneration int64(0..) 1 | The generation that this is about.
    replicas int(0..) 2 | Pods there are.
    updatedReplicas int(0..) 3 | Pods of the newest template.
    readyReplicas int(0..) 7 | Ready pods.
    availableReplicas int(0..) 4 | Pods that have been ready for long enough.
    unavailableReplicas int(0..) 5 | Pods that are missing.
    terminatingReplicas int(0..) *9 | Pods that are going.
    conditions []DeploymentCondition@type 6 | Available, Progressing, ReplicaFailure.
    collisionCount int(0..) *8 | Counts clashes of replica set names.
    # DeploymentCondition | One aspect of a deployment's state.
    type! string 1 | The aspect.
    status! string 2 | True, False or Unknown.
    lastUpdateTime time 6 | When it was last written.
    lastTransitionTime time 7 | When the status last changed.
    reason string 4 | A word for why.
    message string 5 | A sentence for people.
    # ReplicaSet : ReplicaSetSpec ReplicaSetStatus | So many pods of one template: a revision of a deployment.
    # ReplicaSetSpec | Which pods and how many.
    replicas int(0..) *1 | How many pods; 1.
    minReadySeconds int(0..) 4 | Seconds a pod must be ready to count as available; 0.
    selector! meta.LabelSelector *2 | The labels of its pods; must match the template's and cannot change.
    template core.PodTemplateSpec 3 | What the pods look like.
    # ReplicaSetStatus | How a replica set is doing.
    replicas! int(0..) 1 | Pods there are.
    fullyLabeledReplicas int(0..) 2 | Pods that have all labels of the template.
    readyReplicas int(0..) 4 | Ready pods.
    availableReplicas int(0..) 5 | Pods that have been ready for long enough.
    terminatingReplicas int(0..) *7 | Pods that are going.
    observedGeneration int64(0..) 3 | The generation that this is about.
    conditions []ReplicaSetCondition@type 6 | ReplicaFailure.
    # ReplicaSetCondition | One aspect of a replica set's state.
    type! string 1 | The aspect.
    status! string 2 | True, False or Unknown.
    lastTransitionTime time 3 | When the status last changed.
    reason string 4 | A word for why.
    message string 5 | A sentence for people.
    """)

  static let autoscaling = SchemaTable(
    "io.k8s.api.autoscaling.v1",
    """
    # Scale : ScaleSpec ScaleStatus | How many replicas of something there are and should be.
    # ScaleSpec | How many there should be.
    replicas int(0..) 1 | The number.
    # ScaleStatus | How many there are.
    replicas! int(0..) 1 | The number.
    selector string 2 | The labels of its pods, as a query.
    """)

  static let policy = SchemaTable(
    "io.k8s.api.policy.v1",
    """
    # Eviction : | Asks a pod to leave its node.
    deleteOptions meta.DeleteOptions *2 | How the pod is deleted.
    """)
}
