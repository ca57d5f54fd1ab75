/// Annotations that Deployments and their ReplicaSets carry, and kubectl reads.
enum DeploymentAnnotations {
  /// The number of the rollout; `kubectl rollout history` and `undo` go by it.
  static let revision = "deployment.kubernetes.io/revision"
  /// Earlier revisions of a set that came back by a rollback, separated by commas.
  static let revisionHistory = "deployment.kubernetes.io/revision-history"
  /// `spec.replicas` of the Deployment when the set was last sized: if it differs, the Deployment was scaled.
  static let desiredReplicas = "deployment.kubernetes.io/desired-replicas"
  static let maxReplicas = "deployment.kubernetes.io/max-replicas"
  static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
  /// Label of pods and ReplicaSets: which template.
  static let podTemplateHash = "pod-template-hash"

  /// Annotations of the Deployment that its sets do not take over.
  static let own: Set<String> = [revision, revisionHistory, desiredReplicas, maxReplicas, lastApplied]
}
